// AccessService over a real PostgreSQL: tokens, limits, and what the audit log says of them.
#include "store/service/access_service.h"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/use_future.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <future>
#include <set>
#include <thread>

#include "base/io_threads.h"
#include "base/uuid.h"
#include "store/testing/test_database.h"

namespace medidesk::store {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;
using ::testing::MatchesRegex;

class AccessServiceTest : public ::testing::Test {
 protected:
  AccessServiceTest()
      : metrics_(registry_),
        io_(2),
        pool_({.url = Phi(database_.url()), .connections = 4}, metrics_),
        repository_(pool_),
        dispatcher_(io_.executor(), registry_, {.service = "store"}),
        staff_(pool_),
        service_(dispatcher_, repository_, staff_) {}
  ~AccessServiceTest() override { io_.Stop(); }

  template <class Response, class Request>
  absl::StatusOr<Response> Run(asio::awaitable<absl::StatusOr<Response>> (AccessService::*method)(const rpc::Call&,
                                                                                                  const Request&),
                               const Request& request) {
    return asio::co_spawn(io_.executor(), (service_.*method)(call_, request), asio::use_future).get();
  }
  static v1::Actor Operator() {
    v1::Actor actor;
    actor.set_kind(v1::ACTOR_KIND_OPERATOR);
    return actor;
  }
  static v1::CreateTokenRequest Wanted(const std::string& name) {
    v1::CreateTokenRequest request;
    request.set_commit_id(NewUuid());
    request.set_name(name);
    request.add_scopes(v1::TOKEN_SCOPE_REPLY);
    request.add_scopes(v1::TOKEN_SCOPE_READ);
    *request.mutable_actor() = Operator();
    return request;
  }
  absl::StatusOr<v1::CreateTokenResponse> Create(const v1::CreateTokenRequest& request) {
    return Run(&AccessService::CreateToken, request);
  }
  absl::StatusOr<v1::CheckTokenResponse> Check(const std::string& secret) {
    v1::CheckTokenRequest request;
    request.set_secret(secret);
    return Run(&AccessService::CheckToken, request);
  }
  absl::StatusOr<v1::RevokeTokenResponse> Revoke(const std::string& id) {
    v1::RevokeTokenRequest request;
    request.set_token_id(id);
    *request.mutable_actor() = Operator();
    return Run(&AccessService::RevokeToken, request);
  }
  absl::StatusOr<v1::Limit> Set(v1::LimitKind kind, v1::LimitSubject subject, const std::string& id,
                                std::int64_t amount, std::int64_t seconds, std::int64_t burst = 0,
                                const std::string& commit = NewUuid()) {
    v1::SetLimitRequest request;
    request.set_commit_id(commit);
    request.mutable_limit()->set_kind(kind);
    request.mutable_limit()->set_subject(subject);
    request.mutable_limit()->set_subject_id(id);
    request.mutable_limit()->set_amount(amount);
    request.mutable_limit()->mutable_period()->set_seconds(seconds);
    request.mutable_limit()->set_burst(burst);
    *request.mutable_actor() = Operator();
    auto response = Run(&AccessService::SetLimit, request);
    if (!response.ok()) return response.status();
    return response->limit();
  }
  v1::ConsumeLimitRequest Use(std::int64_t amount, const std::string& contact = "") {
    v1::ConsumeLimitRequest request;
    request.set_commit_id(NewUuid());
    request.set_kind(v1::LIMIT_KIND_TURNS);
    request.set_amount(amount);
    request.set_contact_id(contact);
    return request;
  }
  v1::ConsumeLimitResponse Consume(const v1::ConsumeLimitRequest& request) {
    const auto response = Run(&AccessService::ConsumeLimit, request);
    EXPECT_TRUE(response.ok()) << response.status();
    return response.ok() ? *response : v1::ConsumeLimitResponse();
  }
  std::string NewContact() { return database_.Value("insert into public.contacts (name) values ('x') returning id"); }

  testing::TestDatabase database_;
  prometheus::Registry registry_;
  StoreMetrics metrics_;
  IoThreads io_;
  DbPool pool_;
  AccessRepository repository_;
  rpc::Dispatcher dispatcher_;
  StaffAccounts staff_;
  AccessService service_;
  rpc::Call call_;
};

TEST_F(AccessServiceTest, ShowsASecretOnceAndKeepsItsHash) {
  const v1::CreateTokenRequest request = Wanted("lab-system");
  const auto made = Create(request);
  ASSERT_TRUE(made.ok()) << made.status();
  EXPECT_THAT(made->secret(), MatchesRegex("mdk_[A-Za-z0-9_-]+"));
  EXPECT_EQ(made->secret().size(), 47u);
  EXPECT_EQ(made->token().prefix(), made->secret().substr(0, 8));
  EXPECT_THAT(made->token().scopes(), ElementsAre(v1::TOKEN_SCOPE_REPLY, v1::TOKEN_SCOPE_READ));
  EXPECT_FALSE(made->token().has_expire_time());

  const auto again = Create(request);
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_EQ(again->secret(), "");
  EXPECT_EQ(again->token().id(), made->token().id());

  EXPECT_EQ(database_.Value("select count(*) from public.tokens where hash = sha256('" + made->secret() + "')"), "1");
  EXPECT_EQ(
      database_.Value("select count(*) from public.tokens t where t::text like '%" + made->secret().substr(8) + "%'"),
      "0");
}

TEST_F(AccessServiceTest, NeverMakesTheSameSecretTwice) {
  std::set<std::string> secrets;
  for (int i = 0; i < 20; ++i) secrets.insert(Create(Wanted("t" + std::to_string(i)))->secret());
  EXPECT_EQ(secrets.size(), 20u);
}

TEST_F(AccessServiceTest, KeepsANameToOneLiveToken) {
  const auto first = Create(Wanted("lab"));
  EXPECT_EQ(Create(Wanted("lab")).status().code(), absl::StatusCode::kAlreadyExists);
  ASSERT_TRUE(Revoke(first->token().id()).ok());
  EXPECT_TRUE(Create(Wanted("lab")).ok());
  database_.Sql("update public.tokens set expires_at = now() - interval '1 second'");
  EXPECT_TRUE(Create(Wanted("lab")).ok());
}

TEST_F(AccessServiceTest, RefusesWhatIsNoToken) {
  const auto field = [&](v1::CreateTokenRequest request) { return rpc::InvalidFieldName(Create(request).status()); };
  v1::CreateTokenRequest request = Wanted("Lab System");
  EXPECT_EQ(field(request), "name");
  request = Wanted("lab");
  request.clear_scopes();
  EXPECT_EQ(field(request), "scopes");
  request = Wanted("lab");
  request.add_scopes(static_cast<v1::TokenScope>(99));
  EXPECT_EQ(field(request), "scopes");
  request = Wanted("lab");
  request.mutable_expire_time()->set_seconds(1);
  EXPECT_EQ(field(request), "expire_time");
  request = Wanted("lab");
  request.set_commit_id("x");
  EXPECT_EQ(field(request), "commit_id");
  request = Wanted("lab");
  request.clear_actor();
  EXPECT_EQ(field(request), "actor.kind");
  request.mutable_actor()->set_kind(v1::ACTOR_KIND_SERVICE);
  request.mutable_actor()->set_id("assistant");
  EXPECT_EQ(Create(request).status().code(), absl::StatusCode::kPermissionDenied);
  EXPECT_EQ(database_.Value("select count(*) from public.tokens"), "0");
}

TEST_F(AccessServiceTest, ChecksLiveTokensAndRefusesTheOthersAlike) {
  const auto made = Create(Wanted("lab"));
  const auto checked = Check(made->secret());
  ASSERT_TRUE(checked.ok()) << checked.status();
  EXPECT_EQ(checked->token().id(), made->token().id());
  EXPECT_GT(checked->cache_ttl().seconds(), 0);
  EXPECT_LE(checked->cache_ttl().seconds(), 5);
  EXPECT_EQ(checked->request_limit().amount(), 100);

  std::string other = made->secret();
  other.back() = other.back() == 'A' ? 'B' : 'A';
  const absl::Status unknown = Check(other).status();
  EXPECT_EQ(unknown.code(), absl::StatusCode::kUnauthenticated);
  for (const std::string& bad : {std::string(), std::string("mdk_"), made->secret() + "x", std::string(47, '\''),
                                 made->token().id(), std::string(100'000, 'x')}) {
    EXPECT_EQ(Check(bad).status(), unknown);
  }
  ASSERT_TRUE(Revoke(made->token().id()).ok());
  EXPECT_EQ(Check(made->secret()).status(), unknown);
  const auto expiring = Create(Wanted("soon"));
  database_.Sql("update public.tokens set expires_at = now() - interval '1 millisecond' where name = 'soon'");
  EXPECT_EQ(Check(expiring->secret()).status(), unknown);
}

TEST_F(AccessServiceTest, ReliesOnAnExpiringTokenNoLongerThanItLives) {
  v1::CreateTokenRequest request = Wanted("brief");
  const std::int64_t now = std::chrono::system_clock::to_time_t(std::chrono::system_clock::now());
  request.mutable_expire_time()->set_seconds(now + 3600);
  const auto made = Create(request);
  ASSERT_TRUE(made.ok()) << made.status();
  EXPECT_EQ(made->token().expire_time().seconds(), now + 3600);
  database_.Sql("update public.tokens set expires_at = now() + interval '2 seconds'");
  const auto checked = Check(made->secret());
  EXPECT_LE(checked.ok() ? checked->cache_ttl().seconds() : 0, 2);
}

TEST_F(AccessServiceTest, RecordsTheLastUseOnceAMinute) {
  const auto made = Create(Wanted("lab"));
  ASSERT_TRUE(Check(made->secret()).ok());
  const std::string first = database_.Value("select last_used_at from public.tokens");
  EXPECT_NE(first, "");
  ASSERT_TRUE(Check(made->secret()).ok());
  EXPECT_EQ(database_.Value("select last_used_at from public.tokens"), first);
  database_.Sql("update public.tokens set last_used_at = last_used_at - interval '61 seconds'");
  ASSERT_TRUE(Check(made->secret()).ok());
  EXPECT_EQ(database_.Value("select last_used_at >= '" + first + "' from public.tokens"), "t");
}

TEST_F(AccessServiceTest, ChecksATokenWhoseRowIsLocked) {
  const auto made = Create(Wanted("lab"));
  pqxx::connection holder(database_.url());
  pqxx::work lock(holder);
  lock.exec("select 1 from public.tokens for update");
  EXPECT_TRUE(Check(made->secret()).ok());  // would wait for the statement timeout
  EXPECT_EQ(database_.Value("select last_used_at is null from public.tokens"), "t");
}

TEST_F(AccessServiceTest, ListsTokensInPagesWithoutSecrets) {
  for (const char* name : {"a", "b", "c"}) ASSERT_TRUE(Create(Wanted(name)).ok());
  ASSERT_TRUE(Revoke(database_.Value("select id from public.tokens where name = 'b'")).ok());
  v1::ListTokensRequest request;
  request.set_page_size(1);
  const auto names = [&] {
    std::string all;
    do {
      const auto page = Run(&AccessService::ListTokens, request);
      EXPECT_TRUE(page.ok()) << page.status();
      if (!page.ok()) return all;
      for (const v1::Token& token : page->tokens()) all += token.name();
      request.set_page_token(page->next_page_token());
    } while (!request.page_token().empty());
    return all;
  };
  EXPECT_EQ(names(), "ca");
  request.set_include_dead(true);
  EXPECT_EQ(names(), "cba");
  for (const char* bad : {"x", "1", "1.", "1.x", "-1.6f1c1f5e-1f0e-4c53-8d3a-2a6d1b7f9c01"}) {
    request.set_page_token(bad);
    EXPECT_EQ(rpc::InvalidFieldName(Run(&AccessService::ListTokens, request).status()), "page_token") << bad;
  }
}

TEST_F(AccessServiceTest, RevokesOnce) {
  const auto made = Create(Wanted("lab"));
  const auto first = Revoke(made->token().id()), again = Revoke(made->token().id());
  ASSERT_TRUE(first.ok() && again.ok());
  EXPECT_EQ(first->token().revoke_time().seconds(), again->token().revoke_time().seconds());
  EXPECT_EQ(first->token().revoke_time().nanos(), again->token().revoke_time().nanos());
  EXPECT_EQ(Revoke(NewUuid()).status().code(), absl::StatusCode::kNotFound);
}

TEST_F(AccessServiceTest, AuditsWhoMadeAndRevokedATokenWithoutItsSecret) {
  const auto made = Create(Wanted("lab"));
  call_.principal.kind = rpc::Principal::Kind::kToken;  // a token acts as itself, whatever its request says
  call_.principal.id = NewUuid();
  ASSERT_TRUE(Revoke(made->token().id()).ok());
  ASSERT_TRUE(Revoke(made->token().id()).ok());
  const pqxx::result rows = database_.Sql("select actor, action, subject_id, detail from public.audit_log order by id");
  ASSERT_EQ(rows.size(), 2u);
  EXPECT_STREQ(rows[0][0].c_str(), "operator");
  EXPECT_STREQ(rows[0][1].c_str(), "token_created");
  EXPECT_STREQ(rows[0][3].c_str(), "lab reply,read");
  EXPECT_EQ(rows[1][0].c_str(), call_.principal.id);
  EXPECT_STREQ(rows[1][1].c_str(), "token_revoked");
  for (const pqxx::row& row : rows) EXPECT_EQ(row[2].c_str(), made->token().id());
}

TEST_F(AccessServiceTest, SetsAndListsLimits) {
  const std::string contact = NewContact();
  EXPECT_EQ(Set(v1::LIMIT_KIND_TURNS, v1::LIMIT_SUBJECT_CONTACT, "", 10, 60)->amount(), 10);
  EXPECT_EQ(Set(v1::LIMIT_KIND_TURNS, v1::LIMIT_SUBJECT_CONTACT, contact, 5, 60, 7)->burst(), 7);
  v1::ListLimitsRequest request;
  request.set_kind(v1::LIMIT_KIND_TURNS);
  request.set_page_size(1);
  auto page = Run(&AccessService::ListLimits, request);
  ASSERT_TRUE(page.ok()) << page.status();
  ASSERT_EQ(page->limits_size(), 1);
  EXPECT_EQ(page->limits(0).subject_id(), "");
  request.set_page_token(page->next_page_token());
  page = Run(&AccessService::ListLimits, request);
  ASSERT_EQ(page->limits_size(), 1);
  EXPECT_EQ(page->limits(0).subject_id(), contact);
  EXPECT_EQ(page->next_page_token(), "");
  // Removing it brings the default back, then none.
  EXPECT_EQ(Set(v1::LIMIT_KIND_TURNS, v1::LIMIT_SUBJECT_CONTACT, contact, 0, 0)->amount(), 10);
  EXPECT_EQ(Set(v1::LIMIT_KIND_TURNS, v1::LIMIT_SUBJECT_CONTACT, "", 0, 0)->amount(), 0);
  EXPECT_EQ(Set(v1::LIMIT_KIND_TURNS, v1::LIMIT_SUBJECT_CONTACT, NewUuid(), 5, 60).status().code(),
            absl::StatusCode::kNotFound);
  EXPECT_FALSE(Set(v1::LIMIT_KIND_TURNS, v1::LIMIT_SUBJECT_ADDRESS, contact, 5, 60).ok());
  EXPECT_FALSE(Set(v1::LIMIT_KIND_TURNS, v1::LIMIT_SUBJECT_CONTACT, "", 5, 0).ok());
}

TEST_F(AccessServiceTest, AnswersARepeatedCommitWithTheFirstOutcome) {
  const std::string commit = NewUuid();
  EXPECT_EQ(Set(v1::LIMIT_KIND_SENDS, v1::LIMIT_SUBJECT_HOSPITAL, "", 10, 60, 0, commit)->amount(), 10);
  EXPECT_EQ(Set(v1::LIMIT_KIND_SENDS, v1::LIMIT_SUBJECT_HOSPITAL, "", 20, 60)->amount(), 20);
  EXPECT_EQ(Set(v1::LIMIT_KIND_SENDS, v1::LIMIT_SUBJECT_HOSPITAL, "", 10, 60, 0, commit)->amount(), 10);
  EXPECT_EQ(database_.Value("select amount from medidesk.limits where subject = 'hospital'"), "20");
}

TEST_F(AccessServiceTest, ChargesEveryLimitOrNone) {
  const std::string contact = NewContact(), other = NewContact();
  EXPECT_TRUE(Consume(Use(1'000'000)).allowed());  // no limit
  ASSERT_TRUE(Set(v1::LIMIT_KIND_TURNS, v1::LIMIT_SUBJECT_HOSPITAL, "", 5, 86'400).ok());
  ASSERT_TRUE(Set(v1::LIMIT_KIND_TURNS, v1::LIMIT_SUBJECT_CONTACT, "", 3, 86'400).ok());
  EXPECT_TRUE(Consume(Use(3, contact)).allowed());
  const v1::ConsumeLimitResponse refused = Consume(Use(1, contact));
  EXPECT_FALSE(refused.allowed());
  EXPECT_EQ(refused.exceeded().subject(), v1::LIMIT_SUBJECT_CONTACT);
  EXPECT_NEAR(static_cast<double>(refused.retry_after().seconds()), 28'800, 60);
  EXPECT_TRUE(Consume(Use(2, other)).allowed());  // the refusal took nothing from the hospital's
  EXPECT_EQ(Consume(Use(1, other)).exceeded().subject(), v1::LIMIT_SUBJECT_HOSPITAL);
  EXPECT_FALSE(Consume(Use(0, other)).allowed());
  EXPECT_FALSE(Consume(Use(0)).allowed());
}

TEST_F(AccessServiceTest, ChargesARepeatedUseOnce) {
  ASSERT_TRUE(Set(v1::LIMIT_KIND_TURNS, v1::LIMIT_SUBJECT_HOSPITAL, "", 2, 86'400).ok());
  const v1::ConsumeLimitRequest use = Use(1);
  for (int i = 0; i < 5; ++i) EXPECT_TRUE(Consume(use).allowed());
  EXPECT_TRUE(Consume(Use(1)).allowed());
  EXPECT_FALSE(Consume(Use(1)).allowed());
  EXPECT_TRUE(Consume(use).allowed());
}

TEST_F(AccessServiceTest, ChargesWhatWasSpentAlreadyWhenForced) {
  ASSERT_TRUE(Set(v1::LIMIT_KIND_TURNS, v1::LIMIT_SUBJECT_HOSPITAL, "", 10, 86'400).ok());
  v1::ConsumeLimitRequest spent = Use(15);
  spent.set_force(true);
  EXPECT_TRUE(Consume(spent).allowed());
  const v1::ConsumeLimitResponse refused = Consume(Use(1));
  EXPECT_FALSE(refused.allowed());
  EXPECT_NEAR(static_cast<double>(refused.retry_after().seconds()), 86'400 * 0.6, 60);
}

TEST_F(AccessServiceTest, RefillsEvenlyUpToTheBurst) {
  ASSERT_TRUE(Set(v1::LIMIT_KIND_TURNS, v1::LIMIT_SUBJECT_HOSPITAL, "", 60, 3'600, 10).ok());
  EXPECT_FALSE(Consume(Use(11)).allowed());
  EXPECT_TRUE(Consume(Use(10)).allowed());
  database_.Sql("update medidesk.limit_levels set at = at - interval '3 minutes'");
  EXPECT_FALSE(Consume(Use(4)).allowed());
  EXPECT_TRUE(Consume(Use(3)).allowed());
  database_.Sql("update medidesk.limit_levels set at = at - interval '1 day'");
  EXPECT_FALSE(Consume(Use(11)).allowed());
  EXPECT_TRUE(Consume(Use(10)).allowed());
}

TEST_F(AccessServiceTest, NeverOverspendsWithManyCallersAtOnce) {
  const std::string contact = NewContact();
  ASSERT_TRUE(Set(v1::LIMIT_KIND_TURNS, v1::LIMIT_SUBJECT_HOSPITAL, "", 20, 2'600'000).ok());
  ASSERT_TRUE(Set(v1::LIMIT_KIND_TURNS, v1::LIMIT_SUBJECT_CONTACT, "", 12, 2'600'000).ok());
  std::vector<std::future<absl::StatusOr<v1::ConsumeLimitResponse>>> calls;
  std::vector<v1::ConsumeLimitRequest> requests;
  for (int i = 0; i < 60; ++i) requests.push_back(Use(1, i % 2 == 0 ? contact : ""));
  for (const auto& request : requests) {
    calls.push_back(asio::co_spawn(io_.executor(), service_.ConsumeLimit(call_, request), asio::use_future));
  }
  int allowed = 0;
  for (auto& call : calls) {
    const auto response = call.get();
    ASSERT_TRUE(response.ok()) << response.status();
    allowed += response->allowed() ? 1 : 0;
  }
  EXPECT_EQ(allowed, 20);
}

TEST_F(AccessServiceTest, ForgetsOldOutcomes) {
  ASSERT_TRUE(Set(v1::LIMIT_KIND_TURNS, v1::LIMIT_SUBJECT_HOSPITAL, "", 1'000, 60).ok());
  database_.Sql("update medidesk.limit_commits set at = now() - interval '2 hours'");
  EXPECT_TRUE(Consume(Use(1)).allowed());
  EXPECT_EQ(database_.Value("select count(*) from medidesk.limit_commits"), "1");
}

}  // namespace
}  // namespace medidesk::store
