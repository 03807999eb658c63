#include "gateway/service/gateway_metrics.h"

namespace medidesk::gateway {
namespace {

using prometheus::BuildCounter;
using prometheus::BuildGauge;
using prometheus::BuildHistogram;
using wa::ConnectionState;

constexpr ConnectionState kStates[] = {
    ConnectionState::kNeedsLink,  ConnectionState::kLinking,         ConnectionState::kConnecting,
    ConnectionState::kCatchingUp, ConnectionState::kConnected,       ConnectionState::kReconnecting,
    ConnectionState::kPaused,     ConnectionState::kReplaced,        ConnectionState::kVersionRefused,
    ConnectionState::kBanned,     ConnectionState::kUntrustedServer, ConnectionState::kStopped,
};

prometheus::Counter& OneCounter(prometheus::Registry& registry, const char* name, const char* help) {
  return BuildCounter().Name(name).Help(help).Register(registry).Add({});
}

}  // namespace

const char* StateName(ConnectionState state) {
  switch (state) {
    case ConnectionState::kNeedsLink:
      return "needs_link";
    case ConnectionState::kLinking:
      return "linking";
    case ConnectionState::kConnecting:
      return "connecting";
    case ConnectionState::kCatchingUp:
      return "catching_up";
    case ConnectionState::kConnected:
      return "connected";
    case ConnectionState::kReconnecting:
      return "reconnecting";
    case ConnectionState::kPaused:
      return "paused";
    case ConnectionState::kReplaced:
      return "replaced";
    case ConnectionState::kVersionRefused:
      return "version_refused";
    case ConnectionState::kBanned:
      return "banned";
    case ConnectionState::kUntrustedServer:
      return "untrusted_server";
    case ConnectionState::kStopped:
      return "stopped";
  }
  return "unknown";
}

GatewayMetrics::GatewayMetrics(prometheus::Registry& registry)
    : connected_(BuildGauge()
                     .Name("medidesk_gateway_number_connected")
                     .Help("1 while the number is logged in to WhatsApp")
                     .Register(registry)),
      logins_(BuildCounter().Name("medidesk_gateway_logins_total").Help("logins to WhatsApp").Register(registry)),
      disconnects_(BuildCounter()
                       .Name("medidesk_gateway_disconnects_total")
                       .Help("connections that ended after a login")
                       .Register(registry)),
      numbers_(BuildGauge()
                   .Name("medidesk_gateway_numbers")
                   .Help("numbers owned here, by the state of their connection")
                   .Register(registry)),
      heartbeats_(BuildCounter()
                      .Name("medidesk_gateway_heartbeats_total")
                      .Help("heartbeats to the store by outcome")
                      .Register(registry)),
      commits_(BuildCounter()
                   .Name("medidesk_gateway_commits_total")
                   .Help("batches of a number's writes by outcome")
                   .Register(registry)),
      links_(BuildCounter().Name("medidesk_gateway_links_total").Help("link attempts by outcome").Register(registry)),
      journal_(BuildCounter()
                   .Name("medidesk_gateway_journal_writes_total")
                   .Help("times that writes went to the local journal, by outcome")
                   .Register(registry)),
      leases_lost(OneCounter(registry, "medidesk_gateway_leases_lost_total", "numbers given up without a hand-over")),
      heartbeats_ok(heartbeats_.Add({{"outcome", "ok"}})),
      heartbeats_failed(heartbeats_.Add({{"outcome", "failed"}})),
      commit_seconds(BuildHistogram()
                         .Name("medidesk_gateway_commit_seconds")
                         .Help("from a batch's first try to its known outcome")
                         .Register(registry)
                         .Add({}, prometheus::Histogram::BucketBoundaries{0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1,
                                                                          0.25, 0.5, 1, 2.5, 5, 10, 60})),
      commit_operations(OneCounter(registry, "medidesk_gateway_commit_operations_total", "operations committed")),
      commits_ok(commits_.Add({{"outcome", "ok"}})),
      commits_repeated(commits_.Add({{"outcome", "repeated"}})),
      commits_refused(commits_.Add({{"outcome", "refused"}})),
      commit_retries(OneCounter(registry, "medidesk_gateway_commit_retries_total", "tries with an unknown outcome")),
      links_done(links_.Add({{"outcome", "linked"}})),
      links_failed(links_.Add({{"outcome", "failed"}})),
      links_left(links_.Add({{"outcome", "left"}})),
      resealed_records(
          OneCounter(registry, "medidesk_gateway_resealed_records_total", "records moved to the newest master key")),
      journal_writes(journal_.Add({{"outcome", "ok"}})),
      journal_failures(journal_.Add({{"outcome", "failed"}})),
      journal_replayed(OneCounter(registry, "medidesk_gateway_journal_replayed_total",
                                  "writes of an earlier run that were committed out of a journal")),
      journal_refused(OneCounter(registry, "medidesk_gateway_journals_refused_total",
                                 "journals that could not be read, or did not fit the store any more")) {
  for (const ConnectionState state : kStates) Numbers(state);
}

prometheus::Gauge& GatewayMetrics::Numbers(ConnectionState state) {
  return numbers_.Add({{"state", StateName(state)}});
}

GatewayMetrics::Number GatewayMetrics::ForNumber(const std::string& name) {
  std::string label = name;
  {
    const std::lock_guard lock(mutex_);
    if (names_.size() < kMaxNumbers) names_.insert(name);
    if (names_.count(name) == 0) label = "other";
  }
  const prometheus::Labels labels = {{"number", label}};
  return {.connected = connected_.Add(labels), .logins = logins_.Add(labels), .disconnects = disconnects_.Add(labels)};
}

}  // namespace medidesk::gateway
