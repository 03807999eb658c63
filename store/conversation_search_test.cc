// The list of conversations: filters, search, pages, and the indexes that serve them.
#include <gmock/gmock.h>

#include <set>

#include "store/testing/store_fixture.h"

namespace medidesk::store {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

class ConversationSearchTest : public testing::StoreFixture {
 protected:
  v1::ListConversationsResponse List(const v1::ListConversationsRequest& request) {
    auto response = Wait(conversations_.ListConversations(call_, request));
    EXPECT_TRUE(response.ok()) << Text(response.status());
    return response.value_or(v1::ListConversationsResponse());
  }
  std::vector<std::string> Names(const std::string& query) {
    v1::ListConversationsRequest request;
    request.set_query(query);
    std::vector<std::string> names;
    const auto response = List(request);
    for (const auto& conversation : response.conversations()) names.push_back(conversation.patient_name());
    return names;
  }
  // Many conversations, made past the triggers that a message would pay.
  void Fill(int count) {
    database_.Sql(
        "set session_replication_role = replica; "
        "insert into contacts (id, phone) select gen_random_uuid(), '+1556' || lpad(n::text, 7, '0') from "
        "generate_series(1, " +
        std::to_string(count) +
        ") n; "
        "insert into conversations (phone, patient_name, contact_id, number_id, activity_minute, status) "
        "select phone, 'Person ' || substr(md5(phone), 1, 8), id, medidesk.webhook_number(''), "
        "date_trunc('minute', now()) - make_interval(mins => substr(phone, 6)::int % 5000), "
        "case substr(phone, 6)::int % 1000 when 0 then 'human_takeover' else 'active' end from contacts where "
        "phone like '+1556%'; "
        "insert into medidesk.conversation_words select id, lower(coalesce(patient_name, '')) || e'\\n' || "
        "substr(phone, 2) "
        "from conversations on conflict do nothing; "
        "set session_replication_role = origin; analyze");
  }
  std::string Plan(const std::string& where) {
    std::string plan;
    for (const pqxx::row row :
         database_.Sql("explain select c.id from conversations c where c.merged_into is null and " + where +
                       " order by c.activity_minute desc, c.id desc limit 50")) {
      plan += row[0].c_str() + std::string("\n");
    }
    return plan;
  }
};

TEST_F(ConversationSearchTest, FindsByPartOfNameAndDigits) {
  Accept("a", "+15550100001", "Asha Verma");
  Accept("b", "+15550100002", "Bina_100%");
  Accept("c", "+15550199999");
  EXPECT_THAT(Names("VERM"), ElementsAre("Asha Verma"));
  EXPECT_THAT(Names("0100002"), ElementsAre("Bina_100%"));
  EXPECT_THAT(Names("+1 (555) 010-0001"), ElementsAre("Asha Verma"));
  EXPECT_THAT(Names("_100%"), ElementsAre("Bina_100%"));
  EXPECT_THAT(Names("%"), ElementsAre("Bina_100%"));
  EXPECT_THAT(Names("a"), SizeIs(2));
  EXPECT_THAT(Names("' or true --"), IsEmpty());
  EXPECT_THAT(Names("nobody"), IsEmpty());
}

TEST_F(ConversationSearchTest, FindsByTheNameAsItIsNow) {
  v1::UpdateConversationRequest rename;
  rename.set_conversation_id(Accept("a", "+15550100001", "Asha Verma").conversation_id());
  rename.set_patient_name("Asha Rao");
  ASSERT_TRUE(Wait(conversations_.UpdateConversation(call_, rename)).ok());
  EXPECT_THAT(Names("verma"), IsEmpty());
  EXPECT_THAT(Names("rao"), ElementsAre("Asha Rao"));
}

TEST_F(ConversationSearchTest, JoinsFilters) {
  const std::string staff = NewUuid();
  const v1::Turn one = Accept("a", "+15550100001", "Asha Verma"), two = Accept("b", "+15550100002", "Asha Rao");
  v1::AssignConversationRequest assign;
  assign.set_conversation_id(two.conversation_id());
  assign.set_staff_id(staff);
  ASSERT_TRUE(Wait(conversations_.AssignConversation(call_, assign)).ok());
  v1::ListConversationsRequest request;
  request.set_query("asha");
  EXPECT_THAT(List(request).conversations(), SizeIs(2));
  request.set_assigned_to(staff);
  ASSERT_THAT(List(request).conversations(), SizeIs(1));
  const std::string number = List(request).conversations(0).number_id();
  request.set_number_id(number);
  request.set_status(v1::CONVERSATION_STATUS_ACTIVE);
  EXPECT_THAT(List(request).conversations(), SizeIs(1));
  request.set_status(v1::CONVERSATION_STATUS_ARCHIVED);
  EXPECT_THAT(List(request).conversations(), IsEmpty());
  request.set_number_id("not an id");
  EXPECT_EQ(rpc::InvalidFieldName(Wait(conversations_.ListConversations(call_, request)).status()), "number_id");
}

TEST_F(ConversationSearchTest, ShowsEachConversationOnceOverAllPages) {
  Fill(250);
  v1::ListConversationsRequest request;
  request.set_page_size(40);
  request.set_query("person");
  std::set<std::string> seen;
  std::int64_t last = INT64_MAX;
  do {
    const auto page = List(request);
    for (const auto& conversation : page.conversations()) {
      EXPECT_TRUE(seen.insert(conversation.id()).second) << "shown twice";
      last = std::min(last, conversation.update_time().seconds());
    }
    request.set_page_token(page.next_page_token());
  } while (!request.page_token().empty());
  EXPECT_THAT(seen, SizeIs(250));
}

TEST_F(ConversationSearchTest, IsServedByIndexes) {
  Accept("a");
  Fill(20'000);
  EXPECT_THAT(Plan("true"), HasSubstr("conversations_activity"));
  EXPECT_THAT(Plan("c.status = 'human_takeover'"), HasSubstr("conversations_status"));
  EXPECT_THAT(Plan("regexp_replace(c.phone, '[^0-9]', '', 'g') = '15560000007'"), HasSubstr("conversations_digits"));
  if (database_.Value<int>("select count(*) from pg_extension where extname = 'pg_trgm'") == 0)
    GTEST_SKIP() << "no pg_trgm";
  EXPECT_THAT(
      Plan("c.id in (select w.conversation_id from medidesk.conversation_words w where w.words like '%person 3f1%')"),
      HasSubstr("conversation_words_trigrams"));
  // A turn is read along its conversation, however many messages there are.
  std::string plan;
  const char* const history =
      "set enable_seqscan = off; explain select content from messages where conversation_id = "
      "'0190a000-0000-7000-8000-000000000001' order by seq desc limit 20";
  for (const pqxx::row row : database_.Sql(history)) {
    plan += row[0].c_str();
  }
  EXPECT_THAT(plan, HasSubstr("messages_order"));
}

}  // namespace
}  // namespace medidesk::store
