// The webhook's body, from bytes to a checked message.
//
//   {"phone":"+15550109999","message":"Hello","messageId":"wa-1","timestamp":"2026-01-15T10:30:00.000Z"}
//
// Read as JSON whatever the content type says (supabase-js sends strings as text/plain), multipart
// excepted. Other fields are ignored; of two fields of one name the last counts; a half surrogate
// pair (a cut emoji) becomes U+FFFD.
//
//   phone      text or a whole number; 7 to 15 digits and the usual separators
//   message    text, not blank, at most 4,096 characters (code points) in NFC
//   messageId  text or number (digits kept as sent), at most 256 bytes; absent, null or "": none
//   timestamp  ISO 8601 or Unix seconds or milliseconds; anything else counts as absent
//
// Pure functions; hostile bytes give an error, never an exception.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "base/phi.h"
#include "base/phone_number.h"

namespace medidesk::admin {

inline constexpr std::size_t kMaxMessageCharacters = 4096;
inline constexpr std::size_t kMaxMessageIdBytes = 256;

struct WebhookMessage {
  PhoneNumber phone;
  Phi<std::string> text;   // NFC
  std::string message_id;  // empty: none was given
  std::optional<std::chrono::system_clock::time_point> timestamp;
};

struct WebhookError {
  int status;             // 400 or 415
  std::string_view code;  // INVALID_PHONE, ...
  std::string_view text;  // for people; quotes nothing
};

std::variant<WebhookMessage, WebhookError> ParseWebhookRequest(std::string_view content_type, std::string_view body);

// "2026-01-15T10:30:00[.123][Z|+05:30]"; without a zone it is UTC. Years 2000 to 2099.
std::optional<std::chrono::system_clock::time_point> ParseTimestamp(std::string_view text);

}  // namespace medidesk::admin
