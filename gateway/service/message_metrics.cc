#include "gateway/service/message_metrics.h"

namespace medidesk::gateway {
namespace {

prometheus::Family<prometheus::Counter>& Counters(prometheus::Registry& registry, const char* name, const char* help) {
  return prometheus::BuildCounter().Name(name).Help(help).Register(registry);
}
prometheus::Gauge& Waiting(prometheus::Registry& registry, const char* name, const char* help) {
  return prometheus::BuildGauge().Name(name).Help(help).Register(registry).Add({});
}
const prometheus::Histogram::BucketBoundaries kSeconds = {0.01, 0.03, 0.1, 0.3, 0.6, 1,  2,  3,
                                                          5,    8,    13,  21,  34,  60, 300};

}  // namespace

MessageMetrics::MessageMetrics(prometheus::Registry& registry)
    : received_(Counters(registry, "medidesk_gateway_messages_received_total", "messages accepted from WhatsApp")),
      sent_(Counters(registry, "medidesk_gateway_messages_sent_total", "parts that WhatsApp has acknowledged")),
      failed_(Counters(registry, "medidesk_gateway_messages_failed_total", "parts that ended without being sent")),
      marks_(Counters(registry, "medidesk_gateway_delivery_marks_total", "what became of sent parts")),
      turns_(Counters(registry, "medidesk_gateway_turns_total", "turns by what answered them")),
      verdicts_(Counters(registry, "medidesk_gateway_gate_verdicts_total", "the gate's verdicts on messages")),
      refused_(Counters(registry, "medidesk_gateway_sends_refused_total", "error 463 to a message")),
      send_state_(prometheus::BuildGauge()
                      .Name("medidesk_gateway_send_state")
                      .Help("1 normal, 2 limited, 3 held")
                      .Register(registry)),
      answer_seconds_(prometheus::BuildHistogram()
                          .Name("medidesk_gateway_answer_seconds")
                          .Help("from a turn's last message to its answer")
                          .Register(registry)
                          .Add({}, kSeconds)),
      held_back_seconds_(prometheus::BuildHistogram()
                             .Name("medidesk_gateway_held_back_seconds")
                             .Help("that a part waited for the governor and the line")
                             .Register(registry)
                             .Add({}, kSeconds)),
      turns_waiting(Waiting(registry, "medidesk_gateway_turns_waiting", "turns that are not answered yet")),
      replies_waiting(Waiting(registry, "medidesk_gateway_replies_waiting", "replies that have not left yet")),
      stanzas_waiting(Waiting(registry, "medidesk_gateway_stanzas_waiting", "stanzas that are not stored yet")) {}

std::string MessageMetrics::Label(const std::string& number) {
  const std::lock_guard lock(mutex_);
  if (names_.contains(number)) return number;
  if (names_.size() >= kMaxNumbers) return "other";
  names_.insert(number);
  return number;
}

bot::BotMetrics MessageMetrics::ForBot(const std::string& number) {
  const std::string label = Label(number);
  return {.part =
              [this, label](std::string_view outcome) {
                if (outcome == "sent") return sent_.Add({{"number", label}}).Increment();
                failed_.Add({{"number", label}, {"outcome", std::string(outcome)}}).Increment();
              },
          .turn =
              [this](std::string_view kind, double seconds) {
                turns_.Add({{"answer", std::string(kind)}}).Increment();
                answer_seconds_.Observe(seconds);
              },
          .held_back = [this](double seconds) { held_back_seconds_.Observe(seconds); },
          .refused =
              [this, label] {
                refused_.Add({{"number", label}}).Increment();
              }};
}

void MessageMetrics::OnReceived(const std::string& number, const char* kind) {
  received_.Add({{"number", Label(number)}, {"kind", kind}}).Increment();
}

void MessageMetrics::OnVerdict(std::string_view severity) {
  verdicts_.Add({{"severity", std::string(severity)}}).Increment();
}

void MessageMetrics::OnMark(const char* state) { marks_.Add({{"state", state}}).Increment(); }

prometheus::Gauge& MessageMetrics::SendState(const std::string& number) {
  return send_state_.Add({{"number", Label(number)}});
}

}  // namespace medidesk::gateway
