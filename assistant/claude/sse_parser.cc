#include "assistant/claude/sse_parser.h"

#include <utility>

namespace medidesk::assistant::claude {
namespace {

absl::Status TooLarge() {
  return Error(absl::StatusCode::kResourceExhausted, "the event stream has a line or an event above its size limit");
}

constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";

}  // namespace

absl::Status SseParser::Feed(std::string_view bytes) {
  if (broken_) return TooLarge();
  while (!bytes.empty()) {
    if (after_cr_) {
      after_cr_ = false;
      if (bytes.front() == '\n') {
        bytes.remove_prefix(1);
        continue;
      }
    }
    const std::size_t end = bytes.find_first_of("\r\n");
    const std::string_view piece = bytes.substr(0, end);
    if (partial_.size() + piece.size() > max_bytes_) {
      broken_ = true;
      return TooLarge();
    }
    if (end == std::string_view::npos) {
      partial_ += piece;
      break;
    }
    after_cr_ = bytes[end] == '\r';
    bytes.remove_prefix(end + 1);

    absl::Status status;
    if (partial_.empty()) {
      status = Line(piece);
    } else {
      partial_ += piece;
      status = Line(partial_);
      partial_.clear();
    }
    if (!status.ok()) {
      broken_ = true;
      return status;
    }
  }
  return absl::OkStatus();
}

absl::Status SseParser::Line(std::string_view line) {
  if (std::exchange(at_start_, false) && line.starts_with(kByteOrderMark)) line.remove_prefix(kByteOrderMark.size());

  if (line.empty()) {
    if (has_data_) {
      if (building_.name.empty()) building_.name = "message";
      ready_.push_back(std::move(building_));
    }
    building_ = {};
    has_data_ = false;
    return absl::OkStatus();
  }

  const std::size_t colon = line.find(':');
  const std::string_view field = line.substr(0, colon);  // empty for a comment
  std::string_view value = colon == std::string_view::npos ? std::string_view() : line.substr(colon + 1);
  if (value.starts_with(' ')) value.remove_prefix(1);

  if (field == "event") {
    building_.name = value;
  } else if (field == "data") {
    if (building_.data.size() + value.size() + 1 > max_bytes_) return TooLarge();
    if (has_data_) building_.data += '\n';
    building_.data += value;
    has_data_ = true;
  }
  return absl::OkStatus();
}

std::optional<SseEvent> SseParser::Next() {
  if (ready_.empty()) return std::nullopt;
  SseEvent event = std::move(ready_.front());
  ready_.pop_front();
  return event;
}

}  // namespace medidesk::assistant::claude
