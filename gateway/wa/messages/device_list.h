// Which devices an account has, as the server last said. For use inside a step.
#pragma once

#include <cstdint>
#include <vector>

#include "gateway/wa/jid.h"
#include "gateway/wa/signal/workspace.h"

namespace medidesk::gateway::wa {

struct DeviceList {
  static constexpr std::int64_t kLifetime = 3'600;  // seconds

  std::vector<Jid> devices = {};                // in the form of the account that was asked for
  std::vector<std::uint32_t> key_indexes = {};  // of those that have one, in order
  std::int64_t fetched = 0;                     // Unix seconds; 0: not known
  std::uint64_t timestamp = 0;                  // of the list as the account signed it, Unix seconds; 0: not said

  bool FreshAt(std::int64_t now) const {
    return fetched > 0 && now < fetched + kLifetime && now >= fetched - kLifetime;
  }

  friend bool operator==(const DeviceList&, const DeviceList&) = default;
};

// `account` without a device. An empty list when none is known.
DeviceList ReadDeviceList(Workspace& workspace, const Jid& account);
void WriteDeviceList(Workspace& workspace, const Jid& account, const DeviceList& list);
void DropDeviceList(Workspace& workspace, const Jid& account);

}  // namespace medidesk::gateway::wa
