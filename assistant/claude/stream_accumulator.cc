#include "assistant/claude/stream_accumulator.h"

#include <boost/json/array.hpp>
#include <boost/json/serialize.hpp>

#include <cstdint>
#include <exception>
#include <string_view>
#include <utility>

#include "assistant/claude/response_json.h"

namespace medidesk::assistant::claude {
namespace {

namespace json = boost::json;

absl::Status Malformed(std::string_view rule) { return Error(absl::StatusCode::kInternal, rule); }

}  // namespace

absl::StatusOr<StreamAccumulator::Step> StreamAccumulator::Add(const SseEvent& event) {
  if (broken_) return Malformed("the event stream is broken");
  try {
    absl::StatusOr<Step> step = Apply(event);
    if (!step.ok() || step->error) broken_ = true;
    return step;
  } catch (const std::exception&) {
    broken_ = true;
    return Malformed("the event stream cannot be held");
  }
}

absl::StatusOr<StreamAccumulator::Step> StreamAccumulator::Apply(const SseEvent& event) {
  const bool known = event.name == "message_start" || event.name == "content_block_start" ||
                     event.name == "content_block_delta" || event.name == "content_block_stop" ||
                     event.name == "message_delta" || event.name == "message_stop" || event.name == "error";
  if (!known) return Step{};  // ping, and what is invented later
  if (done_) return Malformed("the event stream goes on after its end");
  MD_RETURN_IF_ERROR(Grow(event.data.size()));
  MD_ASSIGN_OR_RETURN(const json::value value, ParseBounded(event.data, SseParser::kMaxBytes));
  if (!value.is_object()) return Malformed("an event is not a JSON object");
  const json::object& data = value.get_object();

  Step step;
  if (event.name == "error") {
    step.error = ErrorFromJson(data);
    return step;
  }
  if (event.name == "message_start") {
    const json::object* message = ObjectAt(data, "message");
    if (started_ || message == nullptr) return Malformed("message_start is out of place");
    started_ = true;
    head_.id = StringAt(*message, "id");
    head_.model = StringAt(*message, "model");
    if (const json::object* usage = ObjectAt(*message, "usage"); usage != nullptr) UpdateUsage(*usage, head_.usage);
    return step;
  }
  if (!started_) return Malformed("the event stream does not begin with message_start");
  if (event.name == "content_block_start") {
    MD_RETURN_IF_ERROR(StartBlock(data));
    step.text = blocks_.back().text;
    if (StringAt(blocks_.back().json, "type") != "text") step.text.clear();
  } else if (event.name == "content_block_delta") {
    MD_ASSIGN_OR_RETURN(step.text, Delta(data));
  } else if (event.name == "content_block_stop") {
    MD_RETURN_IF_ERROR(StopBlock(data));
  } else if (event.name == "message_delta") {
    if (const json::object* delta = ObjectAt(data, "delta"); delta != nullptr) {
      if (const std::string_view reason = StringAt(*delta, "stop_reason"); !reason.empty()) head_.stop_reason = reason;
    }
    if (const json::object* usage = ObjectAt(data, "usage"); usage != nullptr) UpdateUsage(*usage, head_.usage);
  } else {
    done_ = true;
  }
  return step;
}

absl::Status StreamAccumulator::Grow(std::size_t bytes) {
  bytes_ += bytes;
  return bytes_ > kMaxBytes ? Malformed("the event stream is above its size limit") : absl::OkStatus();
}

absl::Status StreamAccumulator::StartBlock(const json::object& data) {
  const json::object* block = ObjectAt(data, "content_block");
  if (block == nullptr) return Malformed("content_block_start without a block");
  const json::value* index = data.if_contains("index");
  if (index == nullptr || !index->is_int64() || index->get_int64() != static_cast<std::int64_t>(blocks_.size())) {
    return Malformed("content blocks are out of order");
  }
  if (!blocks_.empty() && !blocks_.back().closed) return Malformed("content blocks overlap");
  if (blocks_.size() >= kMaxResponseBlocks) return Malformed("the API's answer has too many blocks");
  Block made;
  made.json = *block;
  const std::string_view type = StringAt(made.json, "type");
  if (type == "text" || type == "thinking") made.text = StringAt(made.json, type);
  blocks_.push_back(std::move(made));
  return absl::OkStatus();
}

absl::StatusOr<StreamAccumulator::Block*> StreamAccumulator::OpenBlock(const json::object& data) {
  const json::value* index = data.if_contains("index");
  if (blocks_.empty() || blocks_.back().closed || index == nullptr || !index->is_int64() ||
      index->get_int64() != static_cast<std::int64_t>(blocks_.size()) - 1) {
    return Malformed("an event names a content block that is not open");
  }
  return &blocks_.back();
}

absl::StatusOr<std::string> StreamAccumulator::Delta(const json::object& data) {
  MD_ASSIGN_OR_RETURN(Block * block, OpenBlock(data));
  const json::object* delta = ObjectAt(data, "delta");
  if (delta == nullptr) return Malformed("content_block_delta without a delta");
  const std::string_view type = StringAt(*delta, "type");
  const std::string_view block_type = StringAt(block->json, "type");
  if (type == "text_delta" && block_type == "text") {
    const std::string_view text = StringAt(*delta, "text");
    block->text += text;
    return std::string(text);
  }
  if (type == "thinking_delta" && block_type == "thinking") {
    block->text += StringAt(*delta, "thinking");
  } else if (type == "input_json_delta") {
    block->partial += StringAt(*delta, "partial_json");
  } else if (type == "signature_delta") {
    block->json["signature"] = StringAt(*delta, "signature");
  } else if (type == "citations_delta") {
    if (const json::value* citation = delta->if_contains("citation"); citation != nullptr) {
      json::value& list = block->json["citations"];
      if (!list.is_array()) list.emplace_array();
      list.get_array().push_back(*citation);
    }
  }
  return std::string();
}

absl::Status StreamAccumulator::StopBlock(const json::object& data) {
  MD_ASSIGN_OR_RETURN(Block * block, OpenBlock(data));
  block->closed = true;
  const std::string_view type = StringAt(block->json, "type");
  if (type == "text" || type == "thinking") {
    block->json[type == "text" ? "text" : "thinking"] = block->text;
  } else if (!block->partial.empty()) {
    absl::StatusOr<json::value> input = ParseBounded(block->partial, RawJson::kMaxBytes);
    block->bad_input = !input.ok() || !input->is_object();
    block->json["input"] = block->bad_input ? json::value(json::object()) : std::move(*input);
  }
  return absl::OkStatus();
}

absl::StatusOr<Response> StreamAccumulator::Finish() const {
  if (!done_) return Malformed("the event stream ended before message_stop");
  const bool cut = head_.stop_reason == "max_tokens" || head_.stop_reason == "model_context_window_exceeded" ||
                   head_.stop_reason == "refusal";
  try {
    Response response = head_;
    for (const Block& block : blocks_) {
      if (!cut && (block.bad_input || !block.closed)) return Malformed("a content block is not complete");
      absl::StatusOr<ContentBlock> made = BlockFromJson(block.json);
      if (!made.ok()) return std::move(made).status();
      response.content.push_back(*std::move(made));
    }
    return response;
  } catch (const std::exception&) {
    return Malformed("the event stream cannot be held");
  }
}

}  // namespace medidesk::assistant::claude
