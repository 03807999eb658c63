#include "assistant/context/placeholders.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstdint>

namespace medidesk::assistant {
namespace {

constexpr std::size_t kMaxValues = 64;  // of one request; more than that is no patient's message

bool IsDigit(char c) { return c >= '0' && c <= '9'; }
bool IsLetter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c & 0x80) != 0; }
char Lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; }

bool SameLetters(std::string_view a, std::string_view b) {
  return a.size() == b.size() &&
         std::equal(a.begin(), a.end(), b.begin(), [](char x, char y) { return Lower(x) == Lower(y); });
}

// Where `word` stands in the text as a whole word, in any case of ASCII letters; npos.
std::size_t FindWord(std::string_view text, std::string_view word, std::size_t from) {
  for (std::size_t at = from; at + word.size() <= text.size(); ++at) {
    if (Lower(text[at]) != Lower(word[0]) || !SameLetters(text.substr(at, word.size()), word)) continue;
    const std::size_t end = at + word.size();
    const bool begins = at == 0 || (!IsLetter(text[at - 1]) && !IsDigit(text[at - 1]) && text[at - 1] != '[');
    const bool ends = end == text.size() || (!IsLetter(text[end]) && !IsDigit(text[end]));
    if (begins && ends) return at;
  }
  return std::string_view::npos;
}

std::string DigitsOf(std::string_view text) {
  std::string digits;
  for (const char c : text) {
    if (IsDigit(c)) digits += c;
  }
  return digits;
}

// A run of digits with single separators; `date` when it reads as one.
struct Run {
  std::size_t begin = 0, end = 0;
  std::string digits;
  int groups = 0;
  bool slashes = false, plus = false;
  int first = 0, last = 0;  // the first and the last group as numbers, at most six digits
};

Run RunAt(std::string_view text, std::size_t at) {
  Run run{.begin = at, .end = at, .digits = {}};
  if (text[at] == '+') {
    run.plus = true;
    ++at;
  }
  while (at < text.size() && IsDigit(text[at])) {
    int value = 0, count = 0;
    while (at < text.size() && IsDigit(text[at])) {
      run.digits += text[at];
      if (++count <= 6) value = value * 10 + (text[at] - '0');
      ++at;
    }
    if (run.groups++ == 0) run.first = value;
    run.last = value;
    run.end = at;
    // One separator, or a closing and an opening sign around a space: "(022) 5550".
    std::size_t next = at;
    while (next < text.size() && next - at < 2 &&
           (text[next] == ' ' || text[next] == '-' || text[next] == '.' || text[next] == '/' || text[next] == '(' ||
            text[next] == ')')) {
      ++next;
    }
    if (next == at || next == text.size() || !IsDigit(text[next])) break;
    run.slashes = run.slashes || text.substr(at, next - at).find('/') != std::string_view::npos;
    at = next;
  }
  return run;
}

bool IsYear(int value) { return value >= 1900 && value <= 2100; }

// "2026-11-24", "24/11/2026", "24.11.2026", with or without an hour behind.
bool IsDate(const Run& run) {
  const std::size_t size = run.digits.size();
  if (run.plus || run.groups < 3 || size > 10) return false;
  return (IsYear(run.first) && size >= 6) || (IsYear(run.last) && size <= 8);
}

// Of a birth: a full date long ago.
bool IsBirthDate(const Run& run) {
  return IsDate(run) && ((run.first >= 1900 && run.first <= 2015) || (run.last >= 1900 && run.last <= 2015));
}

// After these words stands a name.
constexpr std::array<std::string_view, 22> kIntroductions = {
    "my name is ",    "name is ",      "name: ",         "this is mr ", "this is mrs ",  "this is ms ",
    "me llamo ",      "mi nombre es ", "meu nome é ",    "me chamo ",   "je m'appelle ", "je m’appelle ",
    "mon nom est ",   "mera naam ",    "mera nam ",      "मेरा नाम ",    "اسمي ",         "ich heiße ",
    "mein name ist ", "nama saya ",    "jina langu ni ", "我叫"};

}  // namespace

Placeholders::Placeholders(const Known& known) : keep_(known.keep) {
  for (const std::string& name : known.names) {
    if (name.size() < 2) continue;
    names_.push_back(name);
    Stand("NAME", name);
    // Also each part by itself, but for initials and titles.
    std::size_t begin = 0;
    while (begin < name.size()) {
      const std::size_t end = std::min(name.find_first_of(" .,", begin), name.size());
      if (end - begin >= 3 && end - begin < name.size()) names_.push_back(name.substr(begin, end - begin));
      begin = end + 1;
    }
  }
  std::sort(names_.begin(), names_.end(), [](const auto& a, const auto& b) { return a.size() > b.size(); });
  for (const std::string& phone : known.phones) {
    const std::string digits = DigitsOf(phone);
    if (digits.size() >= 7) Stand("PHONE", phone);
  }
  known_ = values_.size();
}

std::string Placeholders::Stand(std::string_view kind, std::string_view value) {
  int count = 1;
  const std::string prefix = fmt::format("[{}_", kind);
  const std::string digits = kind == "PHONE" ? DigitsOf(value) : std::string();
  for (const auto& [name, known] : values_) {
    if (!name.starts_with(prefix)) continue;
    if (SameLetters(known, value)) return name;
    // The same phone in another spelling, with or without its country.
    if (!digits.empty()) {
      const std::string other = DigitsOf(known);
      const std::size_t tail = std::min({digits.size(), other.size(), std::size_t{9}});
      if (tail >= 7 && digits.substr(digits.size() - tail) == other.substr(other.size() - tail)) return name;
    }
    ++count;
  }
  if (values_.size() >= kMaxValues) return fmt::format("[{}]", kind);
  values_.emplace_back(fmt::format("{}{}]", prefix, count), std::string(value));
  return values_.back().first;
}

std::string Placeholders::HideNames(std::string text) {
  for (const std::string& name : names_) {
    for (std::size_t at = FindWord(text, name, 0); at != std::string::npos; at = FindWord(text, name, at)) {
      const std::string stand = Stand("NAME", name);
      text.replace(at, name.size(), stand);
      at += stand.size();
    }
  }
  return text;
}

// "my name is Ravi Kumar and ..." hides up to three words that follow.
std::string Placeholders::HideIntroductions(std::string text) {
  constexpr std::array<std::string_view, 14> kEnds = {"and", "i",    "y", "e",   "et", "und",  "aur",
                                                      "hai", "hain", "है", "dan", "na", "from", "age"};
  for (const std::string_view lead : kIntroductions) {
    for (std::size_t at = 0; at + lead.size() < text.size(); ++at) {
      if (!SameLetters(std::string_view(text).substr(at, lead.size()), lead)) continue;
      const std::size_t begin = at + lead.size();
      std::size_t end = begin;
      for (int words = 0; words < 3 && end < text.size(); ++words) {
        std::size_t stop = end;
        while (stop < text.size() && (IsLetter(text[stop]) || text[stop] == '\'' || text[stop] == '-')) ++stop;
        const std::string_view word = std::string_view(text).substr(end, stop - end);
        if (word.empty() || std::any_of(kEnds.begin(), kEnds.end(), [&](auto one) { return SameLetters(word, one); }))
          break;
        end = stop;
        if (stop < text.size() && text[stop] == ' ' && stop + 1 < text.size() && IsLetter(text[stop + 1])) {
          end = stop + 1;
        } else {
          break;
        }
      }
      while (end > begin && text[end - 1] == ' ') --end;
      if (end == begin) continue;
      const std::string stand = Stand("NAME", std::string_view(text).substr(begin, end - begin));
      text.replace(begin, end - begin, stand);
      at = begin + stand.size();
    }
  }
  return text;
}

std::string Placeholders::HideNumbersAndAddresses(std::string_view text) {
  std::string out;
  const auto mail_sign = [](char c) {
    return IsLetter(c) || IsDigit(c) || c == '.' || c == '_' || c == '-' || c == '+' || c == '%';
  };
  for (std::size_t at = 0; at < text.size();) {
    if (text[at] == '@' && at + 1 < text.size() && mail_sign(text[at + 1])) {
      std::size_t begin = out.size();
      while (begin > 0 && mail_sign(out[begin - 1])) --begin;
      std::size_t end = at + 1;
      while (end < text.size() && mail_sign(text[end])) ++end;
      while (end > at + 1 && text[end - 1] == '.') --end;
      const std::string_view host = text.substr(at + 1, end - at - 1);
      if (begin < out.size() && host.find('.') != std::string_view::npos) {
        const std::string address = out.substr(begin) + std::string(text.substr(at, end - at));
        out.resize(begin);
        out += Stand("EMAIL", address);
        at = end;
        continue;
      }
    }
    const bool plus = text[at] == '+' && at + 1 < text.size() && IsDigit(text[at + 1]);
    const bool starts = (IsDigit(text[at]) || plus) && (at == 0 || !IsDigit(text[at - 1]));
    // Digits of a placeholder are not the patient's.
    if (!starts || (!out.empty() && out.back() == '_')) {
      out += text[at++];
      continue;
    }
    const Run run = RunAt(text, at);
    const std::string_view shown = text.substr(run.begin, run.end - run.begin);
    const bool kept = std::any_of(keep_.begin(), keep_.end(), [&](const std::string& number) {
      return run.digits.size() >= 7 && (number.ends_with(run.digits) || run.digits.ends_with(number));
    });
    if (IsBirthDate(run)) {
      out += Stand("DATE", shown);
    } else if (kept || IsDate(run)) {
      out += shown;
    } else if (run.digits.size() >= 7) {
      out += Stand("PHONE", shown);
    } else if (run.digits.size() == 6 && run.groups == 1) {
      out += Stand("NUMBER", shown);
    } else {
      out += shown;
    }
    at = run.end;
  }
  return out;
}

std::string Placeholders::Hide(std::string_view text) {
  return HideNumbersAndAddresses(HideIntroductions(HideNames(std::string(text))));
}

std::string Placeholders::Restore(std::string_view text) const {
  std::string out;
  for (std::size_t at = 0; at < text.size();) {
    if (text[at] == '[') {
      const auto value = std::find_if(values_.begin(), values_.end(),
                                      [&](const auto& one) { return text.substr(at).starts_with(one.first); });
      if (value != values_.end()) {
        out += value->second;
        at += value->first.size();
        continue;
      }
    }
    out += text[at++];
  }
  return out;
}

bool Placeholders::HasUnknown(std::string_view text) const {
  for (const std::string_view kind : {"[NAME_", "[PHONE_", "[EMAIL_", "[NUMBER_", "[DATE_"}) {
    // What is only written in a text may be anybody's: nobody gets a number or an address from us that way.
    const bool reaches = kind == "[PHONE_" || kind == "[EMAIL_";
    const auto end = values_.begin() + static_cast<std::ptrdiff_t>(reaches ? known_ : values_.size());
    for (std::size_t at = text.find(kind); at != std::string_view::npos; at = text.find(kind, at + 1)) {
      if (std::none_of(values_.begin(), end, [&](const auto& one) { return text.substr(at).starts_with(one.first); })) {
        return true;
      }
    }
  }
  return false;
}

std::vector<std::string> LongNumbers(std::string_view text) {
  std::vector<std::string> numbers;
  for (std::size_t at = 0; at < text.size();) {
    const bool plus = text[at] == '+' && at + 1 < text.size() && IsDigit(text[at + 1]);
    if (!IsDigit(text[at]) && !plus) {
      ++at;
      continue;
    }
    const Run run = RunAt(text, at);
    if (run.digits.size() >= 7 && !IsDate(run)) numbers.push_back(run.digits);
    at = std::max(run.end, at + 1);
  }
  return numbers;
}

}  // namespace medidesk::assistant
