// Linking by QR: what the codes say, and how long each is shown.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "gateway/wa/device_credentials.h"
#include "gateway/wa/moment.h"
#include "gateway/wa/node.h"

namespace medidesk::gateway::wa {

// What one code says. Holds the ADV secret: for the person at the phone only.
std::string QrText(std::string_view ref, const DeviceCredentials& credentials, char platform_id);

// The refs of a <pair-device>, at most 16 of at most 1,024 bytes; without those that are empty.
std::vector<std::string> RefsOf(const Node& pair_device);

// Shows the refs of one connection in turn: the first for 60 s, every other for 20 s.
class QrRotation {
 public:
  static constexpr std::chrono::seconds kFirst{60};
  static constexpr std::chrono::seconds kNext{20};

  struct Code {
    std::string ref;
    int index;  // from 1
    int count;
    Time expires;

    friend bool operator==(const Code&, const Code&) = default;
  };

  explicit QrRotation(std::vector<std::string> refs) : refs_(std::move(refs)) {}

  // The code to show from now on, when the one before has expired; nullopt while it lives, and once exhausted().
  std::optional<Code> Next(Time now);
  // No ref is left and the last has expired: a new connection brings new ones.
  bool exhausted(Time now) const { return shown_ == refs_.size() && now >= expires_; }
  // When Next or exhausted changes.
  Time next_time() const { return expires_; }

 private:
  std::vector<std::string> refs_;
  std::size_t shown_ = 0;
  Time expires_ = Time::min();
};

}  // namespace medidesk::gateway::wa
