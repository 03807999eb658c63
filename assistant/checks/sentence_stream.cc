#include "assistant/checks/sentence_stream.h"

#include <algorithm>
#include <array>

namespace medidesk::assistant {
namespace {

// Words whose full stop ends no sentence.
constexpr std::array<std::string_view, 22> kAbbreviations = {"dr", "mr",  "mrs", "ms",  "prof", "sr",     "sra", "dra",
                                                             "st", "no",  "nos", "vs",  "etc",  "approx", "ext", "tel",
                                                             "fl", "a.m", "p.m", "e.g", "i.e",  "m"};

bool EndsInAbbreviation(std::string_view text) {
  const std::size_t space = text.find_last_of(" \n\t(*");
  std::string word(space == std::string_view::npos ? text : text.substr(space + 1));
  std::transform(word.begin(), word.end(), word.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
  if (word.size() == 1 && word[0] >= 'a' && word[0] <= 'z') return true;  // an initial
  return std::find(kAbbreviations.begin(), kAbbreviations.end(), word) != kAbbreviations.end();
}

// Length of the sign at the front that ends a sentence, 0 when there is none.
std::size_t EndSign(std::string_view text) {
  if (text.empty()) return 0;
  if (text[0] == '.' || text[0] == '!' || text[0] == '?') return 1;
  if (text.substr(0, 3) == "\u0964") return 3;  // danda
  if (text.substr(0, 2) == "\u061f") return 2;  // Arabic question mark
  if (text.substr(0, 3) == "\u2026") return 3;
  return 0;
}

// Where the first complete sentence ends, npos when there is none yet. `seen`: no sentence ends before
// it; moved on, so that a text is read once however it comes.
std::size_t FirstEnd(std::string_view text, std::size_t& seen) {
  const std::size_t start = seen == 0 ? text.find_first_not_of(" \n\t") : seen;  // what is before is no sentence
  if (start == std::string_view::npos) return start;
  for (std::size_t at = start; at < text.size();) {
    if (text[at] == '\n') return at;
    std::size_t sign = EndSign(text.substr(at));
    if (sign == 0) {
      ++at;
      continue;
    }
    const std::size_t first = at;
    while (sign != 0) {  // "?!", "..."
      at += sign;
      sign = EndSign(text.substr(at));
    }
    while (at < text.size() && (text[at] == '"' || text[at] == ')' || text[at] == '*' || text[at] == '\'')) ++at;
    if (at == text.size()) {  // perhaps "10." of "10.30"
      seen = first;
      return std::string_view::npos;
    }
    if (text[at] != ' ' && text[at] != '\n' && text[at] != '\t') continue;
    if (text[first] == '.' && at - first == 1 && EndsInAbbreviation(text.substr(0, first))) continue;
    return at;
  }
  seen = std::max(start, text.size() - std::min<std::size_t>(text.size(), 2));  // half a sign may stand there
  return std::string_view::npos;
}

}  // namespace

std::vector<std::string> SentenceStream::Feed(std::string_view delta) {
  buffer_ += delta;
  std::vector<std::string> sentences;
  while (true) {
    std::size_t end = FirstEnd(buffer_, seen_);
    if (end == std::string::npos ? buffer_.size() > kMaxBytes : end > kMaxBytes) {
      end = buffer_.rfind(' ', kMaxBytes);
      if (end == std::string::npos || end == 0) {
        end = kMaxBytes;
        while (end > kMaxBytes - 3 && (buffer_[end] & 0xc0) == 0x80) --end;  // not inside a character
      }
    }
    if (end == std::string::npos) return sentences;
    std::string sentence = buffer_.substr(0, end);
    buffer_.erase(0, end);
    seen_ = 0;
    // Spaces belong to nobody; a line break stays with what follows it.
    sentence.erase(0, std::min(sentence.find_first_not_of(" \t"), sentence.size()));
    if (!sentence.empty()) sentences.push_back(std::move(sentence));
  }
}

std::vector<std::string> SentenceStream::Flush() {
  std::string rest = std::move(buffer_);
  buffer_.clear();
  seen_ = 0;
  rest.erase(0, std::min(rest.find_first_not_of(" \t"), rest.size()));
  if (rest.find_first_not_of(" \t\r\n") == std::string::npos) return {};
  return {std::move(rest)};
}

}  // namespace medidesk::assistant
