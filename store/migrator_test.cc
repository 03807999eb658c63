// Migrations on databases of every shape they must run on. Roles belong to the whole cluster: tests make
// them once and share them.
#include "store/migrator.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>

#include "store/testing/logins.h"
#include "store/testing/test_database.h"

namespace medidesk::store {
namespace {

using testing::AnswerOneMessage;
using ::testing::HasSubstr;
using testing::MakeRole;
using ::testing::Not;
using testing::TestDatabase;
using testing::UrlOf;

int EmbeddedCount() { return static_cast<int>(EmbeddedMigrations().size()); }

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

TEST(Migrate, NeedsNoRightToCreateWhereNothingIsLeftToApply) {
  TestDatabase database;
  MakeRole(database, "medidesk_migrated", "login password 'medidesk_migrated'");
  database.Admin("grant medidesk_service to medidesk_migrated");
  const std::string url = UrlOf(database, "medidesk_migrated");
  EXPECT_TRUE(Migrate(Phi(url), EmbeddedMigrations()).ok());
  EXPECT_TRUE(AnswerOneMessage(url).ok());
  database.Sql("delete from medidesk.migrations where name = '0012_trace'");
  EXPECT_EQ(Migrate(Phi(url), EmbeddedMigrations()).code(), absl::StatusCode::kFailedPrecondition);
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

}  // namespace
}  // namespace medidesk::store
