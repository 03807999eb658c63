// Cuts a text that arrives in pieces into whole sentences, so that each can be checked before it is
// shown. Joined again the sentences are the text, but for spaces between them.
//
// Sans-I/O; bounded: a sentence above kMaxBytes is cut at its last space. Not thread-safe.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace medidesk::assistant {

class SentenceStream {
 public:
  static constexpr std::size_t kMaxBytes = 16 * 1024;

  // The sentences that `delta` completes. A sentence counts as complete when something follows it.
  std::vector<std::string> Feed(std::string_view delta);
  // What is left, at the end of the text.
  std::vector<std::string> Flush();

 private:
  std::string buffer_;
  std::size_t seen_ = 0;  // no sentence ends before this place of buffer_
};

}  // namespace medidesk::assistant
