#include "base/rpc/token_check.h"

#include <fmt/format.h>
#include <openssl/sha.h>

#include <algorithm>
#include <cmath>

#include "base/rpc/client.h"
#include "base/rpc/error_details.h"
#include "medidesk/store/v1/access.grpc.pb.h"

namespace medidesk::rpc {
namespace {

constexpr std::chrono::milliseconds kLookupTime{2'000};
constexpr std::size_t kMaxSecret = 256;  // bytes

constexpr std::array<std::pair<TokenScope, std::string_view>, 6> kScopes = {
    {{store::v1::TOKEN_SCOPE_REPLY, "reply"},
     {store::v1::TOKEN_SCOPE_SCREEN, "screen"},
     {store::v1::TOKEN_SCOPE_PREVIEW, "preview"},
     {store::v1::TOKEN_SCOPE_SEND, "send"},
     {store::v1::TOKEN_SCOPE_READ, "read"},
     {store::v1::TOKEN_SCOPE_ADMIN, "admin"}}};

std::uint32_t Bit(int scope) { return scope > 0 && scope < 32 ? 1u << scope : 0; }

std::chrono::milliseconds Milliseconds(const google::protobuf::Duration& duration) {
  return std::chrono::milliseconds(duration.seconds() * 1000 + duration.nanos() / 1'000'000);
}

}  // namespace

bool Principal::May(TokenScope scope) const {
  return kind != Kind::kToken || ((Bit(scope) | Bit(store::v1::TOKEN_SCOPE_ADMIN)) & scopes) != 0;
}

std::string_view ScopeName(TokenScope scope) {
  const auto found = std::find_if(kScopes.begin(), kScopes.end(), [&](const auto& one) { return one.first == scope; });
  return found == kScopes.end() ? "admin" : found->second;
}

TokenScope ScopeFromName(std::string_view name) {
  const auto found = std::find_if(kScopes.begin(), kScopes.end(), [&](const auto& one) { return one.second == name; });
  return found == kScopes.end() ? store::v1::TOKEN_SCOPE_UNSPECIFIED : found->first;
}

absl::Status BadToken() {
  return WithReason(
      Error(absl::StatusCode::kUnauthenticated, "the token is not valid: it is unknown, revoked or expired"),
      "TOKEN_INVALID");
}

absl::StatusOr<std::string> BearerSecret(std::string_view authorization) {
  constexpr std::string_view kScheme = "bearer ";
  bool bearer = authorization.size() > kScheme.size();
  for (std::size_t i = 0; bearer && i < kScheme.size(); ++i) {
    bearer = (authorization[i] | (i + 1 < kScheme.size() ? 0x20 : 0)) == kScheme[i];
  }
  if (!bearer) return BadToken();
  authorization.remove_prefix(std::min(authorization.find_first_not_of(' ', kScheme.size()), authorization.size()));
  return std::string(authorization);
}

TokenBucket::TokenBucket(const store::v1::Limit& limit) {
  SetLimit(limit);
  units_ = burst_;
}

void TokenBucket::SetLimit(const store::v1::Limit& limit) {
  const double seconds = std::max(0.001, static_cast<double>(Milliseconds(limit.period()).count()) / 1000);
  const std::lock_guard lock(mutex_);
  const double used = burst_ - units_;
  per_second_ = static_cast<double>(limit.amount()) / seconds;
  burst_ = std::max(1.0, static_cast<double>(limit.burst() > 0 ? limit.burst() : limit.amount()));
  units_ = std::max(0.0, burst_ - used);
}

std::chrono::milliseconds TokenBucket::Take(Clock::time_point now) {
  const std::lock_guard lock(mutex_);
  if (filled_ != Clock::time_point() && now > filled_) {
    units_ = std::min(burst_, units_ + std::chrono::duration<double>(now - filled_).count() * per_second_);
  }
  filled_ = std::max(filled_, now);
  if (units_ >= 1) {
    units_ -= 1;
    return std::chrono::milliseconds(0);
  }
  constexpr double kLongest = 31.0 * 24 * 3600 * 1000;
  const double wait = per_second_ > 0 ? (1 - units_) / per_second_ * 1000 : kLongest;
  return std::chrono::milliseconds(std::max<std::int64_t>(1, std::llround(std::ceil(std::min(wait, kLongest)))));
}

TokenCheck::TokenCheck(Lookup lookup, Options options) : lookup_(std::move(lookup)), options_(std::move(options)) {}

TokenCheck::Lookup TokenCheck::AskStore(const Channel& store) {
  return [client = Client<store::v1::AccessService>(store)](
             std::string secret) -> boost::asio::awaitable<absl::StatusOr<store::v1::CheckTokenResponse>> {
    store::v1::CheckTokenRequest request;
    request.set_secret(std::move(secret));
    const CallOptions options = Within(kLookupTime);
    return client.Call(MD_METHOD(CheckToken), std::move(request), options);
  };
}

boost::asio::awaitable<absl::StatusOr<Principal>> TokenCheck::Check(std::string secret, TokenScope scope) {
  MD_ASSIGN_OR_CO_RETURN(Principal principal, co_await Find(std::move(secret)));
  if (!principal.May(scope)) {
    const std::string name(ScopeName(scope));
    co_return WithReason(
        Error(absl::StatusCode::kPermissionDenied, fmt::format("the token lacks the scope `{}`", name)),
        "SCOPE_MISSING", {{"scope", name}});
  }
  co_return principal;
}

boost::asio::awaitable<absl::StatusOr<Principal>> TokenCheck::Find(std::string secret) {
  if (secret.empty() || secret.size() > kMaxSecret) co_return BadToken();
  Hash hash;
  SHA256(reinterpret_cast<const unsigned char*>(secret.data()), secret.size(), hash.data());
  {
    const std::lock_guard lock(mutex_);
    const auto found = entries_.find(hash);
    if (found != entries_.end()) {
      Entry& entry = found->second;
      const Clock::time_point now = Now();
      if (now < entry.forget && (now < entry.renew || entry.renewing)) {
        by_age_.splice(by_age_.end(), by_age_, entry.age);
        co_return entry.principal;
      }
      entry.renewing = true;
    }
    if (lookups_ >= options_.max_lookups) {
      if (found != entries_.end()) {
        found->second.renewing = false;
        if (Now() < found->second.forget) co_return found->second.principal;
      }
      co_return WithRetryDelay(
          Error(absl::StatusCode::kResourceExhausted, "too many tokens are being checked: retry with backoff"),
          std::chrono::milliseconds(500));
    }
    ++lookups_;
  }
  // Also when the awaiting call is cancelled, which destroys this frame or throws.
  const auto leave = [this, &hash](int*) {
    const std::lock_guard lock(mutex_);
    --lookups_;
    if (const auto found = entries_.find(hash); found != entries_.end()) found->second.renewing = false;
  };
  int in_lookup = 0;
  const std::unique_ptr<int, decltype(leave)> guard(&in_lookup, leave);

  absl::StatusOr<store::v1::CheckTokenResponse> response = co_await lookup_(std::move(secret));
  if (response.ok()) co_return Remember(hash, *response);
  if (response.status().code() == absl::StatusCode::kUnauthenticated) {
    Forget(hash);
    co_return BadToken();
  }
  {
    const std::lock_guard lock(mutex_);
    const auto found = entries_.find(hash);
    if (found != entries_.end() && Now() < found->second.forget) co_return found->second.principal;
  }
  co_return response.status();
}

Principal TokenCheck::Remember(const Hash& hash, const store::v1::CheckTokenResponse& response) {
  const std::lock_guard lock(mutex_);
  auto [found, fresh] = entries_.try_emplace(hash);
  Entry& entry = found->second;
  if (fresh) entry.age = by_age_.insert(by_age_.end(), hash);
  by_age_.splice(by_age_.end(), by_age_, entry.age);

  Principal& principal = entry.principal;
  principal.kind = Principal::Kind::kToken;
  principal.id = response.token().id();
  principal.scopes = 0;
  for (const int scope : response.token().scopes()) principal.scopes |= Bit(scope);
  if (!response.has_request_limit()) {
    principal.bucket = nullptr;
  } else if (principal.bucket == nullptr) {
    principal.bucket = std::make_shared<TokenBucket>(response.request_limit());
  } else {
    principal.bucket->SetLimit(response.request_limit());
  }
  const Clock::time_point now = Now();
  const std::chrono::milliseconds ttl = std::min(options_.forget_after, Milliseconds(response.cache_ttl()));
  entry.forget = now + ttl;
  entry.renew = now + std::min(options_.renew_after, ttl);
  const Principal known = principal;
  if (entries_.size() > options_.max_cached) {
    entries_.erase(by_age_.front());
    by_age_.pop_front();
  }
  return known;
}

void TokenCheck::Forget(const Hash& hash) {
  const std::lock_guard lock(mutex_);
  const auto found = entries_.find(hash);
  if (found == entries_.end()) return;
  by_age_.erase(found->second.age);
  entries_.erase(found);
}

absl::Status TokenCheck::Charge(const Principal& principal) {
  if (principal.bucket == nullptr) return absl::OkStatus();
  const std::chrono::milliseconds wait = principal.bucket->Take(Now());
  if (wait.count() == 0) return absl::OkStatus();
  return WithReason(
      WithRetryDelay(
          Error(absl::StatusCode::kResourceExhausted, "this token has used up its rate limit: try again later"), wait),
      "RATE_LIMITED");
}

}  // namespace medidesk::rpc
