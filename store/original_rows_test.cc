// Rows that the original wrote, in the odd shapes that years of use leave behind, on a plain database.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "store/testing/supabase_database.h"

namespace medidesk::store {
namespace {

using testing::AnswerOneMessage;
using testing::TestDatabase;

class OriginalRows : public ::testing::Test {
 protected:
  // The original's tables without a single key or rule beyond the ids, as somebody may have made them by hand.
  static constexpr const char* kBareTables = R"(
    create table conversations (id uuid primary key, phone text, patient_name text, status text, assigned_to uuid,
      created_at timestamptz, updated_at timestamptz);
    create table messages (id uuid primary key, conversation_id uuid, sender text, content text, direction text,
      whatsapp_message_id text, created_at timestamptz);
    create table patients (id uuid primary key, name text, phone text unique, email text, created_at timestamptz);)";

  // Every migration, and each once more by hand.
  void Adopt(const std::string& tables, const std::string& rows) {
    database_.Sql(tables + rows);
    const absl::Status status = Migrate(Phi(database_.url()), EmbeddedMigrations());
    ASSERT_TRUE(status.ok()) << status;
    for (const Migration& migration : EmbeddedMigrations()) {
      ASSERT_NO_THROW(database_.Sql("begin; " + std::string(migration.sql) + "; commit")) << migration.name;
    }
    const absl::Status answered = AnswerOneMessage(database_.url());
    EXPECT_TRUE(answered.ok()) << answered;
  }
  std::string ConversationOf(const std::string& content) {
    return database_.Value(
        "select c.phone from conversations c join messages m on m.conversation_id = c.id where m.content = '" +
        content + "'");
  }

  TestDatabase database_{/*migrate=*/false};
};

TEST_F(OriginalRows, KeepMessagesWhoseConversationIsGone) {
  Adopt(kBareTables, R"(
    insert into conversations (id, phone) values ('00000000-0000-0000-0000-000000000001', '+1 555 010 0001');
    insert into messages (id, conversation_id, sender, content) values
      (gen_random_uuid(), '00000000-0000-0000-0000-0000000000aa', '15550100009', 'gone'),
      (gen_random_uuid(), '00000000-0000-0000-0000-0000000000aa', 'assistant', 'gone too'),
      (gen_random_uuid(), null, '15550100001', 'known writer'),
      (gen_random_uuid(), null, '15550100002', 'new writer'),
      (gen_random_uuid(), null, '+15550100002', 'same writer'),
      (gen_random_uuid(), null, null, 'nobody'),
      (gen_random_uuid(), null, 'assistant', 'nobody either'))");
  EXPECT_EQ(database_.Value<int>("select count(*) from messages where content not in ('hello', 'hi')"), 7)
      << "none is lost";
  EXPECT_EQ(ConversationOf("gone"), "15550100009");
  EXPECT_EQ(ConversationOf("gone too"), "15550100009");
  EXPECT_EQ(ConversationOf("known writer"), "+1 555 010 0001");
  EXPECT_EQ(ConversationOf("same writer"), ConversationOf("new writer"));
  EXPECT_EQ(ConversationOf("nobody"), "unknown");
  EXPECT_EQ(database_.Value<int>("select count(*) from contacts where phone = '+15550100002'"), 1);
}

TEST_F(OriginalRows, BringPhonesInEverySpellingToOneContact) {
  Adopt(kBareTables, R"(
    insert into conversations (id, phone, status, created_at) values
      (gen_random_uuid(), '15550100001', 'HUMAN', '2025-01-03'), (gen_random_uuid(), '+1 (555) 010-0001', 'archived', '2025-01-02'),
      (gen_random_uuid(), '15550100001@s.whatsapp.net', 'human_takeover', '2025-01-04'),
      (gen_random_uuid(), null, null, null), (gen_random_uuid(), '', '', null), (gen_random_uuid(), '12', 'active', null),
      (gen_random_uuid(), '120363000000000000@g.us', 'active', null))");
  EXPECT_EQ(database_.Value<int>("select count(*) from conversations where phone <> '+15550100077' or phone is null"),
            7);
  EXPECT_EQ(database_.Value<int>("select count(distinct contact_id) from conversations where phone like '%1%555%'"
                                 " and phone <> '+15550100077'"),
            1);
  EXPECT_EQ(database_.Value("select status from contacts where phone = '+15550100001'"), "human_takeover")
      << "the strictest holds";
  EXPECT_EQ(database_.Value<int>(
                "select count(*) from conversations c join contacts k on k.id = c.contact_id where k.phone = "
                "'+15550100001' and c.merged_into is null"),
            1);
}

TEST_F(OriginalRows, KeepDuplicatesApart) {
  Adopt(kBareTables, R"(
    insert into conversations (id, phone) values ('00000000-0000-0000-0000-000000000001', '15550100001');
    insert into messages (id, conversation_id, content, whatsapp_message_id, direction)
    select gen_random_uuid(), '00000000-0000-0000-0000-000000000001', 'copy', case when n < 6 then 'same' end,
           (array['sent', 'received', null, 'SENT'])[1 + n % 4] from generate_series(1, 9) n)");
  EXPECT_EQ(database_.Value<int>(
                "select count(distinct (whatsapp_message_id, from_me)) from messages where content = 'copy'"),
            9);
  EXPECT_EQ(database_.Value<int>("select count(*) from messages where whatsapp_message_id like 'legacy:%'"), 4);
}

TEST_F(OriginalRows, LoseKeysThatWouldRefuseOtherPatients) {
  Adopt(testing::kOriginalTables, R"(
    alter table conversations add constraint one_phone unique (phone);
    alter table messages add unique (whatsapp_message_id);
    create unique index by_pair on messages (conversation_id, whatsapp_message_id);
    insert into conversations (phone) values ('15550100001');
    insert into messages (conversation_id, content, whatsapp_message_id) select id, 'old', 'M1' from conversations)");
  database_.Sql("insert into conversations (phone) values ('+15550100002'), ('15550100001')");
  database_.Sql(
      "insert into messages (conversation_id, content, whatsapp_message_id) "
      "select id, 'theirs', 'M1' from conversations where phone = '+15550100002'");
  EXPECT_EQ(database_.Value<int>("select count(*) from messages where whatsapp_message_id = 'M1'"), 2);
}

TEST_F(OriginalRows, MakeRoomForTablesOfOurNames) {
  Adopt(kBareTables, R"(
    create table departments (id uuid primary key, name text);
    create table faqs (id uuid primary key, question text, answer text);
    create table doctors (id uuid primary key, name text, department uuid references departments);
    create view common_questions as select question from faqs;
    insert into faqs values (gen_random_uuid(), 'Is there parking?', 'Yes.'))");
  EXPECT_EQ(database_.Value("select answer from before_medidesk.faqs"), "Yes.");
  EXPECT_EQ(database_.Value("select question from common_questions"), "Is there parking?");
  EXPECT_EQ(database_.Value<int>("select count(*) from faqs"), 0);
}

TEST_F(OriginalRows, GoOnWithColumnsRulesAndTriggersOfTheOwner) {
  Adopt(testing::kOriginalTables, R"(
    alter table conversations add column notes text default 'x', add column priority int not null default 3,
      add check (status in ('active', 'archived', 'human_takeover'));
    alter table messages add check (direction in ('received', 'sent'));
    create function touch() returns trigger language plpgsql as 'begin new.updated_at := now(); return new; end';
    create trigger touch before update on conversations for each row execute function touch();
    insert into conversations (phone) values ('15550100001');
    insert into messages (conversation_id, sender, content) select id, phone, 'old' from conversations)");
  EXPECT_EQ(database_.Value("select notes || priority from conversations where phone = '15550100001'"), "x3");
  EXPECT_EQ(database_.Value("select direction from messages where content = 'old'"), "received");
}

TEST_F(OriginalRows, AreNoneInANewDatabase) {
  Adopt("", "");
  EXPECT_EQ(database_.Value("select to_regnamespace('before_medidesk')::text"), "");
}

}  // namespace
}  // namespace medidesk::store
