#include "gateway/wa/passkey_assertion.h"

#include <boost/json.hpp>

#include <algorithm>
#include <optional>

#include "base/status.h"
#include "gateway/wa/base64.h"
#include "gateway/wa/key_derivation.h"

namespace medidesk::gateway::wa {
namespace {

namespace json = boost::json;

constexpr std::string_view kRpId = "whatsapp.com";
constexpr std::string_view kHostSuffix = ".whatsapp.com";
constexpr std::chrono::milliseconds kDefaultTimeout = std::chrono::minutes(10);
constexpr std::uint8_t kUserPresent = 0x01;
constexpr std::uint8_t kUserVerified = 0x04;

absl::Status Bad(std::string_view what) {
  return Error(absl::StatusCode::kInvalidArgument, std::string("passkey: ").append(what));
}

std::optional<json::object> ParseObject(std::string_view text) {
  if (text.size() > kMaxPasskeyJson) return std::nullopt;
  boost::system::error_code error;
  json::parse_options options;
  options.max_depth = 8;
  json::value value = json::parse({text.data(), text.size()}, error, {}, options);
  if (error || !value.is_object()) return std::nullopt;
  return std::move(value.as_object());
}

// The text of a member; nullopt when there is none.
std::optional<std::string> TextOf(const json::object& object, std::string_view member) {
  const json::value* value = object.if_contains({member.data(), member.size()});
  if (value == nullptr || !value->is_string()) return std::nullopt;
  return std::string(value->as_string());
}

// https://whatsapp.com or a host under it.
bool IsWhatsAppOrigin(std::string_view origin) {
  constexpr std::string_view kScheme = "https://";
  if (!origin.starts_with(kScheme)) return false;
  const std::string_view host = origin.substr(kScheme.size());
  if (host == kRpId) return true;
  return host.ends_with(kHostSuffix) && std::all_of(host.begin(), host.end(), [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' || c == '-';
         });
}

}  // namespace

absl::StatusOr<PasskeyOptions> ParsePasskeyOptions(std::string_view text) {
  const auto object = ParseObject(text);
  if (!object) return Bad("the server's options are no JSON object");
  const auto challenge = TextOf(*object, "challenge");
  if (!challenge || challenge->empty() || !FromBase64Url(*challenge))
    return Bad("the server's options have no challenge");
  PasskeyOptions options{.json = std::string(text), .challenge = *challenge, .timeout = kDefaultTimeout};
  if (const json::value* timeout = object->if_contains("timeout"); timeout != nullptr && timeout->is_int64()) {
    const auto millis = std::chrono::milliseconds(timeout->as_int64());
    if (millis >= std::chrono::seconds(10) && millis <= std::chrono::hours(1)) options.timeout = millis;
  }
  return options;
}

absl::StatusOr<PasskeyAssertion> CheckPasskeyAssertion(std::string_view text, const PasskeyOptions& options) {
  const auto object = ParseObject(text);
  if (!object) return Bad("the assertion is no JSON object of at most 16 KiB");
  const auto raw_id = TextOf(*object, "rawId");
  const auto credential_id = raw_id ? FromBase64Url(*raw_id) : std::nullopt;
  if (!credential_id || credential_id->empty()) return Bad("the assertion's rawId is not base64url");
  if (TextOf(*object, "id") != raw_id) return Bad("the assertion's id is not its rawId");
  if (TextOf(*object, "type") != "public-key") return Bad("the assertion is not of type public-key");
  const json::value* response = object->if_contains("response");
  if (response == nullptr || !response->is_object()) return Bad("the assertion has no response");
  const json::object& fields = response->as_object();

  const auto client_data_text = TextOf(fields, "clientDataJSON");
  const auto client_data_bytes = client_data_text ? FromBase64Url(*client_data_text) : std::nullopt;
  const auto client_data = client_data_bytes ? ParseObject(AsText(*client_data_bytes)) : std::nullopt;
  if (!client_data) return Bad("the assertion's clientDataJSON is not base64url of JSON");
  if (TextOf(*client_data, "type") != "webauthn.get") return Bad("the browser made no assertion (webauthn.get)");
  if (TextOf(*client_data, "challenge") != options.challenge) return Bad("the assertion answers another challenge");
  if (!IsWhatsAppOrigin(TextOf(*client_data, "origin").value_or(""))) {
    return Bad("the assertion was not made on https://web.whatsapp.com");
  }

  const auto authenticator_text = TextOf(fields, "authenticatorData");
  const auto authenticator = authenticator_text ? FromBase64Url(*authenticator_text) : std::nullopt;
  if (!authenticator || authenticator->size() < 37) return Bad("the assertion's authenticatorData is cut short");
  const Digest32 host = Sha256(AsBytes(kRpId));
  if (!std::equal(host.begin(), host.end(), authenticator->begin())) return Bad("the assertion is for another host");
  const std::uint8_t flags = (*authenticator)[32];
  if ((flags & kUserPresent) == 0 || (flags & kUserVerified) == 0) return Bad("nobody has confirmed the assertion");

  const auto signature = TextOf(fields, "signature");
  if (!signature || signature->empty() || !FromBase64Url(*signature)) return Bad("the assertion has no signature");
  json::value user_handle = nullptr;
  if (const auto handle = TextOf(fields, "userHandle")) {
    if (!FromBase64Url(*handle)) return Bad("the assertion's userHandle is not base64url");
    user_handle = *handle;
  }

  // Members that browsers add are left out: this shape is the one the server is known to take.
  const json::object inner = {{"clientDataJSON", *client_data_text},
                              {"authenticatorData", *authenticator_text},
                              {"signature", *signature},
                              {"userHandle", std::move(user_handle)}};
  const json::object outer = {{"id", *raw_id}, {"rawId", *raw_id}, {"type", "public-key"}, {"response", inner}};
  return PasskeyAssertion{.credential_id = *credential_id, .json = json::serialize(outer)};
}

}  // namespace medidesk::gateway::wa
