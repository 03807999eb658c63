// The pool over a real PostgreSQL that goes away, deadlocks and is slow.
#include "store/db_pool.h"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/use_future.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <future>

#include "base/io_threads.h"
#include "base/rpc/error_details.h"
#include "store/testing/test_database.h"

namespace medidesk::store {
namespace {

using namespace std::chrono_literals;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr Query kTest{"test", ""};
using Job = std::function<int(DbConnection&)>;

int One(DbConnection& connection, const std::string& sql) {
  pqxx::nontransaction session(connection);
  const pqxx::result rows = session.exec(sql);
  return rows.empty() || rows[0][0].is_null() ? 0 : rows[0][0].as<int>();
}

class DbPoolTest : public ::testing::Test {
 protected:
  DbPool& Make(DbPool::Options options) {
    if (options.url.Expose().empty()) options.url = Phi(database_.url());
    options.role = "";
    pool_.emplace(std::move(options), metrics_);
    return *pool_;
  }
  std::future<absl::StatusOr<int>> Start(const Job& job, std::chrono::milliseconds within = 20s) {
    const auto deadline = DbPool::Clock::now() + within;
    return asio::co_spawn(io_.executor(), pool_->Run<int>(kTest, deadline, job), asio::use_future);
  }
  absl::StatusOr<int> Run(const Job& job) { return Start(job).get(); }

  testing::TestDatabase database_{/*migrate=*/false};
  prometheus::Registry registry_;
  StoreMetrics metrics_{registry_};
  IoThreads io_{2};
  std::optional<DbPool> pool_;
};

// Holds a worker until it is let go.
class Blocker {
 public:
  explicit Blocker(std::function<std::future<absl::StatusOr<int>>(const Job&)> start) {
    job_ = [this](DbConnection&) {
      running_.set_value();
      go_.get_future().wait();
      return 0;
    };
    done_ = start(job_);
    running_.get_future().wait();
  }
  absl::StatusOr<int> Release() {
    go_.set_value();
    return done_.get();
  }

 private:
  std::promise<void> running_, go_;
  Job job_;
  std::future<absl::StatusOr<int>> done_;
};

TEST_F(DbPoolTest, RunsWorkWithAConnection) {
  Make({.url = {}, .connections = 2});
  const auto result = Run([](DbConnection& connection) { return One(connection, "select 7"); });
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_EQ(*result, 7);
  EXPECT_TRUE(pool_->database_up());
}

TEST_F(DbPoolTest, RefusesWhatItsQueueDoesNotHold) {
  Make({.url = {}, .connections = 1, .max_waiting = 2});
  Blocker blocker([&](const Job& job) { return Start(job); });
  const Job job = [](DbConnection& connection) { return One(connection, "select 1"); };
  auto first = Start(job), second = Start(job);
  const auto give_up = std::chrono::steady_clock::now() + 20s;
  while (metrics_.pool_waiting.Value() < 2 && std::chrono::steady_clock::now() < give_up) std::this_thread::yield();
  const absl::Status refused = Start(job).get().status();
  EXPECT_EQ(refused.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_TRUE(rpc::RetryDelay(refused).has_value());
  EXPECT_EQ(metrics_.pool_rejected.Value(), 1);
  EXPECT_TRUE(blocker.Release().ok());
  EXPECT_TRUE(first.get().ok());
  EXPECT_TRUE(second.get().ok());
}

TEST_F(DbPoolTest, DoesNotRunAJobWhoseDeadlinePassedInTheQueue) {
  Make({.url = {}, .connections = 1});
  Blocker blocker([&](const Job& job) { return Start(job); });
  bool ran = false;
  const Job job = [&](DbConnection&) {
    ran = true;
    return 0;
  };
  auto late = Start(job, -1ms);
  EXPECT_TRUE(blocker.Release().ok());
  EXPECT_EQ(late.get().status().code(), absl::StatusCode::kDeadlineExceeded);
  EXPECT_FALSE(ran);
}

TEST_F(DbPoolTest, RunsAJobAgainOnAFreshConnectionWhenItsOwnIsTerminated) {
  Make({.url = {}, .connections = 1});
  int runs = 0;
  const Job job = [&](DbConnection& connection) {
    if (++runs == 1) database_.Sql("select pg_terminate_backend(" + std::to_string(connection.backendpid()) + ")");
    return One(connection, "select 7");
  };
  const auto result = Run(job);
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_EQ(*result, 7);
  EXPECT_EQ(runs, 2);
  EXPECT_EQ(metrics_.connections_lost.Value(), 1);
}

TEST_F(DbPoolTest, SaysUnavailableWhenTheConnectionIsLostTwice) {
  Make({.url = {}, .connections = 1});
  int runs = 0;
  const Job job = [&](DbConnection& connection) {
    ++runs;
    database_.Sql("select pg_terminate_backend(" + std::to_string(connection.backendpid()) + ")");
    return One(connection, "select 7");
  };
  const absl::Status status = Run(job).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable);
  EXPECT_TRUE(rpc::RetryDelay(status).has_value());
  EXPECT_EQ(runs, 2);
  EXPECT_FALSE(pool_->database_up());
  EXPECT_TRUE(Run([](DbConnection& connection) { return One(connection, "select 1"); }).ok()) << "and recovers";
  EXPECT_TRUE(pool_->database_up());
}

TEST_F(DbPoolTest, RunsAJobAgainAfterADeadlock) {
  Make({.url = {}, .connections = 2});
  database_.Sql("create table rows (id int primary key, n int); insert into rows values (1, 0), (2, 0)");
  std::atomic<int> runs{0}, holding{0};
  const auto locker = [&](int first, int second) -> Job {
    return [&, first, second](DbConnection& connection) {
      const bool again = ++runs > 2;
      pqxx::work tx(connection);
      tx.exec("update rows set n = n + 1 where id = " + std::to_string(first));
      ++holding;
      while (!again && holding < 2) std::this_thread::yield();  // both hold one, then both want the other's
      tx.exec("update rows set n = n + 1 where id = " + std::to_string(second));
      tx.commit();
      return 0;
    };
  };
  const Job forward = locker(1, 2), backward = locker(2, 1);
  auto one = Start(forward), other = Start(backward);
  EXPECT_TRUE(one.get().ok());
  EXPECT_TRUE(other.get().ok());
  EXPECT_GE(runs, 3) << "on a slow machine PostgreSQL may end both";
  EXPECT_EQ(database_.Value<int>("select sum(n) from rows"), 4) << "each once";
  EXPECT_EQ(metrics_.jobs_retried.Value(), runs - 2);
}

TEST_F(DbPoolTest, GivesUpAfterThreeRepetitions) {
  Make({.url = {}, .connections = 1});
  int runs = 0;
  const Job job = [&](DbConnection& connection) {
    ++runs;
    return One(connection, "do $$ begin raise exception 'x' using errcode = '40001'; end $$");
  };
  EXPECT_EQ(Run(job).status().code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(runs, 4);
}

TEST_F(DbPoolTest, EndsAStatementThatTakesTooLong) {
  Make({.url = {}, .connections = 1, .statement_timeout = 100ms});
  int pid = 0;
  const Job slow = [&](DbConnection& connection) {
    pid = connection.backendpid();
    return One(connection, "select 1 from pg_sleep(60)");
  };
  EXPECT_EQ(Run(slow).status().code(), absl::StatusCode::kDeadlineExceeded);
  const auto after = Run([](DbConnection& connection) { return connection.backendpid(); });
  ASSERT_TRUE(after.ok());
  EXPECT_EQ(*after, pid) << "the connection is kept";
}

TEST_F(DbPoolTest, KeepsWhatPostgresSaysToItself) {
  Make({.url = {}, .connections = 1});
  database_.Sql("create table rows (name text unique); insert into rows values ('secret')");
  const absl::Status failed =
      Run([](DbConnection& connection) { return One(connection, "insert into rows values ('secret')"); }).status();
  EXPECT_EQ(failed.code(), absl::StatusCode::kInternal);
  EXPECT_THAT(failed.ToString(), Not(HasSubstr("secret")));
  EXPECT_EQ(metrics_.jobs_failed.Value(), 1);
  const absl::Status thrown = Run([](DbConnection&) -> int { throw std::runtime_error("secret"); }).status();
  EXPECT_EQ(thrown.code(), absl::StatusCode::kInternal);
  EXPECT_THAT(thrown.ToString(), Not(HasSubstr("secret")));
}

TEST_F(DbPoolTest, TakesAStatementThatMayNotBeMadeForNoLostConnection) {
  Make({.url = {}, .connections = 1});
  database_.Sql("create table rows (n int not null check (n > 0)); revoke all on rows from public");
  for (const char* sql : {"set role pg_monitor; select n from rows", "insert into rows values (null)",
                          "insert into rows values (0)", "select 1 from", "do $$ begin raise exception 'x'; end $$"}) {
    const Job job = [sql](DbConnection& connection) { return One(connection, sql); };
    EXPECT_EQ(Run(job).status().code(), absl::StatusCode::kInternal) << sql;
  }
  EXPECT_EQ(metrics_.connections_lost.Value(), 0);
}

TEST_F(DbPoolTest, SaysUnavailableWithoutASchema) {
  Make({.url = {}, .connections = 1});
  EXPECT_EQ(Run([](DbConnection& connection) { return One(connection, "select no_such_function()"); }).status().code(),
            absl::StatusCode::kUnavailable);
}

TEST_F(DbPoolTest, SaysUnavailableWithoutADatabase) {
  Make({.url = Phi<std::string>("postgresql://nobody@127.0.0.1:1/none"), .connections = 1});
  EXPECT_EQ(Run([](DbConnection&) { return 0; }).status().code(), absl::StatusCode::kUnavailable);
  EXPECT_FALSE(pool_->database_up());
}

TEST_F(DbPoolTest, RefusesJobsUntilItIsOpened) {
  Make({.url = {}, .connections = 1, .start_closed = true});
  const Job job = [](DbConnection& connection) { return One(connection, "select 1"); };
  const absl::Status closed = Run(job).status();
  EXPECT_EQ(closed.code(), absl::StatusCode::kUnavailable);
  EXPECT_TRUE(rpc::RetryDelay(closed).has_value());
  pool_->Open();
  EXPECT_TRUE(Run(job).ok());
}

TEST_F(DbPoolTest, EndsQueuedJobsWhenItGoesAway) {
  Make({.url = {}, .connections = 1});
  Blocker blocker([&](const Job& job) { return Start(job); });
  bool ran = false;
  const Job job = [&](DbConnection&) {
    ran = true;
    return 0;
  };
  auto queued = Start(job);
  const auto give_up = std::chrono::steady_clock::now() + 20s;
  while (metrics_.pool_waiting.Value() < 1 && std::chrono::steady_clock::now() < give_up) std::this_thread::yield();
  DbPool* const pool = &*pool_;
  std::thread end([&] { pool_.reset(); });
  // A pool that is going away takes nothing more: seen when a further job is refused.
  std::vector<std::future<absl::StatusOr<int>>> further;
  do {
    further.push_back(
        asio::co_spawn(io_.executor(), pool->Run<int>(kTest, DbPool::Clock::now() + 20s, job), asio::use_future));
  } while (further.back().wait_for(20ms) == std::future_status::timeout && std::chrono::steady_clock::now() < give_up);
  EXPECT_TRUE(blocker.Release().ok());
  end.join();
  EXPECT_EQ(queued.get().status().code(), absl::StatusCode::kUnavailable);
  EXPECT_FALSE(ran);
}

}  // namespace
}  // namespace medidesk::store
