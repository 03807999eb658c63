// Migrations on databases of every shape they must run on. Roles belong to the whole cluster: tests make
// them once and share them.
#include "store/migrator.h"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/use_future.hpp>
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>

#include "base/io_threads.h"
#include "store/conversation_repository.h"
#include "store/db_pool.h"
#include "store/service/conversation_service.h"
#include "store/testing/test_database.h"

namespace medidesk::store {
namespace {

using namespace std::chrono_literals;
using ::testing::Each;
using ::testing::HasSubstr;
using ::testing::Not;
using testing::TestDatabase;

int EmbeddedCount() { return static_cast<int>(EmbeddedMigrations().size()); }

// The database's URL for another login, whose password is its name.
std::string UrlOf(const TestDatabase& database, const std::string& login) {
  const std::string& url = database.url();
  const std::size_t begin = url.find("://") + 3, at = url.find('@', begin);
  return url.substr(0, begin) + login + ":" + login + url.substr(at);
}

void MakeRole(TestDatabase& database, const std::string& name, const std::string& attributes) {
  database.Admin(
      fmt::format("do $$ begin create role {} {}; exception when duplicate_object or unique_violation then "
                  "null; end $$",
                  name, attributes));
  database.Admin(fmt::format("alter role {} {}", name, attributes));
}

// A message through the store's own service, connected as `url` says. The status of what was refused.
absl::Status AnswerOneMessage(const std::string& url) {
  prometheus::Registry registry;
  StoreMetrics metrics(registry);
  IoThreads io(1);
  DbPool pool({.url = Phi(url), .connections = 1}, metrics);
  ConversationRepository repository(pool, {.webhook_number = "", .claim = 5s});
  rpc::Dispatcher dispatcher(io.executor(), registry, {.service = "store"});
  ConversationService service(dispatcher, repository, {});
  rpc::Call call;
  call.deadline = rpc::Call::Clock::now() + 20s;
  v1::AcceptRequest accept;
  accept.set_commit_id(NewUuid());
  accept.set_route(v1::ROUTE_WEBHOOK);
  accept.set_phone("+15550100077");
  accept.set_whatsapp_message_id(NewUuid());
  accept.set_text("hello");
  const auto run = [&](auto work) { return asio::co_spawn(io.executor(), std::move(work), asio::use_future).get(); };
  const auto accepted = run(service.Accept(call, accept));
  if (!accepted.ok()) return accepted.status();
  v1::CommitReplyRequest commit;
  commit.set_turn_id(accepted->turn().id());
  commit.set_commit_id(NewUuid());
  commit.set_origin(v1::REPLY_ORIGIN_BOT);
  commit.set_text("hi");
  commit.set_source("test");
  return run(service.CommitReply(call, commit)).status();
}

TEST(Migrate, AppliesEachMigrationOnce) {
  TestDatabase database(/*migrate=*/false);
  ASSERT_TRUE(Migrate(Phi(database.url()), EmbeddedMigrations()).ok());
  const std::string first = database.Value(
      "select string_agg(name || applied_at, ',' order by name) from "
      "medidesk.migrations");
  ASSERT_TRUE(Migrate(Phi(database.url()), EmbeddedMigrations()).ok());
  EXPECT_EQ(database.Value("select string_agg(name || applied_at, ',' order by name) from medidesk.migrations"), first);
  EXPECT_EQ(database.Value<int>("select count(*) from medidesk.migrations"), EmbeddedCount());
}

TEST(Migrate, MayBeRunAgainByHand) {
  TestDatabase database;
  for (const Migration& migration : EmbeddedMigrations()) {
    EXPECT_NO_THROW(database.Sql(std::string(migration.sql))) << migration.name;
  }
  EXPECT_TRUE(AnswerOneMessage(database.url()).ok());
}

TEST(Migrate, MayBeStartedByFourStoresAtOnce) {
  TestDatabase database(/*migrate=*/false);
  std::vector<absl::Status> results(4);
  std::vector<std::thread> threads;
  for (absl::Status& result : results) {
    threads.emplace_back([&] { result = Migrate(Phi(database.url()), EmbeddedMigrations()); });
  }
  for (std::thread& thread : threads) thread.join();
  for (const absl::Status& result : results) EXPECT_TRUE(result.ok()) << result;
  EXPECT_EQ(database.Value<int>("select count(*) from medidesk.migrations"), EmbeddedCount());
}

TEST(Migrate, RefusesAFileThatWasChangedAfterwards) {
  TestDatabase database(/*migrate=*/false);
  const Migration before[] = {{"0001_a", "create table a (n int)"}};
  ASSERT_TRUE(Migrate(Phi(database.url()), before).ok());
  const Migration after[] = {{"0001_a", "create table a (n bigint)"}, {"0002_b", "create table b (n int)"}};
  const absl::Status status = Migrate(Phi(database.url()), after);
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(Text(status)), HasSubstr("0001_a"));
  EXPECT_EQ(database.Value("select to_regclass('b')::text"), "") << "nothing after it was applied";
}

TEST(Migrate, LeavesNothingOfAMigrationThatFails) {
  TestDatabase database(/*migrate=*/false);
  const Migration failing[] = {{"0001_a", "create table a (n int)"},
                               {"0002_b", "create table b (n int); insert into b values ('secret')"},
                               {"0003_c", "create table c (n int)"}};
  const absl::Status status = Migrate(Phi(database.url()), failing);
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(Text(status)), HasSubstr("0002_b"));
  EXPECT_THAT(std::string(Text(status)), Not(HasSubstr("secret")));
  EXPECT_EQ(database.Value<int>("select count(*) from medidesk.migrations"), 1);
  EXPECT_EQ(database.Value("select to_regclass('a')::text"), "a");
  EXPECT_EQ(database.Value("select coalesce(to_regclass('b'), to_regclass('c'))::text"), "");
}

TEST(Migrate, SaysUnavailableWithoutADatabase) {
  EXPECT_EQ(Migrate(Phi<std::string>("postgresql://nobody@127.0.0.1:1/none"), EmbeddedMigrations()).code(),
            absl::StatusCode::kUnavailable);
}

TEST(Migrate, WorksForALoginThatMayNothingButOwnItsDatabase) {
  TestDatabase database(/*migrate=*/false);
  MakeRole(database, "test_weak", "login password 'test_weak' nosuperuser nocreaterole nocreatedb");
  database.Admin("alter database " + database.name() + " owner to test_weak");
  const std::string url = UrlOf(database, "test_weak");
  for (int run = 0; run < 2; ++run) {
    const absl::Status status = Migrate(Phi(url), EmbeddedMigrations());
    ASSERT_TRUE(status.ok()) << status;
  }
  EXPECT_EQ(database.Value("select tableowner from pg_tables where tablename = 'messages'"), "test_weak");
  const absl::Status answered = AnswerOneMessage(url);
  EXPECT_TRUE(answered.ok()) << answered;
  EXPECT_EQ(database.Value<int>("select count(*) from messages"), 2);
}

// A project of Supabase's, with the original's tables and rows in it.
class MigrateSupabase : public ::testing::Test {
 protected:
  void SetUp() override {
    for (const char* role : {"anon", "authenticated"}) MakeRole(database_, role, "nologin noinherit");
    MakeRole(database_, "service_role", "nologin noinherit bypassrls");
    MakeRole(database_, "test_project", "login password 'test_project' nosuperuser createrole bypassrls");
    database_.Admin("alter database " + database_.name() + " owner to test_project");
    database_.Sql(R"(
      create schema auth;
      create function auth.uid() returns uuid language sql stable
        as $$ select nullif(current_setting('request.jwt.claim.sub', true), '')::uuid $$;
      grant usage on schema auth to anon, authenticated, service_role, test_project;
      grant usage on schema public to anon, authenticated, service_role;
      create publication supabase_realtime;
      alter publication supabase_realtime owner to test_project;
      alter default privileges for role test_project in schema public
        grant all on tables to anon, authenticated, service_role;
      alter default privileges for role test_project in schema public
        grant all on functions to anon, authenticated, service_role;
      alter default privileges for role test_project in schema public
        grant all on sequences to anon, authenticated, service_role;
      set role test_project;
      create table public.conversations (id uuid primary key default gen_random_uuid(), phone text not null,
        patient_name text, status text default 'active', assigned_to uuid,
        created_at timestamptz default now(), updated_at timestamptz default now());
      create table public.messages (id uuid primary key default gen_random_uuid(),
        conversation_id uuid references public.conversations (id), sender text, content text, direction text,
        whatsapp_message_id text, created_at timestamptz default now());
      create table public.patients (id uuid primary key default gen_random_uuid(), name text, phone text unique,
        email text, created_at timestamptz default now());
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
    for (int run = 0; run < 2; ++run) {
      const absl::Status status = Migrate(Phi(UrlOf(database_, "test_project")), EmbeddedMigrations());
      ASSERT_TRUE(status.ok()) << status;
    }
  }
  // The first value of a statement that a dashboard's user makes; the SQLSTATE when it is refused.
  std::string As(const std::string& role, const std::string& claims, const std::string& sql) {
    pqxx::connection connection(database_.url());
    pqxx::work tx(connection);
    try {
      tx.exec("set local role " + role);
      tx.exec("select set_config('request.jwt.claims', " + tx.quote(claims) + ", true)");
      const pqxx::result rows = tx.exec(sql);
      const std::string value =
          rows.columns() == 0 ? std::to_string(rows.affected_rows()) : (rows.empty() ? "" : rows[0][0].c_str());
      tx.commit();
      return value;
    } catch (const pqxx::insufficient_privilege&) {
      return kRefused;  // libpqxx 6 leaves its SQLSTATE out
    } catch (const pqxx::sql_error& error) {
      return error.sqlstate();
    }
  }

  static constexpr const char* kDesk =
      R"({"sub":"6f1c1f5e-1f0e-4c53-8d3a-2a6d1b7f9c01","role":"authenticated","app_metadata":{"role":"front_desk"}})";
  static constexpr const char* kNobody =
      R"({"sub":"6f1c1f5e-1f0e-4c53-8d3a-2a6d1b7f9c02","role":"authenticated","user_metadata":{"role":"front_desk"}})";
  static constexpr const char* kRefused = "42501";  // insufficient privilege

  TestDatabase database_{/*migrate=*/false};
};

TEST_F(MigrateSupabase, AdoptsTheOriginalsRows) {
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

TEST_F(MigrateSupabase, AnswersAPatientOfTheOriginals) {
  const absl::Status answered = AnswerOneMessage(UrlOf(database_, "test_project"));
  EXPECT_TRUE(answered.ok()) << answered;
}

TEST_F(MigrateSupabase, ShowsAnonymousCallersNothing) {
  const pqxx::result tables = database_.Sql("select tablename from pg_tables where schemaname = 'public'");
  EXPECT_GT(tables.size(), 10u);
  for (const auto& row : tables) {
    const std::string table = row[0].c_str();
    EXPECT_EQ(As("anon", "{}", "select count(*) from public." + table), kRefused) << table;
    EXPECT_EQ(As("anon", kDesk, "delete from public." + table), kRefused) << table;
  }
  EXPECT_EQ(database_.Value<int>("select count(*) from pg_tables where schemaname in ('public', 'medidesk') and "
                                 "has_table_privilege('anon', format('%I.%I', schemaname, tablename), "
                                 "'select, insert, update, delete, truncate')"),
            0);
}

TEST_F(MigrateSupabase, ShowsUsersWithoutARoleNothing) {
  EXPECT_EQ(As("authenticated", kNobody, "select count(*) from conversations"), "0");
  EXPECT_EQ(As("authenticated", kNobody, "select count(*) from messages"), "0");
  EXPECT_EQ(As("authenticated", kNobody, "update conversations set status = 'human_takeover'"), "0");
  EXPECT_EQ(As("authenticated", "{}", "select count(*) from messages"), "0");
}

TEST_F(MigrateSupabase, LetsTheFrontDeskReadAndTakeOver) {
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

TEST_F(MigrateSupabase, LetsTheOriginalsFunctionGoOnWriting) {
  EXPECT_EQ(As("service_role", "{}", "insert into conversations (phone) values ('15550100055')"), "1");
  EXPECT_EQ(As("service_role", "{}",
               "insert into messages (conversation_id, sender, content, direction) select id, phone, 'late', "
               "'received' from conversations where phone = '15550100055'"),
            "1");
  EXPECT_EQ(database_.Value("select k.phone from messages m join contacts k on k.id = m.contact_id "
                            "where m.content = 'late'"),
            "+15550100055");
}

TEST_F(MigrateSupabase, PublishesTheTablesOfTheDashboard) {
  EXPECT_EQ(database_.Value("select string_agg(tablename, ',' order by tablename) from pg_publication_tables "
                            "where pubname = 'supabase_realtime'"),
            "conversations,messages,tasks");
}

TEST_F(MigrateSupabase, CallsNoDefinersFunctionForOthers) {
  EXPECT_EQ(
      database_.Value<int>("select count(*) from pg_proc p join pg_namespace n on n.oid = p.pronamespace "
                           "where n.nspname in ('public', 'medidesk') and p.prosecdef and "
                           "p.prorettype <> 'trigger'::regtype and has_function_privilege('anon', p.oid, 'execute')"),
      0);
}

}  // namespace
}  // namespace medidesk::store
