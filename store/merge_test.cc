// A phone number and a hidden id turn out to be one person: what becomes of both contacts' conversations and turns.
#include <gtest/gtest.h>

#include "store/testing/device_batch_fixture.h"

namespace medidesk::store {
namespace {

using testing::DeviceBatchTest;

class MergeTest : public DeviceBatchTest {
 protected:
  static constexpr char kPhone[] = "+15550100001", kLid[] = "777";

  // Of a patient who shows no phone number.
  v1::AcceptResult AcceptByLid(const std::string& text, const std::string& id) {
    return Accept(text, id, [](v1::AcceptOperation* accept) {
      accept->mutable_contact()->clear_phone();
      accept->mutable_contact()->set_lid(kLid);
    });
  }
  v1::AcceptResult AcceptWithBoth(const std::string& text, const std::string& id) {
    return Accept(text, id, [](v1::AcceptOperation* accept) { accept->mutable_contact()->set_lid(kLid); });
  }
  v1::LearnContactResult Learn(const std::string& phone = kPhone, const std::string& lid = kLid) {
    v1::CommitBatchRequest batch = Batch(lease_);
    v1::PhoneContact* contact = batch.add_operations()->mutable_learn_contact()->mutable_contact();
    contact->set_phone(phone);
    contact->set_lid(lid);
    const auto response = Commit(lease_, batch);
    return response.results_size() == 1 ? response.results(0).learn_contact() : v1::LearnContactResult();
  }
  std::string Turn(const std::string& id) {
    return database_.Value("select concat_ws(':', state, skip_reason) from turns where id = '" + id + "'");
  }
  std::string Texts(const std::string& turn_id) {
    return database_.Value(
        "select coalesce(string_agg(content, '|' order by seq), '') from messages where turn_id = '" + turn_id + "'");
  }
};

TEST_F(MergeTest, JoinsTheOpenTurns) {
  const auto by_lid = AcceptByLid("by hidden id", "m1");
  const auto by_phone = Accept("by number", "m2");
  EXPECT_NE(by_lid.conversation_id(), by_phone.conversation_id());
  EXPECT_EQ(Learn().merged_contact_ids_size(), 1);
  EXPECT_EQ(Turn(by_lid.turn().id()), "open") << "the older conversation's";
  EXPECT_EQ(Turn(by_phone.turn().id()), "skipped:duplicate");
  EXPECT_EQ(AcceptWithBoth("with both", "m3").turn().id(), by_lid.turn().id());
  EXPECT_EQ(Texts(by_lid.turn().id()), "by hidden id|by number|with both");
  EXPECT_EQ(database_.Value("select string_agg(distinct conversation_id::text, ' ') from messages"),
            by_lid.conversation_id());
}

TEST_F(MergeTest, AnAnswerInTheMakingIsStillTheTurnsReply) {
  Accept("by number", "m1");
  const auto by_lid = AcceptByLid("by hidden id", "m2");
  database_.Sql("update turns set state = 'sealed', claim_until = clock_timestamp() + interval '5 seconds'");
  const std::string claim = database_.Value("select claim_until from turns where id = '" + by_lid.turn().id() + "'");
  Learn();
  EXPECT_EQ(database_.Value("select claim_until from turns where id = '" + by_lid.turn().id() + "'"), claim);
  const auto next = AcceptWithBoth("and one thing more", "m3");
  EXPECT_NE(next.turn().id(), by_lid.turn().id()) << "a sealed turn gains nothing";
  const std::string reply = Reply(by_lid.turn().id());
  EXPECT_EQ(Turn(by_lid.turn().id()), "answered");
  EXPECT_EQ(Send(reply).outcome(), v1::OUTBOUND_OUTCOME_SEND);
  EXPECT_EQ(database_.Value("select count(distinct conversation_id) from (select conversation_id from turns union all "
                            "select conversation_id from replies union all select conversation_id from messages) x"),
            "1");
}

TEST_F(MergeTest, TheStricterStatusHoldsForBoth) {
  const auto by_lid = AcceptByLid("by hidden id", "m1");
  const auto by_phone = Accept("by number", "m2");
  const std::string reply = Reply(by_lid.turn().id());
  SetTakeover(by_phone.conversation_id(), true);
  Learn();
  EXPECT_EQ(database_.Value("select string_agg(status, ' ') from conversations where merged_into is null"),
            "human_takeover");
  EXPECT_EQ(Send(reply).outcome(), v1::OUTBOUND_OUTCOME_DISCARDED);
  EXPECT_FALSE(AcceptWithBoth("again", "m3").has_turn());
}

TEST_F(MergeTest, OfTwoCopiesTheAnsweredOneStays) {
  const auto by_lid = AcceptByLid("hello", "same");
  const auto by_phone = Accept("hello", "same");
  Reply(by_phone.turn().id());
  Learn();
  EXPECT_EQ(Turn(by_lid.turn().id()), "skipped:duplicate") << "though it is the older one";
  EXPECT_EQ(Turn(by_phone.turn().id()), "answered");
  const auto again = AcceptWithBoth("hello", "same");
  EXPECT_TRUE(again.duplicate());
  EXPECT_EQ(again.turn().id(), by_phone.turn().id());
}

TEST_F(MergeTest, ANumberWithAnotherHiddenIdMayBeAnotherPerson) {
  const auto first = AcceptWithBoth("hello", "m1");
  EXPECT_EQ(Learn(kPhone, "888").merged_contact_ids_size(), 0);
  EXPECT_EQ(database_.Value("select coalesce(phone, '-') || ' ' || lid from contacts where id = '" +
                            first.turn().contact_id() + "'"),
            "- 777");
  const auto second = Accept("hello", "m2", [](auto* accept) { accept->mutable_contact()->set_lid("888"); });
  EXPECT_NE(second.conversation_id(), first.conversation_id());
  EXPECT_EQ(Turn(first.turn().id()), "open");
}

}  // namespace
}  // namespace medidesk::store
