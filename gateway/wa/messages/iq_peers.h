// What sending needs to know of other accounts: their devices, their keys; and giving them our token.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "gateway/wa/iq.h"
#include "gateway/wa/messages/device_list.h"
#include "gateway/wa/signal/signal_sessions.h"

namespace medidesk::gateway::wa {

// The devices of accounts, and of those asked for by phone number the hidden id.
struct DeviceListRequest {
  struct Account {
    Jid jid;  // as it was asked for
    std::optional<Jid> lid = {};
    bool known = false;    // the server told the devices
    DeviceList list = {};  // hosted devices, and companions without a key index, are left out
  };
  using Response = std::vector<Account>;

  std::vector<Jid> accounts;

  Node Build(std::string_view id) const;
  static absl::StatusOr<Response> Parse(const Node& answer);
};

// What to start sessions with.
struct PreKeyBundleRequest {
  struct Bundle {
    Jid device;
    std::optional<PreKeyBundle> bundle = {};  // absent: the server has no such device, or what it has is malformed
  };
  using Response = std::vector<Bundle>;

  std::vector<Jid> devices;
  bool new_identity = false;  // a session is to be replaced

  Node Build(std::string_view id) const;
  static absl::StatusOr<Response> Parse(const Node& answer);
};

// Tells a contact's server that we know the contact.
struct GiveTokenRequest {
  struct Response {};

  Jid contact;
  std::int64_t time = 0;  // Unix seconds

  Node Build(std::string_view id) const;
  static absl::StatusOr<Response> Parse(const Node&) { return Response{}; }
};

static_assert(IqRequest<DeviceListRequest> && IqRequest<PreKeyBundleRequest> && IqRequest<GiveTokenRequest>);

// The keys in a bundle or a retry receipt: <registration>, <identity>, <skey>, and <key> where there is one, under
// `keys`; the registration is under `outer` in a retry receipt. nullopt when one is missing or misshapen.
std::optional<PreKeyBundle> ReadBundle(const Node& keys, const Node& outer);

// A number in 1 to 4 bytes, big endian; nullopt for none.
std::optional<std::uint32_t> ReadNumber(ByteView bytes);
Bytes WriteNumber(std::uint32_t number, int size);

}  // namespace medidesk::gateway::wa
