#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "assistant/claude/messages.h"
#include "assistant/claude/sse_parser.h"
#include "assistant/claude/stream_accumulator.h"

namespace claude = medidesk::assistant::claude;

// A whole stream; what comes out must serialise to JSON again.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  claude::SseParser parser;
  claude::StreamAccumulator accumulator;
  if (!parser.Feed(bytes).ok()) return 0;
  std::string text;
  while (auto event = parser.Next()) {
    const auto step = accumulator.Add(*event);
    if (!step.ok()) return 0;
    text += step->text;
  }
  const auto response = accumulator.Finish();
  if (!response.ok()) return 0;
  claude::Request request;
  claude::Message message;
  message.role = claude::Role::kAssistant;
  message.content = response->content;
  request.messages = {std::move(message), claude::UserText("x")};
  claude::ModelSettings settings;
  settings.model = "m";
  auto body = claude::SerializeRequest(request, settings);
  if (!body.ok() || !claude::RawJson::Parse(*std::move(body)).ok()) std::abort();
  return 0;
}
