// Verifies the tokens a Supabase project issues (RFC 7519 in the compact form of RFC 7515).
//
//   base64url(header) . base64url(payload) . base64url(signature)
//
//   HS256  HMAC-SHA256 under the project's secret, taken as UTF-8 text
//   ES256  ECDSA on P-256, signature r||s (64 bytes), public key chosen by `kid` from a JWKS
//
// The token never chooses how it is verified: the secret serves HS256 alone, a JWKS key ES256 alone.
// `exp` is required and must lie ahead, `nbf` may lie at most `leeway` ahead, `role` must be one of
// the three below. `iss` and `aud` are not looked at.
//
// Thread-safe.
#pragma once

#include <chrono>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>

#include "base/status.h"

struct evp_pkey_st;

namespace medidesk::admin {

enum class JwtRole { kAnon, kAuthenticated, kServiceRole };

struct JwtClaims {
  JwtRole role = JwtRole::kAnon;
  std::string subject;               // `sub`; empty for anon and service_role
  std::chrono::sys_seconds expires;  // whole seconds: finer clocks end in 2262, tokens need not
};

// The EC P-256 keys of a JSON Web Key Set (RFC 7517), by `kid`. Keys of other kinds are passed over.
class JwkSet {
 public:
  // INVALID_ARGUMENT when the text is no key set, or holds a P-256 key that is not on the curve.
  static absl::StatusOr<std::shared_ptr<const JwkSet>> Parse(std::string_view json);

  // Null when there is none. The set keeps owning it.
  evp_pkey_st* Find(std::string_view kid) const;
  std::size_t size() const { return keys_.size(); }

 private:
  std::map<std::string, std::shared_ptr<evp_pkey_st>, std::less<>> keys_;
};

class JwtVerifier {
 public:
  // `hs256_secret` empty: no HS256 token is taken. No key set: no ES256 token is taken.
  explicit JwtVerifier(std::string hs256_secret, std::chrono::seconds leeway = std::chrono::seconds(30));

  // For whoever fetches the project's key set; null takes it away.
  void SetKeys(std::shared_ptr<const JwkSet> keys);

  bool configured() const;

  // UNAUTHENTICATED with the rule that was broken; NOT_FOUND for an ES256 token whose `kid` is
  // unknown (time to fetch the key set again). The text never quotes the token.
  absl::StatusOr<JwtClaims> Verify(std::string_view token, std::chrono::system_clock::time_point now) const;

 private:
  std::shared_ptr<const JwkSet> keys() const;

  const std::string hs256_secret_;
  const std::chrono::seconds leeway_;
  mutable std::mutex mutex_;
  std::shared_ptr<const JwkSet> keys_;  // under mutex_
};

// True for three non-empty parts of base64url letters: what Verify() would look at.
bool LooksLikeJwt(std::string_view text);

// HMAC-SHA256 over `text`, 32 bytes.
std::string HmacSha256(std::string_view key, std::string_view text);
std::string Sha256(std::string_view text);

// Without padding. nullopt-like: false when a letter is outside the alphabet or bits are left over.
bool DecodeBase64Url(std::string_view text, std::string& out);
std::string EncodeBase64Url(std::string_view bytes);

}  // namespace medidesk::admin
