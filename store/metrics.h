// What the store reports about its database.
//
//   medidesk_store_query_seconds{query}        histogram, from the pool's thread: waiting excluded
//   medidesk_store_slow_queries_total{query}   statements slower than --slow_query
//   medidesk_store_pool_connections{state}     in_use, idle, waiting (jobs queued)
//   medidesk_store_pool_rejected_total         jobs refused because the queue was full
//   medidesk_store_database_errors_total{kind} lost, retried, failed
//   medidesk_store_database_up                 1 when the last job reached the database
//   medidesk_store_table_rows{table}           estimate of the statistics collector
//   medidesk_store_oldest_turn_seconds         age of the oldest unfinished turn
//   medidesk_store_unfinished_turns            open and sealed turns
//   medidesk_store_open_tasks                  staff tasks not done
//   medidesk_store_oldest_urgent_task_seconds  age of the oldest urgent task that nobody has taken
//   medidesk_store_replicas                    servers that replicate the database
//   medidesk_store_replication_lag_seconds     of the slowest, where the login may see it (pg_monitor)
//   medidesk_store_expired_texts_total         texts deleted because of --retention_days
//   medidesk_store_audit_unsealed_rows         audit rows the last round left for the next
#pragma once

#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>

#include <chrono>
#include <string>

namespace medidesk::store {

struct StoreMetrics {
  explicit StoreMetrics(prometheus::Registry& registry);

  // Thread-safe.
  void Observe(const char* query, std::chrono::nanoseconds took, bool slow);
  void SetTableRows(const std::string& table, double rows);

  prometheus::Family<prometheus::Histogram>& query_seconds;
  prometheus::Family<prometheus::Counter>& slow_queries;
  prometheus::Gauge& pool_in_use;
  prometheus::Gauge& pool_idle;
  prometheus::Gauge& pool_waiting;
  prometheus::Counter& pool_rejected;
  prometheus::Counter& connections_lost;
  prometheus::Counter& jobs_retried;
  prometheus::Counter& jobs_failed;
  prometheus::Gauge& database_up;
  prometheus::Family<prometheus::Gauge>& table_rows;
  prometheus::Gauge& oldest_turn_seconds;
  prometheus::Gauge& unfinished_turns;
  prometheus::Gauge& open_tasks;
  prometheus::Gauge& oldest_urgent_task_seconds;
  prometheus::Gauge& replicas;
  prometheus::Gauge& replication_lag_seconds;
  prometheus::Gauge& audit_unsealed_rows;
  prometheus::Counter& expired_texts;

 private:
  StoreMetrics(prometheus::Registry& registry, prometheus::Family<prometheus::Gauge>& pool,
               prometheus::Family<prometheus::Counter>& errors);
};

}  // namespace medidesk::store
