#include "store/maintenance.h"

#include <algorithm>
#include <string>
#include <utility>

#include "base/log.h"
#include "store/db_connection.h"
#include "store/migrator.h"

namespace medidesk::store {

using std::chrono::milliseconds;

Maintenance::Maintenance(Options options, StoreMetrics& metrics)
    : options_(std::move(options)), metrics_(metrics), thread_([this] { Run(); }) {}

Maintenance::~Maintenance() { Stop(); }

void Maintenance::Stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  stop_.notify_all();
  if (thread_.joinable()) thread_.join();
}

bool Maintenance::Sleep(milliseconds time) {
  std::unique_lock lock(mutex_);
  return !stop_.wait_for(lock, time, [this] { return stopping_; });
}

void Maintenance::Run() {
  Prepare();
  std::unique_ptr<pqxx::connection> connection;
  while (Sleep(options_.seal)) {
    std::string sqlstate;
    try {
      if (connection == nullptr) connection = OpenConnection(options_.url, options_.role, milliseconds(30'000));
      Round(*connection);
    } catch (...) {
      const DbFailure failure = ClassifyCurrentException(&sqlstate);
      if (failure != DbFailure::kLost) log::Warning("maintenance_failed", {{"sqlstate", log::Public(sqlstate)}});
      connection.reset();
    }
  }
}

void Maintenance::Prepare() {
  absl::StatusCode last = absl::StatusCode::kOk;
  milliseconds pause(200);
  do {
    absl::Status status = schema_ready_ ? absl::OkStatus() : Migrate(options_.migrate_url, EmbeddedMigrations());
    if (status.ok()) {
      schema_ready_ = true;
      if (options_.on_schema_ready) status = options_.on_schema_ready();
    }
    if (status.ok()) return;
    if (status.code() != last) {
      last = status.code();
      log::Error("store_not_ready", {{"reason", log::Public(Text(status))}});
    }
    pause = std::min(pause * 2, milliseconds(2000));
  } while (Sleep(pause));
}

void Maintenance::Round(pqxx::connection& connection) {
  pqxx::nontransaction session(connection);
  session.exec("select medidesk.seal_audit()");
  const auto now = Clock::now();
  if (now >= next_sweep_) {
    next_sweep_ = now + options_.sweep;
    const auto swept = session.exec("select medidesk.sweep_turns()")[0][0].as<std::int64_t>();
    if (swept > 0) log::Warning("unanswered_turns", {{"tasks", swept}});
    const auto unserved = session.exec("select medidesk.expire_unserved(100)")[0][0].as<std::int64_t>();
    if (unserved > 0) log::Warning("number_not_served", {{"parts_and_turns", unserved}});
  }
  if (now >= next_expiry_) {
    // One bounded batch a round, so that sealing goes on beside a long pass.
    bool done = true;
    if (options_.retention_days > 0) {
      const pqxx::result row = session.exec("select expired, done from medidesk.expire_texts(" +
                                            std::to_string(options_.retention_days) + ", 500, 2000)");
      metrics_.expired_texts.Increment(row[0][0].as<double>());
      done = row[0][1].as<bool>();
    }
    if (done) {
      next_expiry_ = now + options_.expiry;
      session.exec("select medidesk.forget_outcomes()");
      session.exec("select medidesk.forget_sent_contents(20000)");
    }
  }
  if (options_.takeover_quiet_minutes > 0 && now >= next_quiet_) {
    // One contact a round.
    const bool returned =
        session.exec("select medidesk.return_quiet(" + std::to_string(options_.takeover_quiet_minutes) + ")")[0][0]
            .as<bool>();
    next_quiet_ = now + (returned ? milliseconds(0) : options_.quiet);
  }
  if (now >= next_rollup_) {
    // A bounded step; while there is more behind it than the latest quarters, the next comes with the next round.
    constexpr int kMost = 12;
    const int rolled = session.exec("select medidesk.roll_up(" + std::to_string(kMost) + ")")[0][0].as<int>();
    // Under a heavy load, or far behind, it leaves the database to the messages: a twentieth of the time, or a fifth.
    const auto took = std::chrono::duration_cast<milliseconds>(Clock::now() - now);
    next_rollup_ = Clock::now() + (rolled < kMost ? std::max(options_.rollup, took * 19) : took * 4);
  }
  if (now >= next_gauges_) {
    next_gauges_ = now + options_.gauges;
    const pqxx::result turns = session.exec(
        "select count(*), coalesce(extract(epoch from clock_timestamp() - min(opened_at)), 0) from public.turns "
        "where state in ('open', 'sealed')");
    metrics_.unfinished_turns.Set(turns[0][0].as<double>());
    metrics_.oldest_turn_seconds.Set(turns[0][1].as<double>());
    metrics_.open_tasks.Set(session.exec("select count(*) from public.tasks where state <> 'done'")[0][0].as<double>());
    metrics_.oldest_urgent_task_seconds.Set(
        session
            .exec("select coalesce(extract(epoch from clock_timestamp() - min(created_at)), 0) from public.tasks "
                  "where state <> 'done' and state = 'open' and priority = 1")[0][0]
            .as<double>());
    const pqxx::result replicas = session.exec(
        "select count(*), coalesce(max(extract(epoch from replay_lag)), 0) from pg_catalog.pg_stat_replication");
    metrics_.replicas.Set(replicas[0][0].as<double>());
    metrics_.replication_lag_seconds.Set(replicas[0][1].as<double>());
    metrics_.audit_unsealed_rows.Set(
        session
            .exec(
                "select count(*) from public.audit_log where xid >= coalesce((select to_xid from medidesk.audit_seals "
                "order by seq desc limit 1), 0)")[0][0]
            .as<double>());
    const pqxx::result tables = session.exec(
        "select relname, n_live_tup from pg_stat_user_tables where schemaname = 'public' and relname in ('contacts', "
        "'conversations', 'messages', 'turns', 'replies', 'reply_parts', 'tasks', 'patients', 'audit_log')");
    for (const pqxx::row row : tables) metrics_.SetTableRows(row[0].c_str(), row[1].as<double>());
  }
}

}  // namespace medidesk::store
