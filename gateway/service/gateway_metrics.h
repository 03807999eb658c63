// Metrics of the gateway's numbers and leases. Thread-safe. The label `number` is the operator's short name; above
// kMaxNumbers of them the rest share "other".
//
//   medidesk_gateway_number_connected{number}        1 while logged in
//   medidesk_gateway_logins_total{number}
//   medidesk_gateway_disconnects_total{number}       connections that ended after a login
//   medidesk_gateway_numbers{state}                  numbers owned here, by the state of their connection
//   medidesk_gateway_leases_lost_total               numbers another gateway took, or that the store was silent about
//   medidesk_gateway_heartbeats_total{outcome}       ok, failed
//   medidesk_gateway_commit_seconds                  histogram: from a batch's first try to its known outcome
//   medidesk_gateway_commit_operations_total         operations committed
//   medidesk_gateway_commits_total{outcome}          ok, repeated (the outcome of an earlier try), refused
//   medidesk_gateway_commit_retries_total            tries whose outcome was unknown
//   medidesk_gateway_links_total{outcome}            link attempts: linked, failed, left
//   medidesk_gateway_resealed_records_total          records moved to the newest master key
//   medidesk_gateway_journal_writes_total{outcome}   times that writes went to the local journal: ok, failed
//   medidesk_gateway_journal_replayed_total          writes of an earlier run that were committed out of a journal
//   medidesk_gateway_journals_refused_total          journals that could not be read, or did not fit the store any more
#pragma once

#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>

#include <mutex>
#include <set>
#include <string>

#include "gateway/wa/reconnect_policy.h"

namespace medidesk::gateway {

// The state as metrics and log lines name it: "needs_link".
const char* StateName(wa::ConnectionState state);

class GatewayMetrics {
 public:
  static constexpr std::size_t kMaxNumbers = 200;

  explicit GatewayMetrics(prometheus::Registry& registry);

  struct Number {
    prometheus::Gauge& connected;
    prometheus::Counter& logins;
    prometheus::Counter& disconnects;
  };
  Number ForNumber(const std::string& name);
  prometheus::Gauge& Numbers(wa::ConnectionState state);

 private:
  prometheus::Family<prometheus::Gauge>& connected_;
  prometheus::Family<prometheus::Counter>& logins_;
  prometheus::Family<prometheus::Counter>& disconnects_;
  prometheus::Family<prometheus::Gauge>& numbers_;
  prometheus::Family<prometheus::Counter>& heartbeats_;
  prometheus::Family<prometheus::Counter>& commits_;
  prometheus::Family<prometheus::Counter>& links_;
  prometheus::Family<prometheus::Counter>& journal_;
  std::mutex mutex_;
  std::set<std::string> names_;  // under mutex_

 public:
  prometheus::Counter& leases_lost;
  prometheus::Counter& heartbeats_ok;
  prometheus::Counter& heartbeats_failed;
  prometheus::Histogram& commit_seconds;
  prometheus::Counter& commit_operations;
  prometheus::Counter& commits_ok;
  prometheus::Counter& commits_repeated;
  prometheus::Counter& commits_refused;
  prometheus::Counter& commit_retries;
  prometheus::Counter& links_done;
  prometheus::Counter& links_failed;
  prometheus::Counter& links_left;
  prometheus::Counter& resealed_records;
  prometheus::Counter& journal_writes;
  prometheus::Counter& journal_failures;
  prometheus::Counter& journal_replayed;
  prometheus::Counter& journal_refused;
};

}  // namespace medidesk::gateway
