// The store on a database shaped as a Supabase project: what it adopts, and what each of the three API roles may.
// The tables are looked up, so a new one that is handed to a role fails here until it is meant.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

#include "store/testing/supabase_database.h"

namespace medidesk::store {
namespace {

using testing::AnswerOneMessage;
using ::testing::IsEmpty;

constexpr const char* kDesk =
    R"({"sub":"6f1c1f5e-1f0e-4c53-8d3a-2a6d1b7f9c01","role":"authenticated","app_metadata":{"role":"front_desk"}})";
constexpr const char* kNobody =
    R"({"sub":"6f1c1f5e-1f0e-4c53-8d3a-2a6d1b7f9c02","role":"authenticated","user_metadata":{"role":"front_desk"}})";
constexpr const char* kAdmin =
    R"({"sub":"6f1c1f5e-1f0e-4c53-8d3a-2a6d1b7f9c03","role":"authenticated","app_metadata":{"role":"admin"}})";
constexpr const char* kRefused = testing::SupabaseDatabase::kRefused;

class Supabase : public ::testing::Test {
 protected:
  void SetUp() override {
    // Rows of the original in a table that its owner had opened to everybody.
    supabase_.AsProject(std::string(testing::kOriginalTables) + R"(
      alter table public.conversations enable row level security;
      create policy everybody on public.conversations for all using (true);
      grant all on public.conversations to public;
      create table public.appointments (id int primary key);
      insert into conversations (id, phone, patient_name, status, created_at) values
        ('00000000-0000-0000-0000-000000000001', '15550100001', 'Ann', 'active', '2025-01-01'),
        ('00000000-0000-0000-0000-000000000002', '+15550100001', 'Ann', 'active', '2025-01-02'),
        ('00000000-0000-0000-0000-000000000003', '+15550100003', null, 'human_takeover', '2025-01-03'),
        ('00000000-0000-0000-0000-000000000004', 'unknown', null, null, null);
      insert into messages (conversation_id, sender, content, direction, whatsapp_message_id, created_at) values
        ('00000000-0000-0000-0000-000000000001', '15550100001', 'one', 'received', 'dup', '2025-01-01 10:00'),
        ('00000000-0000-0000-0000-000000000002', '15550100001', 'two', 'received', 'dup', '2025-01-01 10:01'),
        ('00000000-0000-0000-0000-000000000001', 'assistant', 'three', null, null, '2025-01-01 10:02'),
        ('00000000-0000-0000-0000-000000000001', 'assistant', null, 'sent', '', null))");
    const absl::Status status = Migrate(Phi(supabase_.ProjectUrl()), EmbeddedMigrations());
    ASSERT_TRUE(status.ok()) << status;
    for (const Migration& migration : EmbeddedMigrations()) {  // each once more
      ASSERT_NO_THROW(supabase_.AsProject(std::string(migration.sql))) << migration.name;
    }
  }
  std::string As(const std::string& role, const std::string& claims, const std::string& sql) {
    return supabase_.As(role, claims, sql);
  }
  std::vector<std::string> Lines(const std::string& sql) {
    std::vector<std::string> lines;
    for (const auto& row : database_.Sql(sql)) lines.emplace_back(row[0].c_str());
    return lines;
  }

  // "table: select, insert, update, delete" for what the role may, and "update (a, b)" for single columns; tables of
  // which it may nothing are left out. The project's own table is looked at by its own test.
  std::vector<std::string> RightsOf(const std::string& role) {
    const std::string columns = R"(
      case when not has_table_privilege('$r', c.oid, '$p') then (
        select '$p (' || string_agg(a.attname, ', ' order by a.attname) || ')' from pg_attribute a
         where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped and has_column_privilege('$r', c.oid, a.attnum, '$p'))
      else '$p' end)";
    const auto with = [&](std::string text, const std::string& privilege) {
      for (const auto& [from, to] : {std::pair<std::string, std::string>{"$p", privilege}, {"$r", role}}) {
        for (std::size_t at; (at = text.find(from)) != std::string::npos;) text.replace(at, from.size(), to);
      }
      return text;
    };
    const std::string whole = "case when has_table_privilege('$r', c.oid, '$p') then '$p' end";
    return Lines(
        "select line from (select case n.nspname when 'public' then '' else n.nspname || '.' end || c.relname || ': ' "
        "|| "
        "nullif(concat_ws(', ', " +
        with(columns, "select") + ", " + with(columns, "insert") + ", " + with(columns, "update") + ", " +
        with(whole, "delete") + ", " + with(whole, "truncate") + ", " + with(columns, "references") + ", " +
        with(whole, "trigger") +
        "), '') as line from pg_class c join pg_namespace n on n.oid = c.relnamespace "
        "where n.nspname in ('public', 'medidesk') and c.relkind in ('r', 'p', 'v', 'm', 'f') and "
        "c.relname <> 'appointments') x where line is not null order by line");
  }

  // Functions that the role may call; those of an extension are PostgreSQL's.
  std::vector<std::string> FunctionsOf(const std::string& role) {
    return Lines(
        "select p.oid::regprocedure::text from pg_proc p join pg_namespace n on n.oid = p.pronamespace where "
        "n.nspname in ('public', 'medidesk') and has_function_privilege('" +
        role +
        "', p.oid, 'execute') and "
        "not exists (select 1 from pg_depend d where d.objid = p.oid and d.deptype = 'e') order by 1");
  }

  testing::SupabaseDatabase supabase_;
  testing::TestDatabase& database_ = supabase_.database();
};

const std::map<std::string, std::string> kStaffReads = {
    {"numbers", "select"},
    {"number_states", "select"},
    {"patients", "select"},
    {"patient_contacts", "select"},
    {"contacts", "select"},
    {"turns", "select"},
    {"replies", "select"},
    {"reply_parts", "select"},
    {"tasks", "select"},
    {"hospital_settings", "select"},
    {"departments", "select"},
    {"doctors", "select"},
    {"faqs", "select"},
    {"visiting_hours", "select"},
    {"messages", "select"},
    {"audit_log", "select (action, actor, at, contact_id, conversation_id, detail, id, subject_id, trace_id, xid)"}};

// Lines of `rights` that `meant` does not have.
std::vector<std::string> NotMeant(const std::vector<std::string>& rights,
                                  const std::map<std::string, std::string>& meant) {
  std::vector<std::string> others;
  for (const std::string& line : rights) {
    const std::size_t colon = line.find(": ");
    const auto found = meant.find(line.substr(0, colon));
    if (found == meant.end() || found->second != line.substr(colon + 2)) others.push_back(line);
  }
  return others;
}

TEST_F(Supabase, GivesAnonymousCallersNothing) {
  EXPECT_THAT(RightsOf("anon"), IsEmpty());
  EXPECT_THAT(RightsOf("public"), IsEmpty()) << "what everybody has, anon has";
  const auto tables = Lines(
      "select format('%I.%I', n.nspname, c.relname) from pg_class c join pg_namespace n on n.oid = "
      "c.relnamespace where n.nspname in ('public', 'medidesk') and c.relkind in ('r', 'p', 'v') "
      "and c.relname <> 'appointments'");
  EXPECT_GT(tables.size(), 20u);
  for (const std::string& table : tables) {
    for (const std::string sql : {"select count(*) from ", "delete from ", "truncate "}) {
      EXPECT_EQ(As("anon", kAdmin, sql + table), kRefused) << sql << table;
    }
  }
  EXPECT_THAT(FunctionsOf("anon"), IsEmpty());
  EXPECT_THAT(Lines("select c.oid::regclass::text from pg_class c join pg_namespace n on n.oid = c.relnamespace where "
                    "n.nspname in ('public', 'medidesk') and case when c.relkind = 'S' then "
                    "has_sequence_privilege('anon', c.oid, 'usage, select, update') end"),
              IsEmpty());
  EXPECT_EQ(database_.Value<bool>("select has_schema_privilege('anon', 'medidesk', 'usage')"), false);
  EXPECT_EQ(As("anon", "{}", "select medidesk.verify_audit()"), kRefused);
}

TEST_F(Supabase, GivesStaffWhatTheDeskNeeds) {
  auto meant = kStaffReads;
  meant["conversations"] = "select, update (assigned_to, patient_name, status)";
  const auto rights = RightsOf("authenticated");
  EXPECT_THAT(NotMeant(rights, meant), IsEmpty());
  EXPECT_GE(rights.size(), 15u);
  EXPECT_THAT(FunctionsOf("authenticated"), ::testing::ElementsAre("medidesk.jwt()", "medidesk.uid()"));
  EXPECT_EQ(As("authenticated", kAdmin, "select medidesk.set_takeover(null, true, null, '', '')"), kRefused);
}

TEST_F(Supabase, GivesTheProjectsServersTheTablesOfTheOriginal) {
  auto meant = kStaffReads;
  for (const char* table : {"conversations", "messages", "patients"}) meant[table] = "select, insert, update, delete";
  EXPECT_THAT(NotMeant(RightsOf("service_role"), meant), IsEmpty());
  EXPECT_EQ(As("service_role", "{}", "select count(*) from messages"), "4");
  EXPECT_EQ(As("service_role", "{}", "update faqs set answer = 'x'"), kRefused) << "facts change through the store";
  EXPECT_EQ(As("service_role", "{}", "insert into tasks (reason) values ('x')"), kRefused);
}

TEST_F(Supabase, ProtectsEveryTableByRows) {
  EXPECT_THAT(Lines("select c.relname from pg_class c where c.relnamespace = 'public'::regnamespace and c.relkind in "
                    "('r', 'p') and not c.relrowsecurity and c.relname <> 'appointments'"),
              IsEmpty());
  // Whoever is signed in but no staff sees no row, also where the owner's own policy would show all.
  for (const std::string& table :
       Lines("select quote_ident(c.relname) from pg_class c where c.relnamespace = "
             "'public'::regnamespace and c.relkind in ('r', 'p') and "
             "has_table_privilege('authenticated', c.oid, 'select') and c.relname <> 'appointments'")) {
    for (const char* claims : {kNobody, "{}", R"({"app_metadata":{"role":"cleaner"}})", R"({"app_metadata":null})"}) {
      EXPECT_EQ(As("authenticated", claims, "select count(*) from public." + table), "0") << table;
    }
  }
}

TEST_F(Supabase, LeavesTheProjectsOwnTablesAlone) {
  EXPECT_EQ(As("anon", "{}", "select count(*) from appointments"), "0");
  EXPECT_EQ(As("service_role", "{}", "insert into appointments values (1)"), "1");
}

TEST_F(Supabase, ShowsTheAuditLogToAdminsWithoutItsMacs) {
  ASSERT_TRUE(AnswerOneMessage(supabase_.ProjectUrl()).ok());
  EXPECT_EQ(As("authenticated", kDesk, "select count(id) from audit_log"), "0");
  EXPECT_NE(As("authenticated", kAdmin, "select count(id) from audit_log"), "0");
  EXPECT_EQ(As("authenticated", kAdmin, "select content_mac from audit_log"), kRefused);
  EXPECT_EQ(As("authenticated", kAdmin, "delete from audit_log"), kRefused);
  EXPECT_EQ(As("authenticated", kAdmin, "select count(*) from medidesk.audit_seals"), kRefused);
}

TEST_F(Supabase, LetsATakeoverSayWhoTookOver) {
  EXPECT_EQ(As("authenticated", kDesk,
               "update conversations set status = 'human_takeover' where id = '00000000-0000-0000-0000-000000000001'"),
            "1");
  EXPECT_EQ(database_.Value("select assigned_to from contacts where phone = '+15550100001'"),
            "6f1c1f5e-1f0e-4c53-8d3a-2a6d1b7f9c01");
  EXPECT_EQ(database_.Value("select actor from audit_log where action = 'takeover'"),
            "6f1c1f5e-1f0e-4c53-8d3a-2a6d1b7f9c01");
  EXPECT_EQ(As("authenticated", kDesk,
               "update conversations set status = 'active' where id = '00000000-0000-0000-0000-000000000001'"),
            "1");
  EXPECT_EQ(database_.Value("select status from contacts where phone = '+15550100001'"), "active");
  EXPECT_EQ(As("authenticated", kDesk, "update conversations set status = 'mine'"), "23514");
}

TEST_F(Supabase, AdoptsTheOriginalsRows) {
  EXPECT_EQ(database_.Value<int>("select count(*) from conversations"), 4) << "none is lost";
  EXPECT_EQ(database_.Value<int>("select count(*) from contacts where phone = '+15550100001'"), 1);
  EXPECT_EQ(database_.Value("select merged_into from conversations where id::text like '%2'"),
            "00000000-0000-0000-0000-000000000001");
  EXPECT_EQ(database_.Value("select k.status from contacts k join conversations c on c.contact_id = k.id "
                            "where c.id::text like '%3'"),
            "human_takeover");
  EXPECT_EQ(database_.Value("select status from conversations where id::text like '%4'"), "active");

  EXPECT_EQ(database_.Value("select string_agg(content, ',' order by seq) from messages where content <> ''"),
            "one,two,three");
  EXPECT_EQ(database_.Value<int>("select count(*) from messages where conversation_id::text like '%1'"), 4);
  EXPECT_EQ(database_.Value("select whatsapp_message_id from messages where content = 'one'"), "dup");
  EXPECT_EQ(database_.Value("select whatsapp_message_id = 'dup#' || id from messages where content = 'two'"), "t");
  EXPECT_EQ(database_.Value("select whatsapp_message_id = 'legacy:' || id from messages where content = 'three'"), "t");
  EXPECT_EQ(database_.Value("select direction from messages where content = 'three'"), "sent");
  EXPECT_EQ(database_.Value<int>("select count(*) from messages where from_me <> (direction = 'sent')"), 0);
}

TEST_F(Supabase, AnswersAPatientOfTheOriginals) {
  const absl::Status answered = AnswerOneMessage(supabase_.ProjectUrl());
  EXPECT_TRUE(answered.ok()) << answered;
}

TEST_F(Supabase, ShowsUsersWithoutARoleNothing) {
  EXPECT_EQ(As("authenticated", kNobody, "select count(*) from conversations"), "0");
  EXPECT_EQ(As("authenticated", kNobody, "select count(*) from messages"), "0");
  EXPECT_EQ(As("authenticated", kNobody, "update conversations set status = 'human_takeover'"), "0");
  EXPECT_EQ(As("authenticated", "{}", "select count(*) from messages"), "0");
}

TEST_F(Supabase, LetsTheFrontDeskReadAndTakeOver) {
  EXPECT_EQ(As("authenticated", kDesk, "select count(*) from conversations"), "4");
  EXPECT_EQ(As("authenticated", kDesk, "select count(*) from messages"), "4");
  EXPECT_EQ(As("authenticated", kDesk,
               "update conversations set status = 'human_takeover' "
               "where id = '00000000-0000-0000-0000-000000000001'"),
            "1");
  EXPECT_EQ(database_.Value("select status from contacts where phone = '+15550100001'"), "human_takeover")
      << "the contact follows its conversation";
  EXPECT_EQ(As("authenticated", kDesk,
               "insert into messages (conversation_id, content) values "
               "('00000000-0000-0000-0000-000000000001', 'x')"),
            kRefused);
  EXPECT_EQ(As("authenticated", kDesk, "delete from messages"), kRefused);
  EXPECT_EQ(As("authenticated", kDesk, "update conversations set phone = '+15550100009'"), kRefused);
  EXPECT_EQ(As("authenticated", kDesk, "select count(*) from medidesk.audit_keys"), kRefused);
  const char* const viewer = R"({"app_metadata":{"role":"viewer"}})";
  EXPECT_EQ(As("authenticated", viewer, "select count(*) from messages"), "4");
  EXPECT_EQ(As("authenticated", viewer, "update conversations set status = 'archived'"), "0");
}

TEST_F(Supabase, LetsTheOriginalsFunctionGoOnWriting) {
  EXPECT_EQ(As("service_role", "{}", "insert into conversations (phone) values ('15550100055')"), "1");
  EXPECT_EQ(As("service_role", "{}",
               "insert into messages (conversation_id, sender, content, direction) select id, phone, 'late', "
               "'received' from conversations where phone = '15550100055'"),
            "1");
  EXPECT_EQ(database_.Value("select k.phone from messages m join contacts k on k.id = m.contact_id "
                            "where m.content = 'late'"),
            "+15550100055");
}

TEST_F(Supabase, PublishesTheTablesOfTheDashboard) {
  EXPECT_EQ(database_.Value("select string_agg(tablename, ',' order by tablename) from pg_publication_tables "
                            "where pubname = 'supabase_realtime'"),
            "conversations,messages,tasks");
}

}  // namespace
}  // namespace medidesk::store
