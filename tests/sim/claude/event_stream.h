// Turns a whole message into the server-sent events of `"stream": true`.
//
//   message_start ping { content_block_start content_block_delta* content_block_stop }* message_delta message_stop
//
// Text and tool input are cut into at least three deltas where they have as many characters, always
// between code points.
#pragma once

#include <boost/json/object.hpp>

#include <string>
#include <string_view>
#include <vector>

namespace medidesk::claude_stub {

struct StreamEvent {
  std::string frame;          // "event: ..\ndata: ..\n\n"
  bool delta = false;         // a content_block_delta
  bool ends_message = false;  // the message_delta, after which nothing of the content comes
};

std::vector<StreamEvent> BuildEvents(const boost::json::object& message);

// One frame of any event; `data` is JSON on one line.
std::string Frame(std::string_view event, std::string_view data);

// Cuts `text` (UTF-8) into `pieces` parts of about the same size, fewer when it has fewer code points.
std::vector<std::string_view> SplitText(std::string_view text, std::size_t pieces);

}  // namespace medidesk::claude_stub
