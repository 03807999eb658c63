// Metrics of the messages of the gateway's numbers. Thread-safe. The label `number` as in gateway_metrics.h.
//
//   medidesk_gateway_messages_received_total{number,kind}   text, unreadable, edit, deletion, reaction, undecryptable;
//                                                           duplicates not counted
//   medidesk_gateway_messages_sent_total{number}            parts that WhatsApp has acknowledged
//   medidesk_gateway_messages_failed_total{number,outcome}  parts that ended otherwise: failed, unknown, discarded
//   medidesk_gateway_delivery_marks_total{state}            sent, delivered, read, as the store keeps them
//   medidesk_gateway_turns_total{answer}                    assistant, cannot_read, stale, apology, silent
//   medidesk_gateway_answer_seconds                         from a turn's last message to its answer's being there
//   medidesk_gateway_held_back_seconds                      that the send governor and the line held a part back
//   medidesk_gateway_gate_verdicts_total{severity}          of messages from WhatsApp: none, lite, emergency
//   medidesk_gateway_sends_refused_total{number}            error 463
//   medidesk_gateway_send_state{number}                     1 normal, 2 limited, 3 held
//   medidesk_gateway_turns_waiting, _replies_waiting, _stanzas_waiting   in memory, all numbers
#pragma once

#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>

#include <mutex>
#include <set>
#include <string>

#include "gateway/bot/bot_metrics.h"

namespace medidesk::gateway {

class MessageMetrics {
 public:
  static constexpr std::size_t kMaxNumbers = 200;

  explicit MessageMetrics(prometheus::Registry& registry);

  // Of one number. Holds this.
  bot::BotMetrics ForBot(const std::string& number);
  void OnReceived(const std::string& number, const char* kind);
  void OnVerdict(std::string_view severity);
  void OnMark(const char* state);
  prometheus::Gauge& SendState(const std::string& number);

 private:
  std::string Label(const std::string& number);

  prometheus::Family<prometheus::Counter>& received_;
  prometheus::Family<prometheus::Counter>& sent_;
  prometheus::Family<prometheus::Counter>& failed_;
  prometheus::Family<prometheus::Counter>& marks_;
  prometheus::Family<prometheus::Counter>& turns_;
  prometheus::Family<prometheus::Counter>& verdicts_;
  prometheus::Family<prometheus::Counter>& refused_;
  prometheus::Family<prometheus::Gauge>& send_state_;
  prometheus::Histogram& answer_seconds_;
  prometheus::Histogram& held_back_seconds_;
  std::mutex mutex_;
  std::set<std::string> names_;  // under mutex_

 public:
  prometheus::Gauge& turns_waiting;
  prometheus::Gauge& replies_waiting;
  prometheus::Gauge& stanzas_waiting;
};

}  // namespace medidesk::gateway
