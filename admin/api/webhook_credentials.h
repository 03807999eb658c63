// Who may call the webhook. The order of checks:
//
//   1. Authorization: Bearer <key>, equal to a configured key   -> that key
//   2. Authorization: Bearer <three dot parts>                  -> verified as a JWT; a bad one is refused
//                                                                 (passed over where no JWT key is configured)
//   3. apikey equal to a configured key, or a valid JWT         -> that key, or the token's role
//   4. refused
//
// Keys are compared by digest, all of them every time, in constant time. With nothing configured,
// or with `open`, every caller is let in; CheckExposure() keeps that to addresses where it is safe.
//
// Immutable and thread-safe after Create().
#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "admin/api/jwt.h"
#include "base/status.h"

namespace medidesk::admin {

// The public default of the Supabase CLI: everybody knows it.
inline constexpr std::string_view kDemoJwtSecret = "super-secret-jwt-token-with-at-least-32-characters-long";

struct CredentialOptions {
  std::string webhook_key = {};          // WEBHOOK_KEY: one or more keys, comma separated
  bool webhook_open = false;             // WEBHOOK_OPEN
  std::string supabase_anon_key = {};    // SUPABASE_ANON_KEY: accepted like a key
  std::string supabase_jwt_secret = {};  // SUPABASE_JWT_SECRET: HS256
  std::string supabase_jwks = {};        // JSON text of a key set: ES256
};

// Whether these credentials may guard a server that listens on `listen_address`. Errors are one
// line naming the variable:
//   FAILED_PRECONDITION  nothing guards the webhook and others than this machine reach it
//   INVALID_ARGUMENT     the public demo secret, or a key made with it, where others reach it;
//                        a WEBHOOK_KEY of commas only
absl::Status CheckExposure(std::string_view listen_address, const CredentialOptions& options);

class WebhookCredentials {
 public:
  // Who called, fit as a rate limiter's key: "key:<16 hex>", "jwt:<role>", "user:<sub>" or "open".
  struct Caller {
    std::string id;
  };

  // INVALID_ARGUMENT for a key set that cannot be read or a WEBHOOK_KEY without a key.
  static absl::StatusOr<std::unique_ptr<WebhookCredentials>> Create(const CredentialOptions& options);

  // UNAUTHENTICATED, with a text for the caller that tells nothing about the keys.
  absl::StatusOr<Caller> Check(std::string_view authorization, std::string_view apikey,
                               std::chrono::system_clock::time_point now) const;

  bool open() const { return open_; }
  // For whoever keeps the project's key set fresh.
  JwtVerifier& verifier() { return verifier_; }

 private:
  explicit WebhookCredentials(const CredentialOptions& options);
  // The caller's id when `presented` is a configured key, else empty.
  std::string FindKey(std::string_view presented) const;

  bool open_ = false;
  std::vector<std::string> digests_;  // SHA-256 of each key
  JwtVerifier verifier_;
};

}  // namespace medidesk::admin
