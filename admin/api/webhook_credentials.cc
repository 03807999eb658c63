#include "admin/api/webhook_credentials.h"

#include <boost/asio/ip/address.hpp>
#include <openssl/crypto.h>

#include <algorithm>
#include <optional>

#include "admin/http/server.h"

namespace medidesk::admin {
namespace {

std::string_view Trim(std::string_view text) {
  const std::size_t first = text.find_first_not_of(" \t");
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

std::vector<std::string_view> SplitKeys(std::string_view list) {
  std::vector<std::string_view> keys;
  while (!list.empty()) {
    const std::size_t comma = list.find(',');
    if (const std::string_view key = Trim(list.substr(0, comma)); !key.empty()) keys.push_back(key);
    if (comma == std::string_view::npos) break;
    list.remove_prefix(comma + 1);
  }
  return keys;
}

// What follows "Bearer "; nullopt when the header is absent or of another scheme.
std::optional<std::string_view> BearerOf(std::string_view authorization) {
  constexpr std::string_view kScheme = "bearer ";
  if (authorization.size() <= kScheme.size()) return std::nullopt;
  for (std::size_t i = 0; i < kScheme.size(); ++i) {
    const char c = authorization[i];
    if ((c >= 'A' && c <= 'Z' ? c + 32 : c) != kScheme[i]) return std::nullopt;  // schemes have no case
  }
  return Trim(authorization.substr(kScheme.size()));
}

std::string CallerOf(const JwtClaims& claims) {
  if (!claims.subject.empty()) return "user:" + claims.subject.substr(0, 64);
  switch (claims.role) {
    case JwtRole::kAnon:
      return "jwt:anon";
    case JwtRole::kAuthenticated:
      return "jwt:authenticated";
    case JwtRole::kServiceRole:
      break;
  }
  return "jwt:service_role";
}

// True when anybody could have signed this token: the secret is in every Supabase tutorial.
bool SignedWithDemoSecret(std::string_view token) {
  const std::size_t dot = token.rfind('.');
  if (!LooksLikeJwt(token)) return false;
  return EncodeBase64Url(HmacSha256(kDemoJwtSecret, token.substr(0, dot))) == token.substr(dot + 1);
}

bool AnythingConfigured(const CredentialOptions& options) {
  return !options.webhook_key.empty() || !options.supabase_anon_key.empty() || !options.supabase_jwt_secret.empty() ||
         !options.supabase_jwks.empty();
}

absl::Status CheckKeyList(const CredentialOptions& options) {
  if (!options.webhook_key.empty() && SplitKeys(options.webhook_key).empty()) {
    return Error(absl::StatusCode::kInvalidArgument, "WEBHOOK_KEY: holds no key; give one or more, comma separated");
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status CheckExposure(std::string_view listen_address, const CredentialOptions& options) {
  MD_RETURN_IF_ERROR(CheckKeyList(options));
  if (http::IsLoopbackAddress(listen_address)) return absl::OkStatus();
  if (options.supabase_jwt_secret == kDemoJwtSecret) {
    return Error(absl::StatusCode::kInvalidArgument,
                 "SUPABASE_JWT_SECRET: this is the public demo secret; set your project's own, or listen on 127.0.0.1");
  }
  if (SignedWithDemoSecret(options.supabase_anon_key)) {
    return Error(absl::StatusCode::kInvalidArgument,
                 "SUPABASE_ANON_KEY: made with the public demo secret; set your project's own, or listen on 127.0.0.1");
  }
  if (!options.webhook_open && !AnythingConfigured(options)) {
    return Error(absl::StatusCode::kFailedPrecondition,
                 "WEBHOOK_KEY: set it (or WEBHOOK_OPEN=1) to listen beyond this machine, or listen on 127.0.0.1");
  }
  return absl::OkStatus();
}

WebhookCredentials::WebhookCredentials(const CredentialOptions& options) : verifier_(options.supabase_jwt_secret) {
  for (const std::string_view key : SplitKeys(options.webhook_key)) digests_.push_back(Sha256(key));
  if (const std::string_view key = Trim(options.supabase_anon_key); !key.empty()) digests_.push_back(Sha256(key));
  open_ = options.webhook_open || !AnythingConfigured(options);
}

absl::StatusOr<std::unique_ptr<WebhookCredentials>> WebhookCredentials::Create(const CredentialOptions& options) {
  MD_RETURN_IF_ERROR(CheckKeyList(options));
  std::unique_ptr<WebhookCredentials> credentials(new WebhookCredentials(options));
  if (!options.supabase_jwks.empty()) {
    MD_ASSIGN_OR_RETURN(std::shared_ptr<const JwkSet> keys, JwkSet::Parse(options.supabase_jwks));
    credentials->verifier_.SetKeys(std::move(keys));
  }
  return credentials;
}

std::string WebhookCredentials::FindKey(std::string_view presented) const {
  if (presented.empty() || digests_.empty()) return {};
  const std::string digest = Sha256(presented);
  bool found = false;
  for (const std::string& known : digests_) {
    found |= CRYPTO_memcmp(known.data(), digest.data(), digest.size()) == 0;  // no early end: the time tells nothing
  }
  if (!found) return {};
  static constexpr char kHex[] = "0123456789abcdef";
  std::string id = "key:";
  for (int i = 0; i < 8; ++i) {
    id += kHex[static_cast<unsigned char>(digest[i]) >> 4];
    id += kHex[static_cast<unsigned char>(digest[i]) & 15];
  }
  return id;
}

absl::StatusOr<WebhookCredentials::Caller> WebhookCredentials::Check(std::string_view authorization,
                                                                     std::string_view apikey,
                                                                     std::chrono::system_clock::time_point now) const {
  if (open_) return Caller{"open"};
  const auto refused = [](std::string_view why) { return Error(absl::StatusCode::kUnauthenticated, why); };
  const std::string_view bearer = BearerOf(authorization).value_or(std::string_view());
  if (std::string id = FindKey(bearer); !id.empty()) return Caller{std::move(id)};
  const bool takes_tokens = verifier_.configured();
  if (takes_tokens && LooksLikeJwt(bearer)) {
    const absl::StatusOr<JwtClaims> claims = verifier_.Verify(bearer, now);
    if (!claims.ok()) return refused("The token is not valid.");
    return Caller{CallerOf(*claims)};
  }
  if (std::string id = FindKey(apikey); !id.empty()) return Caller{std::move(id)};
  if (takes_tokens && LooksLikeJwt(apikey)) {
    const absl::StatusOr<JwtClaims> claims = verifier_.Verify(apikey, now);
    if (claims.ok()) return Caller{CallerOf(*claims)};
  }
  if (bearer.empty() && apikey.empty()) return refused("This endpoint needs an API key or a token.");
  return refused("The API key is not valid.");
}

}  // namespace medidesk::admin
