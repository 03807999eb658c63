// Checks bearer tokens with the store and remembers the answers for a short time; counts the requests of
// each token against its limit.
//
//   TokenCheck tokens(TokenCheck::AskStore(store_channel));
//   MD_ASSIGN_OR_CO_RETURN(const Principal who, co_await tokens.Check(secret, store::v1::TOKEN_SCOPE_READ));
//
// A revoked token is refused after at most 5 s, a new one at once works. The cache is bounded. While the store is
// away, tokens seen within the last 5 s go on. Thread-safe.
#pragma once

#include <boost/asio/awaitable.hpp>

#include <array>
#include <chrono>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>

#include "base/rpc/channel.h"
#include "base/rpc/principal.h"
#include "base/status.h"
#include "medidesk/store/v1/access.pb.h"

namespace medidesk::rpc {

// Refills evenly up to its burst. Thread-safe.
class TokenBucket {
 public:
  using Clock = std::chrono::steady_clock;

  explicit TokenBucket(const store::v1::Limit& limit);

  // Another limit keeps what has been used.
  void SetLimit(const store::v1::Limit& limit);
  // Takes one unit; else how long until there is one.
  std::chrono::milliseconds Take(Clock::time_point now);

 private:
  std::mutex mutex_;
  double per_second_ = 0, burst_ = 0;  // under mutex_, as all below
  double units_ = 0;
  Clock::time_point filled_{};
};

class TokenCheck {
 public:
  using Clock = std::chrono::steady_clock;
  // What the store says of a secret; UNAUTHENTICATED for one it does not know.
  using Lookup =
      std::function<boost::asio::awaitable<absl::StatusOr<store::v1::CheckTokenResponse>>(std::string secret)>;
  struct Options {
    std::size_t max_cached = 4096;
    int max_lookups = 128;                             // at once; more are refused
    std::chrono::milliseconds renew_after{2'000};      // then one caller asks again, the others go on
    std::chrono::milliseconds forget_after{4'000};     // never relied on longer
    std::function<Clock::time_point()> now = nullptr;  // null: the clock
  };

  explicit TokenCheck(Lookup lookup) : TokenCheck(std::move(lookup), Options()) {}
  TokenCheck(Lookup lookup, Options options);

  // Asks AccessService.CheckToken behind the channel.
  static Lookup AskStore(const Channel& store);

  // Who presents the secret. UNAUTHENTICATED, the same for every reason, when it is no live token;
  // PERMISSION_DENIED `SCOPE_MISSING` with the scope's name when it may not; UNAVAILABLE or RESOURCE_EXHAUSTED
  // when it cannot be checked now.
  boost::asio::awaitable<absl::StatusOr<Principal>> Check(std::string secret, TokenScope scope);

  // Counts one request: RESOURCE_EXHAUSTED with RetryInfo when the token has used up its limit. What is no token is
  // not limited.
  absl::Status Charge(const Principal& principal);

 private:
  using Hash = std::array<unsigned char, 32>;  // SHA-256 of the secret: none is kept
  struct Entry {
    Principal principal;
    Clock::time_point renew, forget;
    bool renewing = false;
    std::list<Hash>::iterator age;
  };

  boost::asio::awaitable<absl::StatusOr<Principal>> Find(std::string secret);
  Principal Remember(const Hash& hash, const store::v1::CheckTokenResponse& response);
  void Forget(const Hash& hash);
  Clock::time_point Now() const { return options_.now ? options_.now() : Clock::now(); }

  const Lookup lookup_;
  const Options options_;
  std::mutex mutex_;
  std::map<Hash, Entry> entries_;  // under mutex_
  std::list<Hash> by_age_;         // under mutex_; the longest unused first
  int lookups_ = 0;                // under mutex_
};

// "Bearer SECRET", as HTTP and gRPC carry it, to SECRET. UNAUTHENTICATED for anything else.
absl::StatusOr<std::string> BearerSecret(std::string_view authorization);
// `reply`, `screen`, `preview`, `send`, `read`, `admin`; and back, UNSPECIFIED for another word.
std::string_view ScopeName(TokenScope scope);
TokenScope ScopeFromName(std::string_view name);
// The one refusal of a credential that is none.
absl::Status BadToken();

}  // namespace medidesk::rpc
