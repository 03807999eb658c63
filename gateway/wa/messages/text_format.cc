#include "gateway/wa/messages/text_format.h"

#include <algorithm>
#include <array>
#include <cstdint>

namespace medidesk::gateway::wa {
namespace {

constexpr int kMaxNesting = 6;
constexpr std::string_view kEllipsis = "…";

bool IsSpace(char c) { return c == ' ' || c == '\t'; }
bool IsWordByte(char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || static_cast<signed char>(c) < 0;
}
bool IsPunctuation(char c) { return std::string_view("\\`*_{}[]()#+-.!~>|").find(c) != std::string_view::npos; }

std::string_view TrimLeft(std::string_view text) {
  while (!text.empty() && IsSpace(text.front())) text.remove_prefix(1);
  return text;
}
std::string_view TrimRight(std::string_view text) {
  while (!text.empty() && (IsSpace(text.back()) || text.back() == '\r')) text.remove_suffix(1);
  return text;
}

// The marks inside one line.
class Inline {
 public:
  Inline(std::string_view line, int depth) : line_(line), depth_(depth) {}

  std::string Convert() {
    while (at_ < line_.size()) Step();
    return std::move(out_);
  }

 private:
  void Step() {
    const char c = line_[at_];
    if (c == '`') return Code();
    if (c == '\\' && at_ + 1 < line_.size() && IsPunctuation(line_[at_ + 1])) {
      out_ += line_[at_ + 1];
      at_ += 2;
      return;
    }
    if (Marked("**", '*', 0) || Marked("__", '*', 1) || Marked("~~", '~', 2) || Marked("*", '_', 3)) return;
    if (c == '!' && at_ + 1 < line_.size() && line_[at_ + 1] == '[' && Link(at_ + 1)) return;
    if (c == '[' && Link(at_)) return;
    out_ += c;
    ++at_;
  }

  // Nothing inside a code span means anything.
  void Code() {
    std::size_t ticks = 1;
    while (at_ + ticks < line_.size() && line_[at_ + ticks] == '`') ++ticks;
    const std::string fence(ticks, '`');
    const std::size_t end = line_.find(fence, at_ + ticks);
    const std::size_t stop = end == std::string_view::npos ? at_ + ticks : end + ticks;
    out_ += line_.substr(at_, stop - at_);
    at_ = stop;
  }

  // `mark`text`mark` with no space inside of the marks; `kind` remembers that a mark has no partner in this line.
  bool Marked(std::string_view mark, char whatsapp, std::size_t kind) {
    if (lonely_[kind] || depth_ >= kMaxNesting || !line_.substr(at_).starts_with(mark)) return false;
    const std::size_t begin = at_ + mark.size();
    if (begin >= line_.size() || IsSpace(line_[begin]) || line_[begin] == mark[0]) return false;
    // Within a word an underscore is a letter.
    if (mark[0] == '_' && at_ > 0 && IsWordByte(line_[at_ - 1])) return false;
    for (std::size_t end = line_.find(mark, begin); end != std::string_view::npos; end = line_.find(mark, end + 1)) {
      if (IsSpace(line_[end - 1]) || line_[end - 1] == '\\') continue;
      const std::size_t after = end + mark.size();
      const bool doubled = mark.size() == 1 && after < line_.size() && line_[after] == mark[0];
      if (doubled) {
        ++end;
        continue;
      }
      if (mark[0] == '_' && after < line_.size() && IsWordByte(line_[after])) continue;
      out_ += whatsapp;
      out_ += Inline(line_.substr(begin, end - begin), depth_ + 1).Convert();
      out_ += whatsapp;
      at_ = after;
      return true;
    }
    lonely_[kind] = true;
    return false;
  }

  bool Link(std::size_t bracket) {
    const std::size_t close = line_.find("](", bracket);
    if (close == std::string_view::npos) return false;
    const std::size_t end = line_.find(')', close);
    if (end == std::string_view::npos) return false;
    const std::string_view text = line_.substr(bracket + 1, close - bracket - 1);
    std::string_view url = line_.substr(close + 2, end - close - 2);
    if (text.find('[') != std::string_view::npos) return false;
    url = url.substr(0, url.find(' '));  // a title behind it
    if (text.empty() || text == url) {
      out_ += url;
    } else {
      out_ += Inline(text, depth_ + 1).Convert();
      if (!url.empty()) out_.append(" (").append(url).append(")");
    }
    at_ = end + 1;
    return true;
  }

  std::string_view line_;
  int depth_;
  std::size_t at_ = 0;
  std::string out_;
  std::array<bool, 4> lonely_{};
};

// "# Heading": its text; empty: none.
std::string_view HeadingOf(std::string_view line) {
  std::size_t level = 0;
  while (level < line.size() && line[level] == '#') ++level;
  if (level == 0 || level > 6 || level == line.size() || !IsSpace(line[level])) return {};
  std::string_view text = TrimRight(TrimLeft(line.substr(level)));
  while (!text.empty() && text.back() == '#') text.remove_suffix(1);
  return TrimRight(text);
}

bool IsRule(std::string_view line) {
  if (line.size() < 3 || std::string_view("-*_").find(line[0]) == std::string_view::npos) return false;
  return std::all_of(line.begin(), line.end(), [&](char c) { return c == line[0]; });
}

std::string LineOf(std::string_view line) {
  const std::string_view rest = TrimLeft(line);
  const std::string_view indent = line.substr(0, line.size() - rest.size());
  if (IsRule(rest)) return "";
  if (const std::string_view heading = HeadingOf(rest); !heading.empty()) {
    std::string text = Inline(heading, 0).Convert();
    std::erase(text, '*');
    return "*" + text + "*";
  }
  const bool bullet = rest.size() > 2 && (rest[0] == '*' || rest[0] == '+' || rest[0] == '-') && IsSpace(rest[1]);
  if (bullet) return std::string(indent) + "- " + Inline(TrimLeft(rest.substr(1)), 0).Convert();
  return std::string(indent) + Inline(rest, 0).Convert();
}

// ---- Splitting ----------------------------------------------------------------------------------

bool IsContinuation(char c) { return (static_cast<std::uint8_t>(c) & 0xC0) == 0x80; }

// The byte behind the first `count` characters.
std::size_t BytesOf(std::string_view text, std::size_t count) {
  std::size_t at = 0;
  while (at < text.size()) {
    if (!IsContinuation(text[at]) && count-- == 0) break;
    ++at;
  }
  return at;
}

// Where the first part of `text` ends, at most `limit` bytes in; a cut in the last half is late enough.
std::size_t CutOf(std::string_view text, std::size_t limit) {
  const std::string_view head = text.substr(0, limit);
  const std::size_t least = limit / 2;
  if (const std::size_t paragraph = head.rfind("\n\n"); paragraph != std::string_view::npos && paragraph >= least) {
    return paragraph;
  }
  static constexpr std::array<std::string_view, 10> kSentenceEnds = {". ",  "! ", "? ", ".\n", "!\n",
                                                                     "?\n", "।",  "。", "؟ ",  "… "};
  std::size_t best = 0;
  for (const std::string_view end : kSentenceEnds) {
    const std::size_t found = head.rfind(end);
    if (found == std::string_view::npos) continue;
    const bool with_space = end.back() == ' ' || end.back() == '\n';
    best = std::max(best, found + end.size() - (with_space ? 1 : 0));
  }
  if (best >= least) return best;
  for (const char* breaks : {"\n", " "}) {
    const std::size_t found = head.rfind(breaks);
    if (found != std::string_view::npos && found >= least) return found;
  }
  return limit;
}

std::string_view TrimBoth(std::string_view text) {
  const auto blank = [](char c) { return c == ' ' || c == '\n' || c == '\r' || c == '\t'; };
  while (!text.empty() && blank(text.front())) text.remove_prefix(1);
  while (!text.empty() && blank(text.back())) text.remove_suffix(1);
  return text;
}

}  // namespace

std::string WhatsAppTextOf(std::string_view markdown) {
  std::string out;
  bool code = false;
  for (std::size_t begin = 0; begin <= markdown.size();) {
    const std::size_t end = std::min(markdown.find('\n', begin), markdown.size());
    const std::string_view line = TrimRight(markdown.substr(begin, end - begin));
    if (begin > 0) out += '\n';
    if (TrimLeft(line).starts_with("```")) {
      // A fence that closes in its own line is one as it stands.
      const bool whole = TrimLeft(line).substr(3).find("```") != std::string_view::npos;
      out += whole ? line : std::string_view("```");
      if (!whole) code = !code;
    } else {
      out += code ? std::string(line) : LineOf(line);
    }
    begin = end + 1;
  }
  return out;
}

std::vector<std::string> SplitText(std::string_view text) {
  std::vector<std::string> parts;
  text = TrimBoth(text);
  while (true) {
    const std::size_t limit = BytesOf(text, kMaxPartCharacters);
    if (limit == text.size()) {
      parts.emplace_back(text);
      return parts;
    }
    if (parts.size() + 1 == kMaxParts) {
      const std::size_t shorter = BytesOf(text, kMaxPartCharacters - 1);
      parts.emplace_back(TrimBoth(text.substr(0, CutOf(text, shorter))));
      parts.back() += kEllipsis;
      return parts;
    }
    const std::size_t cut = CutOf(text, limit);
    parts.emplace_back(TrimBoth(text.substr(0, cut)));
    text = TrimBoth(text.substr(cut));
  }
}

}  // namespace medidesk::gateway::wa
