#include "assistant/claude/messages.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <utility>

namespace medidesk::assistant::claude {
namespace {

absl::Status Invalid(std::string_view rule) { return Error(absl::StatusCode::kInvalidArgument, rule); }

void AppendCacheControl(std::string& out, const std::optional<CacheTtl>& cache) {
  if (!cache) return;
  out += *cache == CacheTtl::kOneHour ? R"(,"cache_control":{"type":"ephemeral","ttl":"1h"})"
                                      : R"(,"cache_control":{"type":"ephemeral","ttl":"5m"})";
}

void AppendText(std::string& out, std::string_view text, const std::optional<CacheTtl>& cache) {
  out += R"({"type":"text","text":)";
  AppendJsonString(out, text);
  AppendCacheControl(out, cache);
  out += '}';
}

struct BlockWriter {
  std::string& out;

  void operator()(const TextBlock& block) const {
    if (!block.raw.empty()) {
      out += block.raw;
    } else {
      AppendText(out, block.text, block.cache);
    }
  }
  void operator()(const ToolUseBlock& block) const {
    if (!block.raw.empty()) {
      out += block.raw;
      return;
    }
    out += R"({"type":"tool_use","id":)";
    AppendJsonString(out, block.id);
    out += R"(,"name":)";
    AppendJsonString(out, block.name);
    out += R"(,"input":)";
    out += block.input.text();
    out += '}';
  }
  void operator()(const ToolResultBlock& block) const {
    out += R"({"type":"tool_result","tool_use_id":)";
    AppendJsonString(out, block.tool_use_id);
    if (block.is_error) out += R"(,"is_error":true)";
    out += R"(,"content":)";
    AppendJsonString(out, block.content);
    out += '}';
  }
  void operator()(const OtherBlock& block) const { out += block.raw; }
};

// The API refuses empty text blocks, also the ones it sent itself.
bool IsEmptyText(const ContentBlock& block) {
  const auto* text = std::get_if<TextBlock>(&block);
  return text != nullptr && text->text.empty();
}

bool IsEmpty(const Message& message) {
  return std::all_of(message.content.begin(), message.content.end(), IsEmptyText);
}

absl::Status Check(const Request& request, const ModelSettings& settings, int max_tokens) {
  if (settings.model.empty()) return Invalid("no model named");
  if (max_tokens < 1) return Invalid("max_tokens: expected at least 1");
  if (!settings.stream && max_tokens > kMaxTokensWithoutStream) {
    return Invalid("max_tokens: above 21333 an answer must be streamed");
  }
  if (request.messages.empty()) return Invalid("messages: expected at least one");
  if (request.messages.size() > kMaxMessages) return Invalid("messages: too many");
  const Message& last = request.messages.back();
  const bool in_turn = last.role == Role::kUser || settings.resumes;
  if (!in_turn || IsEmpty(last)) {
    return Invalid("messages: the last one must be the user's and not empty");
  }
  if (request.tools && !request.tools->text().starts_with('[')) return Invalid("tools: expected a JSON array");
  return absl::OkStatus();
}

}  // namespace

Message UserText(std::string text) {
  Message message;
  message.role = Role::kUser;
  TextBlock block;
  block.text = std::move(text);
  message.content.emplace_back(std::move(block));
  return message;
}

std::shared_ptr<const std::string> QuoteText(std::string_view text) {
  auto quoted = std::make_shared<std::string>();
  AppendJsonString(*quoted, text);
  return quoted;
}

absl::StatusOr<std::string> SerializeRequest(const Request& request, const ModelSettings& settings) {
  const int max_tokens = settings.max_tokens != 0 ? settings.max_tokens : request.max_tokens;
  MD_RETURN_IF_ERROR(Check(request, settings, max_tokens));

  std::string out = R"({"model":)";
  AppendJsonString(out, settings.model);
  fmt::format_to(std::back_inserter(out), R"(,"max_tokens":{})", max_tokens);
  if (!settings.thinking.empty()) out += R"(,"thinking":)" + settings.thinking;
  if (!settings.effort.empty()) {
    out += R"(,"output_config":{"effort":)";
    AppendJsonString(out, settings.effort);
    out += '}';
  }
  bool first = true;
  for (const SystemBlock& block : request.system) {
    if (block.text.empty()) continue;
    out += first ? R"(,"system":[)" : ",";
    first = false;
    if (block.quoted == nullptr) {
      AppendText(out, block.text, block.cache);
      continue;
    }
    out += R"({"type":"text","text":)";
    out += *block.quoted;
    AppendCacheControl(out, block.cache);
    out += '}';
  }
  if (!first) out += ']';
  if (request.tools) {
    out += R"(,"tools":)" + request.tools->text();
    out += request.allow_tools ? R"(,"tool_choice":{"type":"auto"})" : R"(,"tool_choice":{"type":"none"})";
  }
  if (!request.user_id.empty()) {
    out += R"(,"metadata":{"user_id":)";
    AppendJsonString(out, request.user_id);
    out += '}';
  }
  AppendCacheControl(out, request.cache_dialogue);
  if (!request.stop_sequences.empty()) {
    out += R"(,"stop_sequences":[)";
    for (std::size_t i = 0; i < request.stop_sequences.size(); ++i) {
      if (i != 0) out += ',';
      AppendJsonString(out, request.stop_sequences[i]);
    }
    out += ']';
  }
  if (settings.stream) out += R"(,"stream":true)";

  out += R"(,"messages":[)";
  first = true;
  for (const Message& message : request.messages) {
    if (IsEmpty(message)) continue;
    if (!first) out += ',';
    first = false;
    out += message.role == Role::kUser ? R"({"role":"user","content":[)" : R"({"role":"assistant","content":[)";
    bool first_block = true;
    for (const ContentBlock& block : message.content) {
      if (IsEmptyText(block)) continue;
      if (!first_block) out += ',';
      first_block = false;
      std::visit(BlockWriter{out}, block);
    }
    out += "]}";
    if (out.size() > kMaxRequestBytes) return Invalid("the request is above its size limit");
  }
  out += "]}";
  if (out.size() > kMaxRequestBytes) return Invalid("the request is above its size limit");
  return out;
}

std::string JoinedText(const std::vector<ContentBlock>& content) {
  std::string out;
  for (const ContentBlock& block : content) {
    if (const auto* text = std::get_if<TextBlock>(&block)) out += text->text;
  }
  return out;
}

std::vector<ToolUseBlock> ToolUses(const std::vector<ContentBlock>& content) {
  std::vector<ToolUseBlock> out;
  for (const ContentBlock& block : content) {
    if (const auto* tool = std::get_if<ToolUseBlock>(&block)) out.push_back(*tool);
  }
  return out;
}

}  // namespace medidesk::assistant::claude
