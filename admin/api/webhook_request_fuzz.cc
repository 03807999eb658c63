// The input as a body, and as the text of a message inside a good one.
#include <cstdint>
#include <string>

#include "admin/api/webhook_request.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace medidesk::admin;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const std::string wrapped = R"({"phone":"1234567","message":")" + std::string(text) + "\"}";
  for (const std::string_view body : {text, std::string_view(wrapped)}) {
    const auto result = ParseWebhookRequest("", body);
    if (const auto* message = std::get_if<WebhookMessage>(&result)) {
      if (message->text.Expose().empty() || message->text.Expose().size() > 4 * kMaxMessageCharacters) __builtin_trap();
      if (message->message_id.size() > kMaxMessageIdBytes) __builtin_trap();
    } else if (const auto& error = std::get<WebhookError>(result); error.status != 400 && error.status != 415) {
      __builtin_trap();
    }
  }
  (void)ParseTimestamp(text);
  return 0;
}
