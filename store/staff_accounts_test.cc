// Accounts, invitations and sessions of staff over a real PostgreSQL.
#include "store/staff_accounts.h"

#include <gmock/gmock.h>

#include <utility>

#include "base/rpc/error_details.h"
#include "store/password.h"
#include "store/testing/store_fixture.h"

namespace medidesk::store {
namespace {

using absl::StatusCode;
using ::testing::SizeIs;

constexpr char kPassword[] = "brown lamp river seven";

class StaffAccountsTest : public testing::StoreFixture {
 protected:
  StaffAccountsTest() : accounts_(pool_) {}

  struct Made {
    v1::Staff staff;
    std::string invitation;
  };
  absl::StatusOr<v1::CreateStaffResponse> TryCreate(const std::string& email, v1::StaffRole role,
                                                    const v1::Actor& actor, const std::string& commit = NewUuid()) {
    v1::CreateStaffRequest request;
    request.set_commit_id(commit);
    request.mutable_staff()->set_email(email);
    request.mutable_staff()->set_name("Person " + email.substr(0, email.find('@')));
    request.mutable_staff()->set_role(role);
    *request.mutable_actor() = actor;
    return Wait(accounts_.CreateStaff(call_, request));
  }
  Made Create(const std::string& email, v1::StaffRole role) {
    auto made = TryCreate(email, role, Operator());
    EXPECT_TRUE(made.ok()) << Text(made.status());
    return made.ok() ? Made{made->staff(), made->invitation()} : Made{};
  }
  absl::StatusOr<v1::SetPasswordResponse> Accept(const std::string& invitation, const std::string& password,
                                                 const std::string& email = "") {
    v1::SetPasswordRequest request;
    request.set_invitation(invitation);
    request.set_new_password(password);
    request.set_email(email);
    request.set_address("192.0.2.7");
    return Wait(accounts_.SetPassword(call_, request));
  }
  v1::Staff Ready(const std::string& email, v1::StaffRole role) {
    const Made made = Create(email, role);
    const auto accepted = Accept(made.invitation, kPassword);
    EXPECT_TRUE(accepted.ok()) << Text(accepted.status());
    return accepted.ok() ? accepted->staff() : v1::Staff();
  }
  absl::StatusOr<v1::LoginResponse> Login(const std::string& email, const std::string& password,
                                          const std::string& address = "192.0.2.7") {
    v1::LoginRequest request;
    request.mutable_password()->set_email(email);
    request.mutable_password()->set_password(password);
    request.set_address(address);
    return Wait(accounts_.Login(call_, request));
  }
  absl::StatusOr<v1::CheckSessionResponse> Check(const std::string& session, const std::string& csrf = "") {
    v1::CheckSessionRequest request;
    request.set_session(session);
    request.set_csrf_token(csrf);
    return Wait(accounts_.CheckSession(call_, request));
  }
  absl::StatusOr<v1::UpdateStaffResponse> Update(const v1::Staff& staff, std::vector<std::string> fields,
                                                 const v1::Actor& actor) {
    v1::UpdateStaffRequest request;
    request.set_commit_id(NewUuid());
    *request.mutable_staff() = staff;
    for (std::string& field : fields) request.mutable_update_mask()->add_paths(std::move(field));
    *request.mutable_actor() = actor;
    return Wait(accounts_.UpdateStaff(call_, request));
  }

  StaffAccounts accounts_;
};

TEST_F(StaffAccountsTest, AnInvitationSetsOnePasswordAndIsGone) {
  const Made made = Create("Anna@Example.org ", v1::STAFF_ROLE_AGENT);
  EXPECT_EQ(made.staff.email(), "anna@example.org");
  EXPECT_TRUE(made.staff.invited());
  EXPECT_THAT(made.invitation, SizeIs(43));
  EXPECT_EQ(Login("anna@example.org", "").status().code(), StatusCode::kUnauthenticated);
  EXPECT_EQ(Accept("A" + made.invitation.substr(1), kPassword).status().code(), StatusCode::kUnauthenticated);
  const auto accepted = Accept(made.invitation, kPassword, "anna@hospital.example");
  ASSERT_TRUE(accepted.ok()) << Text(accepted.status());
  EXPECT_EQ(accepted->staff().email(), "anna@hospital.example");
  EXPECT_FALSE(accepted->staff().invited());
  EXPECT_EQ(Accept(made.invitation, "another long password").status().code(), StatusCode::kUnauthenticated);
  EXPECT_TRUE(Login("ANNA@hospital.example", kPassword).ok());
}

TEST_F(StaffAccountsTest, RefusesPasswordsThatAreGuessedFirst) {
  const Made made = Create("margaret@example.org", v1::STAFF_ROLE_AGENT);
  for (const char* weak :
       {"short", "password1234", "aaaaaaaaaaaaaa", "abcdefghijklmn", "margaret2024", "ababababababab"}) {
    const auto refused = Accept(made.invitation, weak);
    EXPECT_EQ(refused.status().code(), StatusCode::kInvalidArgument) << weak;
    EXPECT_EQ(rpc::Reason(refused.status()), "WEAK_PASSWORD") << weak;
  }
  EXPECT_TRUE(Accept(made.invitation, kPassword).ok());
}

TEST_F(StaffAccountsTest, ASessionIsNewWithEveryLoginAndEndsWithLogout) {
  Ready("ben@example.org", v1::STAFF_ROLE_VIEWER);
  const auto first = Login("ben@example.org", kPassword), second = Login("ben@example.org", kPassword);
  ASSERT_TRUE(first.ok() && second.ok());
  EXPECT_NE(first->session(), second->session());
  const auto checked = Check(first->session(), first->csrf_token());
  ASSERT_TRUE(checked.ok()) << Text(checked.status());
  EXPECT_EQ(checked->staff().role(), v1::STAFF_ROLE_VIEWER);
  EXPECT_EQ(checked->csrf_token(), first->csrf_token());
  EXPECT_EQ(Check(first->session(), second->csrf_token()).status().code(), StatusCode::kPermissionDenied);
  EXPECT_EQ(Check(std::string(43, 'A')).status().code(), StatusCode::kUnauthenticated);
  EXPECT_EQ(Check("' or 1=1 --").status().code(), StatusCode::kUnauthenticated);
  v1::LogoutRequest logout;
  logout.set_session(first->session());
  EXPECT_EQ(Wait(accounts_.Logout(call_, logout))->ended_count(), 1);
  EXPECT_EQ(Wait(accounts_.Logout(call_, logout))->ended_count(), 0);
  EXPECT_FALSE(Check(first->session()).ok());
  EXPECT_TRUE(Check(second->session()).ok());
  EXPECT_EQ(database_.Value<int>("select count(*) from medidesk.sessions where encode(hash, 'escape') like '%" +
                                 second->session().substr(0, 8) + "%'"),
            0);
}

TEST_F(StaffAccountsTest, FiveFailuresLockTheAccountAndTwentyTheAddress) {
  Ready("carla@example.org", v1::STAFF_ROLE_AGENT);
  for (int i = 0; i < 5; ++i) {
    EXPECT_EQ(Login("carla@example.org", "wrong wrong wrong").status().code(), StatusCode::kUnauthenticated) << i;
  }
  const auto locked = Login("carla@example.org", kPassword, "192.0.2.99");
  EXPECT_EQ(locked.status().code(), StatusCode::kResourceExhausted);
  EXPECT_EQ(rpc::Reason(locked.status()), "LOCKED_OUT");
  const auto delay = rpc::RetryDelay(locked.status());
  ASSERT_TRUE(delay.has_value());
  EXPECT_GT(*delay, std::chrono::seconds(30));
  EXPECT_LE(*delay, std::chrono::seconds(61));
  // The lock passes, and the next failure locks for twice as long.
  database_.Sql("update medidesk.login_tries set locked_until = now() where subject = 'account:carla@example.org'");
  EXPECT_FALSE(Login("carla@example.org", "wrong wrong wrong").ok());
  EXPECT_GT(*rpc::RetryDelay(Login("carla@example.org", kPassword).status()), std::chrono::seconds(100));
  // An unknown account is locked like a known one, so that nobody learns which is which.
  for (int i = 0; i < 5; ++i) {
    EXPECT_EQ(Login("nobody@example.org", "wrong wrong wrong").status().code(), StatusCode::kUnauthenticated);
  }
  EXPECT_EQ(Login("nobody@example.org", "wrong wrong wrong").status().code(), StatusCode::kResourceExhausted);
  for (int i = 0; i < 20; ++i) {
    EXPECT_FALSE(Login("u" + std::to_string(i) + "@example.org", "wrong wrong wrong", "198.51.100.1").ok());
  }
  EXPECT_EQ(Login("new@example.org", "wrong wrong wrong", "198.51.100.1").status().code(),
            StatusCode::kResourceExhausted);
  EXPECT_GE(database_.Value<int>("select count(*) from audit_log where action = 'login' and outcome = 'denied'"), 20);
}

TEST_F(StaffAccountsTest, SuccessForgivesEarlierFailures) {
  Ready("dora@example.org", v1::STAFF_ROLE_AGENT);
  for (int round = 0; round < 3; ++round) {
    for (int i = 0; i < 4; ++i) EXPECT_FALSE(Login("dora@example.org", "wrong wrong wrong").ok());
    EXPECT_TRUE(Login("dora@example.org", kPassword).ok()) << round;
  }
}

TEST_F(StaffAccountsTest, OnlyAnAdminManagesAccounts) {
  const v1::Staff admin = Ready("eva@example.org", v1::STAFF_ROLE_ADMIN);
  v1::Staff agent = Ready("finn@example.org", v1::STAFF_ROLE_AGENT);
  EXPECT_EQ(TryCreate("x@example.org", v1::STAFF_ROLE_ADMIN, Staff(agent.id())).status().code(),
            StatusCode::kPermissionDenied);
  EXPECT_EQ(TryCreate("x@example.org", v1::STAFF_ROLE_ADMIN, Service()).status().code(), StatusCode::kPermissionDenied);
  EXPECT_TRUE(TryCreate("y@example.org", v1::STAFF_ROLE_VIEWER, Staff(admin.id())).ok());
  EXPECT_EQ(TryCreate("Y@example.org", v1::STAFF_ROLE_VIEWER, Staff(admin.id())).status().code(),
            StatusCode::kAlreadyExists);
  agent.set_role(v1::STAFF_ROLE_ADMIN);
  agent.clear_etag();
  EXPECT_EQ(Update(agent, {"role"}, Staff(agent.id())).status().code(), StatusCode::kPermissionDenied);
  agent.set_name("Finn the Second");
  EXPECT_TRUE(Update(agent, {"name"}, Staff(agent.id())).ok());
  v1::Staff other = admin;
  other.clear_etag();
  other.set_name("Mallory");
  EXPECT_EQ(Update(other, {"name"}, Staff(agent.id())).status().code(), StatusCode::kPermissionDenied);
}

TEST_F(StaffAccountsTest, ADisabledAccountLosesItsSessionsAndTheLastAdminStays) {
  v1::Staff admin = Ready("gina@example.org", v1::STAFF_ROLE_ADMIN);
  v1::Staff agent = Ready("hans@example.org", v1::STAFF_ROLE_AGENT);
  const auto session = Login("hans@example.org", kPassword);
  ASSERT_TRUE(session.ok());
  agent.clear_etag();
  agent.set_disabled(true);
  EXPECT_TRUE(Update(agent, {"disabled"}, Staff(admin.id())).ok());
  EXPECT_FALSE(Check(session->session()).ok());
  EXPECT_EQ(Login("hans@example.org", kPassword).status().code(), StatusCode::kUnauthenticated);
  admin.clear_etag();
  admin.set_disabled(true);
  EXPECT_EQ(rpc::Reason(Update(admin, {"disabled"}, Staff(admin.id())).status()), "LAST_ADMIN");
  admin.set_disabled(false);
  admin.set_role(v1::STAFF_ROLE_VIEWER);
  EXPECT_EQ(rpc::Reason(Update(admin, {"role"}, Operator()).status()), "LAST_ADMIN");
  admin.set_etag("77");
  EXPECT_EQ(Update(admin, {"name"}, Operator()).status().code(), StatusCode::kAborted);
}

TEST_F(StaffAccountsTest, ANewPasswordNeedsTheOldOneAndEndsOtherSessions) {
  Ready("ida@example.org", v1::STAFF_ROLE_AGENT);
  const auto here = Login("ida@example.org", kPassword), there = Login("ida@example.org", kPassword);
  v1::SetPasswordRequest request;
  request.set_session(here->session());
  request.set_old_password("not the old one");
  request.set_new_password("green door nine clouds");
  request.set_address("192.0.2.7");
  EXPECT_EQ(Wait(accounts_.SetPassword(call_, request)).status().code(), StatusCode::kUnauthenticated);
  request.set_old_password(kPassword);
  EXPECT_TRUE(Wait(accounts_.SetPassword(call_, request)).ok());
  EXPECT_TRUE(Check(here->session()).ok());
  EXPECT_FALSE(Check(there->session()).ok());
  EXPECT_FALSE(Login("ida@example.org", kPassword).ok());
}

TEST_F(StaffAccountsTest, ASupabaseSubjectOpensItsOwnAccountOnly) {
  const v1::Staff staff = Create("jan@example.org", v1::STAFF_ROLE_AGENT).staff;
  v1::LoginRequest request;
  request.set_address("192.0.2.7");
  request.set_verified_subject(staff.id());
  const auto session = Wait(accounts_.Login(call_, request));
  ASSERT_TRUE(session.ok()) << Text(session.status());
  EXPECT_EQ(session->staff().id(), staff.id());
  request.set_verified_subject(NewUuid());
  EXPECT_EQ(Wait(accounts_.Login(call_, request)).status().code(), StatusCode::kUnauthenticated);
}

TEST_F(StaffAccountsTest, ListsByNameAPageAtATime) {
  for (const char* email : {"zoe@example.org", "ann@example.org", "mia@example.org"})
    Create(email, v1::STAFF_ROLE_AGENT);
  v1::ListStaffRequest request;
  request.set_page_size(2);
  const auto first = Wait(accounts_.ListStaff(call_, request));
  ASSERT_TRUE(first.ok()) << Text(first.status());
  ASSERT_THAT(first->staff(), SizeIs(2));
  EXPECT_EQ(first->staff(0).email(), "ann@example.org");
  request.set_page_token(first->next_page_token());
  const auto second = Wait(accounts_.ListStaff(call_, request));
  ASSERT_THAT(second->staff(), SizeIs(1));
  EXPECT_EQ(second->staff(0).email(), "zoe@example.org");
}

TEST(Password, MatchesItsOwnHashAlone) {
  const std::string hash = HashPassword(kPassword);
  EXPECT_TRUE(PasswordMatches(hash, kPassword));
  EXPECT_FALSE(PasswordMatches(hash, "brown lamp river sevem"));
  EXPECT_NE(hash, HashPassword(kPassword));
  for (const char* broken : {"", "-", "scrypt$15$8$1$00$00", "scrypt$99$8$1$00$00", "plain"}) {
    EXPECT_FALSE(PasswordMatches(broken, kPassword));
  }
}

}  // namespace
}  // namespace medidesk::store
