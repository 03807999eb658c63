#include "assistant/build.h"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>

#include "base/log.h"
#include "safety/table.h"

namespace medidesk::assistant {

namespace {

claude::ClientOptions ClientOptionsOf(const AssistantConfig& config, const std::string& model, UsageRecorder& usage) {
  claude::ClientOptions options;
  options.api_key = claude::ApiKey(config.anthropic_api_key);
  options.base_url = config.anthropic_base_url;
  options.ca_file = config.anthropic_ca_file;
  options.model = model;
  options.fallback_model = config.fallback_model;
  options.max_connections = static_cast<std::size_t>(config.claude_connections);
  options.max_waiting = static_cast<std::size_t>(config.claude_queue);
  options.on_request = [&usage](std::string_view asked, bool usable, const claude::Usage& used) {
    usage.Add(asked, usable, used);
  };
  return options;
}

}  // namespace

void AssistantConfig::Register(FlagSet& flags) {
  flags.Add("anthropic_api_key", &anthropic_api_key, "Claude; empty: answers come from the facts alone");
  flags.Add("anthropic_base_url", &anthropic_base_url, "where Claude is reached");
  flags.Add("anthropic_ca_file", &anthropic_ca_file, "PEM file of a CA to trust beside the system's, for a proxy");
  flags.Add("model", &model, "model that answers");
  flags.Twin("model", "MEDIDESK_MODEL");
  flags.Add("fallback_model", &fallback_model, "model asked when the first gives no answer; empty: none");
  flags.Twin("fallback_model", "MEDIDESK_FALLBACK_MODEL");
  flags.Add("model_prices", &model_prices,
            "model=in/out with commas between, in US dollars for a million tokens: what the reports estimate costs by");
  flags.Add("claude_connections", &claude_connections, "connections to Claude", {.min = 1, .max = 1000});
  flags.Add("claude_queue", &claude_queue, "calls that may wait for a connection to Claude",
            {.min = 0, .max = 100'000});
  flags.Add("assistant_max_in_flight", &assistant_max_in_flight, "calls the assistant runs at once; more are refused",
            {.min = 1, .max = 100'000});
  flags.Add("history_messages", &history_messages, "messages of history read for an answer", {.min = 0, .max = 200});
  flags.Add("history_tokens", &context.history_tokens, "tokens of history sent to the model",
            {.min = 0, .max = 200'000});
  flags.Add("facts_tokens", &context.facts_tokens, "tokens of facts sent whole; above, the relevant ones are picked",
            {.min = 0, .max = 500'000});
  flags.Add("replies_an_hour", &replies_an_hour,
            "automatic answers to one contact, then a person is asked; 0: no limit", {.min = 0, .max = 100'000});
  flags.Add("loop_guard", &loop_guard, "hand over to a person when another machine seems to answer us");
  flags.Add("contact_daily_tokens", &contact_daily_tokens,
            "model tokens that a contact may use in a day, output counted five times, cached reads a tenth; above, "
            "answers come from the facts; 0: no limit",
            {.min = 0, .max = 1'000'000'000'000});
  flags.Add("hospital_daily_tokens", &hospital_daily_tokens,
            "the same for everybody together, in each assistant process", {.min = 0, .max = 1'000'000'000'000});
  flags.Add("emergency_number", &emergency_number, "of the site, where the hospital's file has none");
  flags.Twin("emergency_number", "MEDIDESK_EMERGENCY_NUMBER");
  flags.Add("crisis_line", &crisis_line, "of the site, where the hospital's file has none");
  flags.Twin("crisis_line", "MEDIDESK_CRISIS_LINE");
  flags.Add("staff_reply_minutes", &staff_reply_minutes,
            "how long staff usually take to answer, told at a hand-over while the desk is open; 0: not told",
            {.min = 0, .max = 10'000});
}

absl::Status AssistantConfig::Check() const {
  if (model.empty()) return Error(absl::StatusCode::kInvalidArgument, "--model: must not be empty");
  const auto prices = claude::PriceList::Parse(model_prices);
  if (!prices.ok()) return Error(prices.status().code(), "--model_prices: " + std::string(Text(prices.status())));
  return absl::OkStatus();
}

absl::StatusOr<std::unique_ptr<Assistant>> Assistant::Create(const AssistantConfig& config,
                                                             rpc::Dispatcher::Executor executor,
                                                             prometheus::Registry& registry,
                                                             const rpc::Channel& store) {
  MD_ASSIGN_OR_RETURN(safety::Gate gate, safety::Gate::Make(safety::EmbeddedTables()));
  MD_ASSIGN_OR_RETURN(safety::Texts texts, safety::Texts::Make(safety::EmbeddedTexts()));
  MD_ASSIGN_OR_RETURN(claude::PriceList prices, claude::PriceList::Parse(config.model_prices));
  std::unique_ptr<Assistant> assistant(
      new Assistant(config, executor, registry, store, std::move(gate), std::move(texts), std::move(prices)));
  if (!config.anthropic_api_key.empty()) {
    MD_ASSIGN_OR_RETURN(assistant->client_,
                        claude::MakeClient(executor, ClientOptionsOf(config, config.model, assistant->usage_),
                                           assistant->claude_metrics_));
  }
  AnswerMaker::Options answer_options;
  answer_options.context = config.context;
  answer_options.spend = {.contact_a_day = config.contact_daily_tokens, .hospital_a_day = config.hospital_daily_tokens};
  if (config.staff_reply_minutes > 0) answer_options.reply_minutes = std::to_string(config.staff_reply_minutes);
  if (assistant->client_ != nullptr) {
    // A variant's model has a client of its own, made when it is first dealt.
    answer_options.client_for = [owner = assistant.get(), executor, config](const std::string& model) {
      constexpr std::size_t kMostModels = 8;
      const std::lock_guard lock(owner->clients_mutex_);
      auto found = owner->clients_.find(model);
      if (found == owner->clients_.end() && owner->clients_.size() < kMostModels) {
        auto made = claude::MakeClient(executor, ClientOptionsOf(config, model, owner->usage_), owner->claude_metrics_);
        found = owner->clients_.emplace(model, made.ok() ? *std::move(made) : nullptr).first;
      }
      claude::Client* const client = found == owner->clients_.end() ? nullptr : found->second.get();
      // The experiment then compares the configured model with itself: somebody has to know.
      if (client == nullptr) log::Warning("experiment_model_unused", {{"model", log::Public(model)}});
      return client;
    };
  }
  assistant->answers_ = std::make_unique<AnswerMaker>(assistant->client_.get(), assistant->facts_, assistant->texts_,
                                                      assistant->metrics_, answer_options);
  TurnFlow::Options flow_options;
  flow_options.history_limit = config.history_messages;
  flow_options.limits.replies_an_hour = config.replies_an_hour;
  if (!config.loop_guard) flow_options.limits.same_texts = flow_options.limits.quick_turns = 0;
  assistant->flow_ = std::make_unique<TurnFlow>(store, assistant->gate_, assistant->texts_, assistant->facts_,
                                                *assistant->answers_, assistant->metrics_, flow_options);
  assistant->service_.SetFlow(assistant->flow_.get(), assistant->answers_.get());
  return assistant;
}

Assistant::Assistant(const AssistantConfig& config, rpc::Dispatcher::Executor executor, prometheus::Registry& registry,
                     const rpc::Channel& store, safety::Gate gate, safety::Texts texts, claude::PriceList prices)
    : gate_(std::move(gate)),
      texts_(std::move(texts)),
      metrics_(registry),
      claude_metrics_(registry, config.model, config.fallback_model),
      usage_(executor, store, metrics_.usage_dropped, {.prices = std::move(prices)}),
      dispatcher_(executor, registry, {.service = "assistant", .max_in_flight = config.assistant_max_in_flight}),
      tokens_(rpc::TokenCheck::AskStore(store)),
      guard_(&tokens_, {}),
      facts_(
          executor, store,
          {.context = config.context, .emergency_number = config.emergency_number, .crisis_line = config.crisis_line}),
      service_(dispatcher_, store, gate_, texts_, facts_, config.context) {
  dispatcher_.SetGuard(&guard_);
}

Assistant::~Assistant() { Stop(); }

void Assistant::Start() {
  facts_.Start();
  usage_.Start();
  if (client_ != nullptr) {
    boost::asio::co_spawn(dispatcher_.executor(), client_->Probe(), boost::asio::detached);
  } else {
    log::Info("no_model_key", {{"answers", "facts"}});
  }
}

void Assistant::Stop() {
  facts_.Stop();
  usage_.Stop();
}

}  // namespace medidesk::assistant
