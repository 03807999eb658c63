// The assistant put together. Used by main.cc and by the all-in-one program.
#pragma once

#include <grpcpp/impl/service_type.h>
#include <prometheus/registry.h>

#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "assistant/claude/client.h"
#include "assistant/claude/metrics.h"
#include "assistant/service/answer_maker.h"
#include "assistant/service/assistant_service.h"
#include "assistant/service/fact_cache.h"
#include "assistant/service/turn_flow.h"
#include "assistant/service/usage_recorder.h"
#include "base/flags.h"
#include "base/rpc/call_guard.h"
#include "base/rpc/channel.h"
#include "base/rpc/dispatcher.h"

namespace medidesk::assistant {

struct AssistantConfig {
  std::string anthropic_api_key;
  std::string anthropic_base_url = "https://api.anthropic.com";
  std::string anthropic_ca_file;
  std::string model = "claude-haiku-5-5";
  std::string fallback_model = "claude-sonnet-5-5";
  std::string model_prices = "claude-haiku-5-5=0.10/0.50,claude-sonnet-5-5=2/10";  // claude::PriceList
  int claude_connections = 64;
  int claude_queue = 256;
  int assistant_max_in_flight = 512;
  int history_messages = 24;
  int replies_an_hour = 30;  // to one contact; 0: no limit
  bool loop_guard = true;
  std::int64_t contact_daily_tokens = 0, hospital_daily_tokens = 0;  // weighed; 0: no limit
  std::string emergency_number;
  std::string crisis_line;
  int staff_reply_minutes = 0;  // told at a hand-over; 0: not told
  ContextOptions context;

  void Register(FlagSet& flags);
  absl::Status Check() const;
};

// Owns everything but the event loop, the registry and the store behind `store`, which outlive it.
// Stop servers first, then Stop(), then the event loop.
class Assistant {
 public:
  // INVALID_ARGUMENT when the Claude client's options are wrong or a safety table does not parse.
  static absl::StatusOr<std::unique_ptr<Assistant>> Create(const AssistantConfig& config,
                                                           rpc::Dispatcher::Executor executor,
                                                           prometheus::Registry& registry, const rpc::Channel& store);
  ~Assistant();

  rpc::Dispatcher& dispatcher() { return dispatcher_; }
  std::vector<grpc::Service*> services() { return {&service_}; }

  // Before the server starts: see CallGuard.
  void TrustNetwork(bool trust) { guard_.TrustNetwork(trust); }

  // Follows the facts, tells the store what the models use, and asks what the models can do.
  void Start();
  void Stop();

 private:
  Assistant(const AssistantConfig& config, rpc::Dispatcher::Executor executor, prometheus::Registry& registry,
            const rpc::Channel& store, safety::Gate gate, safety::Texts texts, claude::PriceList prices);

  const safety::Gate gate_;
  const safety::Texts texts_;
  AssistantMetrics metrics_;
  claude::Metrics claude_metrics_;
  UsageRecorder usage_;
  std::unique_ptr<claude::Client> client_;  // null without a key
  std::mutex clients_mutex_;
  std::map<std::string, std::unique_ptr<claude::Client>> clients_;  // of experiments, by model
  rpc::Dispatcher dispatcher_;
  rpc::TokenCheck tokens_;
  rpc::CallGuard guard_;
  FactCache facts_;
  std::unique_ptr<AnswerMaker> answers_;
  std::unique_ptr<TurnFlow> flow_;
  AssistantService service_;
};

}  // namespace medidesk::assistant
