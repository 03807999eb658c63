// Builds the whole answer from the events of a stream, and hands out its text as it grows.
//
//   message_start, (content_block_start, content_block_delta*, content_block_stop)*,
//   message_delta*, message_stop; ping anywhere; unknown events, blocks and deltas are skipped.
//
// Sans-I/O; not thread-safe; never throws on hostile bytes. Total size is bounded.
#pragma once

#include <boost/json/object.hpp>

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "assistant/claude/messages.h"
#include "assistant/claude/sse_parser.h"
#include "base/status.h"

namespace medidesk::assistant::claude {

class StreamAccumulator {
 public:
  static constexpr std::size_t kMaxBytes = 8u << 20;

  struct Step {
    std::string text;               // new text for the reader; often empty
    std::optional<ApiError> error;  // the API gave up in mid-stream; nothing follows
  };

  // INTERNAL when the event breaks the stream's order or is not what its name says, on this and
  // every later call.
  absl::StatusOr<Step> Add(const SseEvent& event);

  // True after message_stop: a connection that ends before has lost the answer.
  bool done() const { return done_; }

  // What the API has said so far that the answer costs, also of one that is cut.
  const Usage& usage() const { return head_.usage; }

  // The answer. INTERNAL unless done(), or when a tool input is not a JSON object although the
  // answer was not cut (the input of a cut answer becomes `{}`; its stop reason tells).
  absl::StatusOr<Response> Finish() const;

 private:
  struct Block {
    boost::json::object json;
    std::string text;     // of text and thinking
    std::string partial;  // of tool input
    bool closed = false;
    bool bad_input = false;
  };

  absl::StatusOr<Step> Apply(const SseEvent& event);
  absl::Status StartBlock(const boost::json::object& data);
  absl::StatusOr<std::string> Delta(const boost::json::object& data);
  absl::Status StopBlock(const boost::json::object& data);
  absl::StatusOr<Block*> OpenBlock(const boost::json::object& data);
  absl::Status Grow(std::size_t bytes);

  bool started_ = false;
  bool done_ = false;
  bool broken_ = false;
  std::size_t bytes_ = 0;
  Response head_;  // all but the content
  std::vector<Block> blocks_;
};

}  // namespace medidesk::assistant::claude
