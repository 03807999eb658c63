#include "tests/sim/claude/api.h"

#include <boost/json/serialize.hpp>
#include <fmt/format.h>

#include <algorithm>

#include "tests/sim/claude/api_error.h"
#include "tests/sim/claude/facts.h"
#include "tests/sim/claude/message_json.h"
#include "tests/sim/claude/message_request.h"
#include "tests/sim/claude/models.h"

namespace medidesk::claude_stub {
namespace {

namespace json = boost::json;

constexpr std::string_view kModels = "/v1/models";

ApiAnswer Fail(const ApiError& error, std::string_view request_id) {
  return {.status = error.status, .body = ErrorBody(error, request_id), .stream = false, .message = {}, .delay = {}};
}

ApiAnswer Success(const json::object& body) {
  return {.status = 200, .body = json::serialize(body), .stream = false, .message = {}, .delay = {}};
}

bool CallsTool(const Reply& reply) {
  return std::any_of(reply.content.begin(), reply.content.end(), [](const json::value& block) {
    return block.is_object() && block.get_object().contains("type") && block.at("type") == "tool_use";
  });
}

const Rule* FindRule(const Script& script, const MessageRequest& message) {
  if (script.rules.empty()) return nullptr;
  std::string text = message.user_text;
  std::transform(text.begin(), text.end(), text.begin(), [](char c) { return c >= 'A' && c <= 'Z' ? c + 32 : c; });
  for (const Rule& rule : script.rules) {
    if (message.answers_tools && CallsTool(rule.reply)) continue;
    if (text.find(rule.contains) != std::string::npos) return &rule;
  }
  return nullptr;
}

Reply ChooseReply(StubState& state, const Script& script, const MessageRequest& message, bool keep_reply) {
  if (message.max_tokens == 0) {
    Reply warming;
    warming.stop_reason = "max_tokens";
    return warming;
  }
  if (auto queued = state.TakeReply(keep_reply)) return *std::move(queued);
  if (const Rule* rule = FindRule(script, message)) return rule->reply;
  if (script.mode == Script::Mode::kFacts) {
    return TextReply(AnswerFromFacts(message.system_text + '\n' + message.tool_text, message.user_text));
  }
  return TextReply(fmt::format("stub: {}", message.user_text));
}

// Of the request's size; an estimate, as the vendor's own count is.
std::int64_t TokensOf(const Request& request) {
  return static_cast<std::int64_t>((request.body ? request.body->size() : 0) / 4 + 1);
}

ApiAnswer Messages(StubState& state, const ApiConfig& config, const Request& request, std::string_view request_id,
                   bool keep_reply) {
  const std::shared_ptr<const Script> script = state.script();
  const MessageRules rules{.models = config.models, .want_system = script->mode == Script::Mode::kFacts};
  MessageRequest message;
  if (auto error = ReadMessageRequest(request, rules, message)) return Fail(*error, request_id);
  Reply reply = ChooseReply(state, *script, message, keep_reply);
  ApiAnswer answer;
  answer.delay = config.latency + reply.delay;
  answer.stream = message.stream;
  const MessageFrame frame{.model = std::move(message.model),
                           .input_tokens = TokensOf(request),
                           .new_id = [&](std::string_view prefix) { return state.NewId(prefix); }};
  json::object built = BuildMessage(std::move(reply), frame);
  if (answer.stream) {
    answer.message = std::move(built);
  } else {
    answer.body = json::serialize(built);
  }
  return answer;
}

ApiAnswer CountTokens(const ApiConfig& config, const Request& request, std::string_view request_id) {
  MessageRequest message;
  if (auto error = ReadMessageRequest(request, {.models = config.models, .counting = true}, message)) {
    return Fail(*error, request_id);
  }
  return Success({{"input_tokens", TokensOf(request)}});
}

ApiAnswer Models(const ApiConfig& config, const Request& request, std::string_view request_id) {
  if (request.path == kModels) {
    json::object page;
    if (auto error = ListModels(config.models, request.query, page)) return Fail(*error, request_id);
    return Success(page);
  }
  const std::string id = request.path.substr(kModels.size() + 1);
  if (std::find(config.models.begin(), config.models.end(), id) == config.models.end()) {
    return Fail({.status = 404, .message = fmt::format("model: {}", id)}, request_id);
  }
  return Success(ModelInfo(id));
}

}  // namespace

ApiAnswer AnswerApi(StubState& state, const ApiConfig& config, const Request& request, std::string_view request_id,
                    bool keep_reply) {
  const bool messages = request.method == "POST" && request.path == "/v1/messages";
  const bool counting = request.method == "POST" && request.path == "/v1/messages/count_tokens";
  const bool models = request.method == "GET" && (request.path == kModels || request.path.starts_with("/v1/models/"));
  if (request.too_large) {
    return Fail({.status = 413, .message = "Request exceeds the maximum size"}, request_id);
  }
  if (!messages && !counting && !models) return Fail({.status = 404, .message = "Not found"}, request_id);
  if (auto error = CheckCredential(request)) return Fail(*error, request_id);
  if (auto error = CheckVersion(request)) return Fail(*error, request_id);
  if (messages) return Messages(state, config, request, request_id, keep_reply);
  return counting ? CountTokens(config, request, request_id) : Models(config, request, request_id);
}

}  // namespace medidesk::claude_stub
