// Quiet takeovers that go back to the assistant (0018), over a real PostgreSQL.
#include <gtest/gtest.h>
#include <pqxx/pqxx>

#include <chrono>
#include <string>
#include <thread>

#include "store/maintenance.h"
#include "store/testing/store_fixture.h"

namespace medidesk::store {
namespace {

using namespace std::chrono_literals;

// Takes a conversation of its own over for `reason`, `minutes` ago, with nothing said since.
class QuietReturnTest : public testing::StoreFixture {
 protected:
  std::string TakenOver(const std::string& reason, int minutes, const std::string& phone = "+15550100001") {
    const std::string id = Accept("hello", phone).conversation_id();
    database_.Sql("select medidesk.set_takeover('" + id + "', true, null, '" + reason + "', null)");
    const std::string then = "now() - interval '" + std::to_string(minutes) + " minutes'";
    database_.Sql("update contacts set takeover_at = " + then + " where phone = '" + phone + "'");
    database_.Sql("update conversations set activity_minute = date_trunc('minute', " + then + ") where id = '" + id +
                  "'");
    return id;
  }
  bool Return() { return database_.Value<bool>("select medidesk.return_quiet(30)"); }
  std::string Status(const std::string& id) {
    return database_.Value("select status from conversations where id = '" + id + "'");
  }
};

TEST_F(QuietReturnTest, GivesQuietConversationsBackOneByOne) {
  const std::string staff = TakenOver("staff", 40), phone = TakenOver("phone", 50, "+15550100002"),
                    asked = TakenOver("handover:complaint", 45, "+15550100003");
  EXPECT_TRUE(Return());
  EXPECT_EQ(Status(phone), "active") << "the longest taken over first";
  EXPECT_EQ(Status(staff), "human_takeover");
  EXPECT_TRUE(Return());
  EXPECT_TRUE(Return());
  EXPECT_FALSE(Return());
  EXPECT_EQ(Status(staff), "active");
  EXPECT_EQ(Status(asked), "active");
  EXPECT_EQ(
      database_.Value<int>("select count(*) from contacts where status = 'active' and handback_at is not null and "
                           "takeover_reason is null"),
      3);
  EXPECT_EQ(database_.Value<int>("select count(*) from audit_log where action = 'hand_back' and detail = 'quiet'"), 3);
  EXPECT_EQ(Accept("hello again").state(), v1::TURN_STATE_SEALED);
}

TEST_F(QuietReturnTest, LeavesWhatIsNotQuietOrNotForAMachine) {
  const std::string fresh = TakenOver("staff", 20), spoke = TakenOver("staff", 40, "+15550100002");
  Accept("are you there?", "+15550100002");
  int number = 10;
  for (const char* reason : {"emergency:chest_pain", "threat", "handover:loop", "handover:rate_limit", "wrong_number",
                             "abuse", "legacy", "emergency:self_harm"}) {
    TakenOver(reason, 400, "+155501000" + std::to_string(number++));
  }
  EXPECT_FALSE(Return());
  EXPECT_EQ(database_.Value<int>("select count(*) from contacts where status = 'human_takeover'"), 10);
}

TEST_F(QuietReturnTest, LeavesAPatientForWhomStaffHasNotBeenThere) {
  const std::string id = TakenOver("human_request", 40);
  database_.Sql("insert into tasks (conversation_id, reason) values ('" + id + "', 'human_request')");
  EXPECT_FALSE(Return()) << "somebody is waited for";
  database_.Sql(
      "insert into messages (conversation_id, contact_id, sender, content, direction, from_me, whatsapp_message_id, "
      "created_at) select id, contact_id, 'staff', 'we called you', 'sent', true, 'reply:s', now() - interval '35 "
      "minutes' from conversations");
  database_.Sql("insert into tasks (conversation_id, reason, urgent) values ('" + id + "', 'emergency:stroke', true)");
  EXPECT_FALSE(Return()) << "an emergency is open";
  database_.Sql("update tasks set state = 'done' where urgent");
  EXPECT_TRUE(Return());
  EXPECT_EQ(Status(id), "active");
}

TEST_F(QuietReturnTest, DoesNotWaitForAConversationThatSomebodyIsBusyWith) {
  TakenOver("staff", 40);
  const std::string other = TakenOver("staff", 35, "+15550100002");
  pqxx::connection busy(database_.url());
  pqxx::work work(busy);
  work.exec("select 1 from conversations where phone = '+15550100001' for update");
  EXPECT_TRUE(Return());
  EXPECT_EQ(Status(other), "active");
  EXPECT_FALSE(Return());
}

TEST_F(QuietReturnTest, HappensByItselfWhenAsked) {
  TakenOver("staff", 40);
  TakenOver("staff", 40, "+15550100002");
  Maintenance maintenance({.url = Phi(database_.url()),
                           .migrate_url = Phi(database_.url()),
                           .seal = 10ms,
                           .takeover_quiet_minutes = 30,
                           .quiet = 10ms},
                          metrics_);
  const auto deadline = std::chrono::steady_clock::now() + 60s;
  const char* taken = "select count(*) from contacts where status = 'human_takeover'";
  while (database_.Value<int>(taken) > 0 && std::chrono::steady_clock::now() < deadline) {
    std::this_thread::sleep_for(5ms);
  }
  EXPECT_EQ(database_.Value<int>(taken), 0);
}

}  // namespace
}  // namespace medidesk::store
