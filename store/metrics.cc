#include "store/metrics.h"

namespace medidesk::store {
namespace {

template <class Builder>
auto& Named(Builder builder, prometheus::Registry& registry, const char* name, const char* help) {
  return builder.Name(name).Help(help).Register(registry);
}

const prometheus::Histogram::BucketBoundaries kSeconds = {0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01,
                                                          0.025,  0.05,   0.1,   0.25,  1,     5};

}  // namespace

StoreMetrics::StoreMetrics(prometheus::Registry& registry)
    : StoreMetrics(registry,
                   Named(prometheus::BuildGauge(), registry, "medidesk_store_pool_connections",
                         "Database connections in use and idle, and jobs waiting for one."),
                   Named(prometheus::BuildCounter(), registry, "medidesk_store_database_errors_total",
                         "Connections lost, jobs tried again and jobs given up.")) {}

StoreMetrics::StoreMetrics(prometheus::Registry& registry, prometheus::Family<prometheus::Gauge>& pool,
                           prometheus::Family<prometheus::Counter>& errors)
    : query_seconds(Named(prometheus::BuildHistogram(), registry, "medidesk_store_query_seconds",
                          "Time of a statement in the database, by its name.")),
      slow_queries(Named(prometheus::BuildCounter(), registry, "medidesk_store_slow_queries_total",
                         "Statements slower than --slow_query, by name.")),
      pool_in_use(pool.Add({{"state", "in_use"}})),
      pool_idle(pool.Add({{"state", "idle"}})),
      pool_waiting(pool.Add({{"state", "waiting"}})),
      pool_rejected(Named(prometheus::BuildCounter(), registry, "medidesk_store_pool_rejected_total",
                          "Jobs refused because the queue for a connection was full.")
                        .Add({})),
      connections_lost(errors.Add({{"kind", "lost"}})),
      jobs_retried(errors.Add({{"kind", "retried"}})),
      jobs_failed(errors.Add({{"kind", "failed"}})),
      database_up(Named(prometheus::BuildGauge(), registry, "medidesk_store_database_up",
                        "1 when the last job reached the database.")
                      .Add({})),
      table_rows(Named(prometheus::BuildGauge(), registry, "medidesk_store_table_rows",
                       "Rows of a table as the database's statistics estimate them.")),
      oldest_turn_seconds(Named(prometheus::BuildGauge(), registry, "medidesk_store_oldest_turn_seconds",
                                "Age of the oldest turn that has no reply yet.")
                              .Add({})),
      unfinished_turns(Named(prometheus::BuildGauge(), registry, "medidesk_store_unfinished_turns",
                             "Turns that are open or wait for their reply.")
                           .Add({})),
      open_tasks(
          Named(prometheus::BuildGauge(), registry, "medidesk_store_open_tasks", "Staff tasks not done.").Add({})),
      oldest_urgent_task_seconds(Named(prometheus::BuildGauge(), registry, "medidesk_store_oldest_urgent_task_seconds",
                                       "Age of the oldest urgent task that nobody has taken.")
                                     .Add({})),
      replicas(
          Named(prometheus::BuildGauge(), registry, "medidesk_store_replicas", "Servers that replicate the database.")
              .Add({})),
      replication_lag_seconds(Named(prometheus::BuildGauge(), registry, "medidesk_store_replication_lag_seconds",
                                    "How far the slowest replica is behind, where the login may see it.")
                                  .Add({})),
      audit_unsealed_rows(Named(prometheus::BuildGauge(), registry, "medidesk_store_audit_unsealed_rows",
                                "Audit rows that wait for the next seal.")
                              .Add({})),
      expired_texts(Named(prometheus::BuildCounter(), registry, "medidesk_store_expired_texts_total",
                          "Texts deleted because they were older than --retention_days.")
                        .Add({})) {}

void StoreMetrics::Observe(const char* query, std::chrono::nanoseconds took, bool slow) {
  query_seconds.Add({{"query", query}}, kSeconds).Observe(std::chrono::duration<double>(took).count());
  if (slow) slow_queries.Add({{"query", query}}).Increment();
}

void StoreMetrics::SetTableRows(const std::string& table, double rows) { table_rows.Add({{"table", table}}).Set(rows); }

}  // namespace medidesk::store
