#include "tests/sim/claude/control.h"

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <initializer_list>

#include "tests/sim/claude/api_error.h"
#include "tests/sim/claude/message_json.h"

namespace medidesk::claude_stub {
namespace {

namespace json = boost::json;

constexpr std::int64_t kMaxDelayMs = 3'600'000;

absl::Status Bad(std::string_view text) { return Error(absl::StatusCode::kInvalidArgument, text); }

absl::StatusOr<json::value> Parse(std::string_view text) {
  json::parse_options options;
  options.max_depth = 200;
  json::error_code error;
  json::value value = json::parse(json::string_view(text.data(), text.size()), error, {}, options);
  if (error) return Bad("the body is not valid JSON");
  return value;
}

// Reads the fields of one object; the first mistake is kept and the fields after it are left alone.
class Fields {
 public:
  Fields(const json::value& value, std::string_view what) : object_(value.if_object()), what_(what) {
    if (object_ == nullptr) Fail("expected an object");
  }

  void Read(std::string_view key, std::string& target) {
    const json::value* value = Find(key);
    if (value == nullptr) return;
    if (!value->is_string()) return Fail(fmt::format("{}: expected a string", key));
    target.assign(value->get_string().data(), value->get_string().size());
  }
  void Read(std::string_view key, std::int64_t& target, std::int64_t min, std::int64_t max) {
    const json::value* value = Find(key);
    if (value == nullptr) return;
    if (!value->is_int64() || value->get_int64() < min || value->get_int64() > max) {
      return Fail(fmt::format("{}: expected a whole number from {} to {}", key, min, max));
    }
    target = value->get_int64();
  }
  void Read(std::string_view key, std::chrono::milliseconds& target) {
    std::int64_t count = target.count();
    Read(key, count, 0, kMaxDelayMs);
    target = std::chrono::milliseconds(count);
  }
  void Read(std::string_view key, json::object& target) {
    const json::value* value = Find(key);
    if (value == nullptr) return;
    if (!value->is_object()) return Fail(fmt::format("{}: expected an object", key));
    target = value->get_object();
  }
  void Read(std::string_view key, json::array& target) {
    const json::value* value = Find(key);
    if (value == nullptr) return;
    if (!value->is_array()) return Fail(fmt::format("{}: expected an array", key));
    target = value->get_array();
  }
  const json::value* Find(std::string_view key) {
    if (!status_.ok()) return nullptr;
    known_.push_back(key);
    return object_->if_contains(key);
  }
  void Fail(std::string_view text) {
    if (status_.ok()) status_ = Bad(fmt::format("{}: {}", what_, text));
  }
  // The first mistake, an unknown field included.
  absl::Status Finish() {
    if (!status_.ok()) return status_;
    for (const auto& field : *object_) {
      const std::string_view key(field.key().data(), field.key().size());
      if (std::find(known_.begin(), known_.end(), key) == known_.end()) {
        Fail(fmt::format("a field is not known; there are {}", fmt::join(known_, ", ")));
      }
    }
    return status_;
  }

 private:
  const json::object* object_;
  std::string what_;
  absl::Status status_;
  std::vector<std::string_view> known_;
};

void ReadReplyFields(Fields& fields, Reply& reply) {
  fields.Read("content", reply.content);
  fields.Read("stop_reason", reply.stop_reason);
  if (const json::value* details = fields.Find("stop_details")) reply.stop_details = *details;
  fields.Read("usage", reply.usage);
  fields.Read("delay_ms", reply.delay);
  const bool blocks = std::all_of(reply.content.begin(), reply.content.end(), [](const json::value& block) {
    const json::object* object = block.if_object();
    const json::value* type = object == nullptr ? nullptr : object->if_contains("type");
    return type != nullptr && type->is_string();
  });
  if (!blocks) fields.Fail("content: every block is an object with a type");
}

std::string Lower(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(), [](char c) { return c >= 'A' && c <= 'Z' ? c + 32 : c; });
  return text;
}

void ReadMode(Fields& fields, Fault::Mode& mode) {
  constexpr std::array<std::pair<std::string_view, Fault::Mode>, 7> kModes = {{{"http", Fault::Mode::kHttp},
                                                                               {"delay", Fault::Mode::kDelay},
                                                                               {"disconnect", Fault::Mode::kDisconnect},
                                                                               {"hang", Fault::Mode::kHang},
                                                                               {"sse_error", Fault::Mode::kSseError},
                                                                               {"truncate", Fault::Mode::kTruncate},
                                                                               {"stall", Fault::Mode::kStall}}};
  std::string name = "http";
  fields.Read("mode", name);
  const auto* found = std::find_if(kModes.begin(), kModes.end(), [&](const auto& mode) { return mode.first == name; });
  if (found == kModes.end()) {
    return fields.Fail("mode: expected http, delay, disconnect, hang, sse_error, truncate or stall");
  }
  mode = found->second;
}

bool IsHeaderName(std::string_view name) {
  return !name.empty() && std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
  });
}

bool IsHeaderValue(std::string_view value) {
  return std::none_of(value.begin(), value.end(),
                      [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; });
}

// The stub writes these itself.
bool IsReserved(std::string_view name) {
  return name == "content-length" || name == "transfer-encoding" || name == "connection" || name == "request-id";
}

void ReadHeaders(Fields& fields, Headers& headers) {
  json::object object;
  fields.Read("headers", object);
  for (const auto& field : object) {
    const std::string name = Lower(std::string(field.key()));
    const json::string* value = field.value().if_string();
    if (!IsHeaderName(name) || IsReserved(name) || value == nullptr || !IsHeaderValue({value->data(), value->size()})) {
      return fields.Fail("headers: expected names and string values that HTTP allows and the stub does not set itself");
    }
    headers.emplace_back(name, std::string(value->data(), value->size()));
  }
}

absl::StatusOr<Rule> RuleOf(const json::value& value) {
  Fields fields(value, "rule");
  Rule rule;
  fields.Read("contains", rule.contains);
  rule.contains = Lower(std::move(rule.contains));
  std::string text;
  fields.Read("text", text);
  ReadReplyFields(fields, rule.reply);
  if (!text.empty() && !rule.reply.content.empty()) fields.Fail("expected text or content, not both");
  if (!text.empty()) rule.reply.content = TextReply(text).content;
  MD_RETURN_IF_ERROR(fields.Finish());
  if (rule.reply.content.empty()) return Bad("rule: expected text or content");
  return rule;
}

ControlAnswer Answer(const absl::Status& status) {
  if (status.ok()) return {};
  json::object body;
  body["error"] = Text(status);
  return {.status = status.code() == absl::StatusCode::kResourceExhausted ? 503 : 400, .body = json::serialize(body)};
}

}  // namespace

absl::StatusOr<Reply> ParseReply(std::string_view text) {
  MD_ASSIGN_OR_RETURN(const json::value value, Parse(text));
  Fields fields(value, "reply");
  Reply reply;
  ReadReplyFields(fields, reply);
  MD_RETURN_IF_ERROR(fields.Finish());
  return reply;
}

absl::StatusOr<Fault> ParseFault(std::string_view text) {
  MD_ASSIGN_OR_RETURN(const json::value value, Parse(text));
  Fields fields(value, "fault");
  Fault fault;
  ReadMode(fields, fault.mode);
  std::int64_t status = fault.mode == Fault::Mode::kSseError ? 529 : 500;
  fields.Read("times", fault.times, 0, 1'000'000'000);
  fields.Read("path", fault.path);
  fields.Read("status", status, 300, 599);
  fields.Read("type", fault.type);
  fields.Read("message", fault.message);
  if (const json::value* details = fields.Find("details")) fault.details = *details;
  if (const json::value* body = fields.Find("body")) {
    if (!body->is_string()) fields.Fail("body: expected a string");
    if (body->is_string()) fault.body = std::string(body->get_string());
  }
  ReadHeaders(fields, fault.headers);
  fields.Read("delay_ms", fault.delay);
  fields.Read("after_deltas", fault.after_deltas, 0, 1'000'000);
  MD_RETURN_IF_ERROR(fields.Finish());
  fault.status = static_cast<int>(status);
  return fault;
}

absl::StatusOr<Script> ParseScript(std::string_view text) {
  MD_ASSIGN_OR_RETURN(const json::value value, Parse(text));
  Script script;
  json::array rules;
  if (const json::array* only_rules = value.if_array()) {
    rules = *only_rules;
  } else {
    Fields fields(value, "script");
    std::string mode = "echo";
    fields.Read("mode", mode);
    if (mode != "echo" && mode != "facts") fields.Fail("mode: expected echo or facts");
    if (mode == "facts") script.mode = Script::Mode::kFacts;
    fields.Read("rules", rules);
    MD_RETURN_IF_ERROR(fields.Finish());
  }
  for (const json::value& rule : rules) {
    MD_ASSIGN_OR_RETURN(Rule read, RuleOf(rule));
    script.rules.push_back(std::move(read));
  }
  return script;
}

ControlAnswer Control(StubState& state, const Request& request) {
  const std::string_view path = std::string_view(request.path).substr(kControlPrefix.size());
  const std::string_view body = request.body ? std::string_view(*request.body) : std::string_view();
  const bool known = path == "reset" || path == "reply" || path == "inject" || path == "script" || path == "requests";
  if (!known) return {.status = 404, .body = R"({"error":"there are reset, reply, inject, script and requests"})"};
  if (request.method != (path == "requests" ? "GET" : "POST")) {
    return {.status = 405, .body = R"({"error":"requests is read with GET, everything else is a POST"})"};
  }
  if (request.too_large) return {.status = 413, .body = R"({"error":"the body is above 32 MB"})"};
  if (path == "requests") return {.status = 200, .body = RequestsJson(state)};
  if (path == "reset") {
    state.Reset();
    return {};
  }
  if (path == "reply") {
    auto reply = ParseReply(body);
    return Answer(reply.ok() ? state.QueueReply(*std::move(reply)) : reply.status());
  }
  if (path == "inject") {
    auto fault = ParseFault(body);
    return Answer(fault.ok() ? state.Inject(*std::move(fault)) : fault.status());
  }
  auto script = ParseScript(body);
  if (!script.ok()) return Answer(script.status());
  state.SetScript(*std::move(script));
  return {};
}

std::string RequestsJson(const StubState& state) {
  json::array requests;
  for (const StubState::RequestPtr& request : state.Requests()) {
    json::object headers;
    for (const auto& [name, value] : request->headers) headers[name] = value;
    json::value body;
    if (request->body && !request->body->empty()) {
      json::parse_options options;
      options.max_depth = 200;
      json::error_code error;
      body = json::parse(json::string_view(request->body->data(), request->body->size()), error, {}, options);
      if (error) body = nullptr;
    }
    json::object entry;
    entry["method"] = request->method;
    entry["path"] = request->path;
    entry["query"] = request->query;
    entry["headers"] = std::move(headers);
    entry["body"] = std::move(body);
    entry["at_ms"] = request->at.count();
    requests.push_back(std::move(entry));
  }
  json::object answer;
  answer["requests"] = std::move(requests);
  answer["total"] = state.request_count();
  return json::serialize(answer);
}

}  // namespace medidesk::claude_stub
