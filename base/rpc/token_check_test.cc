// The cache of checked tokens and their limits, with a store made of a map and a clock made of a number.
#include "base/rpc/token_check.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "base/rpc/error_details.h"
#include "base/rpc/testing/echo_service.h"

namespace medidesk::rpc::testing {
namespace {

using namespace std::chrono_literals;
using store::v1::CheckTokenResponse;
using store::v1::TOKEN_SCOPE_ADMIN;
using store::v1::TOKEN_SCOPE_READ;
using store::v1::TOKEN_SCOPE_REPLY;

class TokenCheckTest : public ::testing::Test {
 protected:
  TokenCheckTest() { Make(TokenCheck::Options()); }

  void Make(TokenCheck::Options options) {
    options.now = [this] { return now_; };
    tokens_ = std::make_unique<TokenCheck>(
        [this](std::string secret) -> asio::awaitable<absl::StatusOr<CheckTokenResponse>> {
          ++lookups_;
          if (!outage_.ok()) co_return outage_;
          const auto found = known_.find(secret);
          if (found == known_.end()) co_return Error(absl::StatusCode::kUnauthenticated, "who is that");
          co_return found->second;
        },
        options);
  }
  CheckTokenResponse& Add(const std::string& secret, store::v1::TokenScope scope) {
    CheckTokenResponse& response = known_[secret];
    response.mutable_token()->set_id("id of " + secret);
    response.mutable_token()->add_scopes(scope);
    response.mutable_cache_ttl()->set_seconds(4);
    return response;
  }
  absl::StatusOr<Principal> Check(const std::string& secret, store::v1::TokenScope scope = TOKEN_SCOPE_READ) {
    return loop_.Run(tokens_->Check(secret, scope));
  }
  absl::StatusCode Code(const std::string& secret, store::v1::TokenScope scope = TOKEN_SCOPE_READ) {
    return Check(secret, scope).status().code();
  }

  Loop& loop_ = Loop::Shared();
  TokenCheck::Clock::time_point now_{1h};
  std::map<std::string, CheckTokenResponse> known_;
  absl::Status outage_;
  int lookups_ = 0;
  std::unique_ptr<TokenCheck> tokens_;
};

TEST_F(TokenCheckTest, KnowsATokenAndItsScopes) {
  Add("a", TOKEN_SCOPE_READ);
  const auto principal = Check("a");
  ASSERT_TRUE(principal.ok()) << principal.status();
  EXPECT_EQ(principal->kind, Principal::Kind::kToken);
  EXPECT_EQ(principal->id, "id of a");
  const absl::Status refused = Check("a", TOKEN_SCOPE_REPLY).status();
  EXPECT_EQ(refused.code(), absl::StatusCode::kPermissionDenied);
  EXPECT_EQ(Reason(refused), "SCOPE_MISSING");
  EXPECT_EQ(ReasonMetadata(refused).at("scope"), "reply");
}

TEST_F(TokenCheckTest, LetsAdminDoEverything) {
  Add("a", TOKEN_SCOPE_ADMIN);
  for (int scope = 1; scope <= 6; ++scope) EXPECT_TRUE(Check("a", static_cast<store::v1::TokenScope>(scope)).ok());
}

TEST_F(TokenCheckTest, RefusesEveryBadTokenWithTheSameText) {
  const absl::Status unknown = Check("b").status(), empty = Check("").status(),
                     huge = Check(std::string(10'000, 'x')).status();
  EXPECT_EQ(unknown.code(), absl::StatusCode::kUnauthenticated);
  EXPECT_EQ(unknown, empty);
  EXPECT_EQ(unknown, huge);
  EXPECT_EQ(lookups_, 1);
}

TEST_F(TokenCheckTest, AsksAgainSoonEnoughToSeeARevocation) {
  Add("a", TOKEN_SCOPE_READ);
  EXPECT_TRUE(Check("a").ok());
  known_.clear();  // revoked
  now_ += 1'900ms;
  EXPECT_TRUE(Check("a").ok());
  EXPECT_EQ(lookups_, 1);
  now_ += 200ms;
  EXPECT_EQ(Code("a"), absl::StatusCode::kUnauthenticated);
  EXPECT_EQ(Code("a"), absl::StatusCode::kUnauthenticated);
}

TEST_F(TokenCheckTest, SeesARevocationAfterFiveSecondsWhateverTheStoreAllows) {
  Add("a", TOKEN_SCOPE_READ).mutable_cache_ttl()->set_seconds(3600);
  EXPECT_TRUE(Check("a").ok());
  known_.clear();
  now_ += 5s;
  EXPECT_EQ(Code("a"), absl::StatusCode::kUnauthenticated);
}

TEST_F(TokenCheckTest, GoesOnForAWhileWithoutTheStore) {
  Add("a", TOKEN_SCOPE_READ);
  EXPECT_TRUE(Check("a").ok());
  outage_ = Error(absl::StatusCode::kUnavailable, "no database");
  now_ += 3s;
  EXPECT_TRUE(Check("a").ok());
  EXPECT_EQ(Code("b"), absl::StatusCode::kUnavailable);
  now_ += 1s;
  EXPECT_EQ(Code("a"), absl::StatusCode::kUnavailable);
  outage_ = absl::OkStatus();
  EXPECT_TRUE(Check("a").ok());
}

TEST_F(TokenCheckTest, ForgetsTheLongestUnusedTokenWhenFull) {
  TokenCheck::Options options;
  options.max_cached = 2;
  Make(options);
  for (const char* secret : {"a", "b", "c"}) Add(secret, TOKEN_SCOPE_READ);
  for (const char* secret : {"a", "b", "a", "c"}) EXPECT_TRUE(Check(secret).ok());
  EXPECT_EQ(lookups_, 3);
  EXPECT_TRUE(Check("a").ok());
  EXPECT_EQ(lookups_, 3);
  EXPECT_TRUE(Check("b").ok());
  EXPECT_EQ(lookups_, 4);
}

TEST_F(TokenCheckTest, BoundsTheLookupsThatRunAtOnce) {
  std::atomic<bool> open{false};
  std::atomic<int> waiting{0};
  TokenCheck::Options options;
  options.max_lookups = 2;
  TokenCheck tokens(
      [&](std::string) -> asio::awaitable<absl::StatusOr<CheckTokenResponse>> {
        ++waiting;
        asio::steady_timer timer(co_await asio::this_coro::executor);
        while (!open) {
          timer.expires_after(1ms);
          co_await timer.async_wait(asio::use_awaitable);
        }
        co_return known_.begin()->second;
      },
      options);
  Add("a", TOKEN_SCOPE_READ);
  auto first = asio::co_spawn(loop_.executor(), tokens.Check("a", TOKEN_SCOPE_READ), asio::use_future);
  auto second = asio::co_spawn(loop_.executor(), tokens.Check("b", TOKEN_SCOPE_READ), asio::use_future);
  while (waiting < 2) std::this_thread::yield();
  const absl::Status third = loop_.Run(tokens.Check("c", TOKEN_SCOPE_READ)).status();
  EXPECT_EQ(third.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_TRUE(RetryDelay(third).has_value());
  open = true;
  EXPECT_TRUE(first.get().ok());
  EXPECT_TRUE(second.get().ok());
  EXPECT_TRUE(loop_.Run(tokens.Check("c", TOKEN_SCOPE_READ)).ok());
}

TEST_F(TokenCheckTest, ChargesRequestsToTheTokensLimit) {
  store::v1::Limit* limit = Add("a", TOKEN_SCOPE_READ).mutable_request_limit();
  limit->set_amount(60);
  limit->mutable_period()->set_seconds(60);
  limit->set_burst(3);
  Add("free", TOKEN_SCOPE_READ);
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(tokens_->Charge(*Check("a")).ok());
  const absl::Status refused = tokens_->Charge(*Check("a"));
  EXPECT_EQ(refused.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(RetryDelay(refused), 1'000ms);
  EXPECT_EQ(Reason(refused), "RATE_LIMITED");
  for (int i = 0; i < 100; ++i) EXPECT_TRUE(tokens_->Charge(*Check("free")).ok());
  EXPECT_TRUE(tokens_->Charge(Principal()).ok());
  now_ += 2'500ms;  // also past a renewal, which keeps the count
  EXPECT_TRUE(tokens_->Charge(*Check("a")).ok());
  EXPECT_TRUE(tokens_->Charge(*Check("a")).ok());
  EXPECT_EQ(RetryDelay(tokens_->Charge(*Check("a"))), 500ms);
}

TEST(BearerSecret, TakesTheSchemeInAnyCase) {
  EXPECT_EQ(*BearerSecret("Bearer mdk_x"), "mdk_x");
  EXPECT_EQ(*BearerSecret("bEARER  mdk_x"), "mdk_x");
  for (const char* bad : {"", "Bearer", "Basic abc", "mdk_x", "Bearer\tx", "oversized"}) {
    EXPECT_EQ(BearerSecret(bad).status().code(), absl::StatusCode::kUnauthenticated) << bad;
  }
}

TEST(ScopeName, GoesBothWays) {
  for (int scope = 1; scope <= 6; ++scope) {
    const auto one = static_cast<store::v1::TokenScope>(scope);
    EXPECT_EQ(ScopeFromName(ScopeName(one)), one);
  }
  EXPECT_EQ(ScopeFromName("root"), store::v1::TOKEN_SCOPE_UNSPECIFIED);
}

}  // namespace
}  // namespace medidesk::rpc::testing
