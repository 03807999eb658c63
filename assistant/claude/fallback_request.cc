#include "assistant/claude/fallback_request.h"

#include <algorithm>
#include <variant>

namespace medidesk::assistant::claude {
namespace {

bool HasToolResult(const Message& message) {
  return std::any_of(message.content.begin(), message.content.end(),
                     [](const ContentBlock& block) { return std::holds_alternative<ToolResultBlock>(block); });
}

bool IsThinking(const ContentBlock& block) {
  const auto* other = std::get_if<OtherBlock>(&block);
  return other != nullptr && (other->type == "thinking" || other->type == "redacted_thinking");
}

}  // namespace

FallbackRequest ForOtherModel(const Request& request) {
  FallbackRequest out;
  out.request = request;
  std::vector<Message>& messages = out.request.messages;
  if (!messages.empty() && HasToolResult(messages.back())) {
    std::size_t turn = messages.size();
    while (turn > 0 && (messages[turn - 1].role != Role::kUser || HasToolResult(messages[turn - 1]))) --turn;
    if (turn > 0) messages.resize(turn);
  }
  for (Message& message : messages) std::erase_if(message.content, IsThinking);
  out.messages_used = messages.size();
  return out;
}

}  // namespace medidesk::assistant::claude
