// What the operator's browser is asked for and gives back when an account is guarded by a passkey (WebAuthn JSON).
//
// Only the server knows the passkey's public key; here is checked what we can know: shape, host and challenge.
#pragma once

#include <chrono>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"

#include "gateway/wa/bytes.h"

namespace medidesk::gateway::wa {

inline constexpr std::size_t kMaxPasskeyJson = 16u << 10;  // bytes

struct PasskeyOptions {
  std::string json;  // as it came, for the browser
  std::string challenge;
  std::chrono::milliseconds timeout;
};
// INVALID_ARGUMENT for what is no request options with a challenge. A missing or absurd time-out counts as 10 min.
absl::StatusOr<PasskeyOptions> ParsePasskeyOptions(std::string_view json);

struct PasskeyAssertion {
  Bytes credential_id;
  std::string json;  // the members that the server wants, in its order
};
// INVALID_ARGUMENT, with what is wrong, for an assertion of another shape, for another host or challenge, or one made
// without the person's consent.
absl::StatusOr<PasskeyAssertion> CheckPasskeyAssertion(std::string_view json, const PasskeyOptions& options);

}  // namespace medidesk::gateway::wa
