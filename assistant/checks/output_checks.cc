#include "assistant/checks/output_checks.h"

#include <utf8proc.h>

#include <algorithm>
#include <array>
#include <memory>

#include "assistant/checks/check_phrases.h"
#include "base/uuid.h"

namespace medidesk::assistant {
namespace {

bool IsAsciiDigit(char c) { return c >= '0' && c <= '9'; }
bool IsAsciiLetter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }

// Lower case without accents and format characters; every run of other signs is one space, with a
// space at both ends. Apostrophes vanish, so "I've" is "ive". Letters and marks of Indic scripts stay.
std::string Comparable(std::string_view text) {
  utf8proc_uint8_t* mapped = nullptr;
  const auto size = utf8proc_map(
      reinterpret_cast<const utf8proc_uint8_t*>(text.data()), static_cast<utf8proc_ssize_t>(text.size()), &mapped,
      static_cast<utf8proc_option_t>(UTF8PROC_COMPAT | UTF8PROC_CASEFOLD | UTF8PROC_IGNORE | UTF8PROC_DECOMPOSE));
  std::string out = " ";
  if (size < 0) return out;
  const std::unique_ptr<utf8proc_uint8_t, void (*)(void*)> owned(mapped, std::free);
  for (utf8proc_ssize_t at = 0; at < size;) {
    utf8proc_int32_t point = 0;
    const auto length = utf8proc_iterate(mapped + at, size - at, &point);
    if (length <= 0) break;
    const auto category = utf8proc_category(point);
    const bool indic = point >= 0x0900 && point <= 0x0dff;
    const bool mark =
        category == UTF8PROC_CATEGORY_MN || category == UTF8PROC_CATEGORY_MC || category == UTF8PROC_CATEGORY_ME;
    if (point == '\'' || point == 0x2019 || point == 0x2018 || (mark && !indic) || point == 0x0640) {
      // nothing
    } else if ((category >= UTF8PROC_CATEGORY_LU && category <= UTF8PROC_CATEGORY_NO) || point == '_') {
      out.append(reinterpret_cast<const char*>(mapped + at), static_cast<std::size_t>(length));
    } else if (out.back() != ' ') {
      out += ' ';
    }
    at += length;
  }
  if (out.back() != ' ') out += ' ';
  return out;
}

struct ComparablePhrase {
  std::string_view rule;
  std::string words;  // with its spaces
};

const std::vector<ComparablePhrase>& Phrases() {
  static const std::vector<ComparablePhrase> phrases = [] {
    std::vector<ComparablePhrase> made;
    for (const CheckPhrase& phrase : CheckPhrases()) {
      std::string words = Comparable(phrase.words);
      if (phrase.words.ends_with('*')) words.pop_back();
      made.push_back({phrase.rule, std::move(words)});
    }
    return made;
  }();
  return phrases;
}

// "500 mg", "2 tablets", "5ml": a number with a unit of medicine, or number words before tablets.
bool NamesDose(std::string_view comparable) {
  static constexpr std::array<std::string_view, 30> kUnits = {
      "mg",          "mcg",         "ml",       "milligram", "milligrams", "microgram", "micrograms",  "millilitre",
      "millilitres", "milliliters", "tablet",   "tablets",   "pill",       "pills",     "capsule",     "capsules",
      "drops",       "tablespoon",  "teaspoon", "tsp",       "puffs",      "pastillas", "comprimidos", "tabletas",
      "comprimes",   "gotas",       "gouttes",  "goli",      "goliyan",    "गोलियाँ"};
  static constexpr std::array<std::string_view, 14> kCounts = {"one", "two",  "three", "four", "half", "un", "una",
                                                               "dos", "deux", "duas",  "dois", "ek",   "do", "teen"};
  std::string_view previous;
  std::size_t at = 1;
  while (at < comparable.size()) {
    const std::size_t end = comparable.find(' ', at);
    if (end == std::string_view::npos) break;
    std::string_view word = comparable.substr(at, end - at);
    at = end + 1;
    std::size_t digits = 0;
    while (digits < word.size() && IsAsciiDigit(word[digits])) ++digits;
    const std::string_view unit = word.substr(digits);
    if (std::find(kUnits.begin(), kUnits.end(), unit) != kUnits.end()) {
      if (digits > 0) return true;
      const bool number = !previous.empty() && std::all_of(previous.begin(), previous.end(), IsAsciiDigit);
      if (number || std::find(kCounts.begin(), kCounts.end(), previous) != kCounts.end()) return true;
    }
    previous = word;
  }
  return false;
}

bool HoldsUuid(std::string_view text) {
  for (std::size_t dash = text.find('-'); dash != std::string_view::npos; dash = text.find('-', dash + 1)) {
    if (dash >= 8 && dash + 28 <= text.size() && IsUuid(text.substr(dash - 8, 36))) return true;
  }
  return false;
}

bool HostAllowed(std::string host, const CheckContext& context) {
  std::transform(host.begin(), host.end(), host.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
  while (!host.empty() && host.back() == '.') host.pop_back();
  for (const std::string& allowed : context.allowed_link_hosts) {
    if (host == allowed) return true;
    if (host.size() > allowed.size() && host.ends_with(allowed) && host[host.size() - allowed.size() - 1] == '.')
      return true;
  }
  return false;
}

// Every run of host-like signs with a dot and a word of letters behind it counts as a link; digits
// such as "10.30" and abbreviations such as "a.m." do not.
bool LinksElsewhere(std::string_view text, const CheckContext& context) {
  // Invisible signs inside a link are the oldest trick: without them the text is looked at again.
  std::string plain;
  for (std::size_t at = 0; at < text.size();) {
    utf8proc_int32_t point = 0;
    const auto length = utf8proc_iterate(reinterpret_cast<const utf8proc_uint8_t*>(text.data()) + at,
                                         static_cast<utf8proc_ssize_t>(text.size() - at), &point);
    if (length <= 0) {
      ++at;
      continue;
    }
    if (point == 0x3002 || point == 0xff0e || point == 0xff61) {  // full stops that browsers take for a dot
      plain += '.';
    } else if (utf8proc_category(point) != UTF8PROC_CATEGORY_CF && point != 0x00ad) {
      plain.append(text.substr(at, static_cast<std::size_t>(length)));
    }
    at += static_cast<std::size_t>(length);
  }
  const std::string_view all = plain;
  const auto host_sign = [](char c) {
    return IsAsciiLetter(c) || IsAsciiDigit(c) || c == '.' || c == '-' || (c & 0x80) != 0;
  };
  for (std::size_t scheme = all.find("://"); scheme != std::string_view::npos; scheme = all.find("://", scheme + 3)) {
    const std::string_view rest = all.substr(scheme + 3);
    std::string_view authority = rest.substr(0, rest.find_first_of("/?# \t\r\n\\<>\")]}"));
    if (authority.find('@') != std::string_view::npos) return true;  // user@host: nothing honest looks so
    authority = authority.substr(0, authority.find(':'));
    while (!authority.empty() && (authority.back() == '.' || authority.back() == ',' || authority.back() == '*'))
      authority.remove_suffix(1);
    if (!HostAllowed(std::string(authority), context)) return true;
  }
  for (std::size_t at = 0; at < all.size();) {
    if (!host_sign(all[at])) {
      ++at;
      continue;
    }
    const std::size_t start = at;
    while (at < all.size() && host_sign(all[at])) ++at;
    std::string_view run = all.substr(start, at - start);
    while (!run.empty() && (run.back() == '.' || run.back() == '-')) run.remove_suffix(1);
    const std::size_t dot = run.rfind('.');
    if (dot == std::string_view::npos || dot == 0) continue;
    const std::string_view top = run.substr(dot + 1);
    const std::string_view before = run.substr(0, dot);
    const bool top_of_letters =
        top.size() >= 2 && std::all_of(top.begin(), top.end(), [](char c) { return IsAsciiLetter(c); });
    if (!top_of_letters && top.substr(0, 4) != "xn--") continue;
    // "hours.Please": a sentence without its space; a host is one case, and its label has two signs at least.
    if (top[0] >= 'A' && top[0] <= 'Z' && top.size() > 1 && top[1] >= 'a' && top[1] <= 'z') continue;
    if (before.size() < 2 || before.find("..") != std::string_view::npos) continue;
    if (start > 0 && all[start - 1] == '@') {  // an e-mail address: its host must be ours
      if (!HostAllowed(std::string(run), context)) return true;
      continue;
    }
    if (!HostAllowed(std::string(run), context)) return true;
  }
  return false;
}

std::size_t CodePoints(std::string_view text) {
  return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), [](char c) { return (c & 0xc0) != 0x80; }));
}

std::string Trimmed(std::string_view text) {
  const std::size_t first = text.find_first_not_of(" \t\r\n");
  if (first == std::string_view::npos) return "";
  return std::string(text.substr(first, text.find_last_not_of(" \t\r\n") - first + 1));
}

}  // namespace

std::string ToWhatsAppText(std::string_view markdown) {
  std::string out;
  bool line_start = true;
  bool heading = false;
  const auto end_heading = [&] {
    if (heading) out += '*';
    heading = false;
  };
  for (std::size_t at = 0; at < markdown.size();) {
    const std::string_view rest = markdown.substr(at);
    if (line_start) {
      line_start = false;
      const std::size_t hashes = rest.find_first_not_of('#');
      if (hashes != std::string_view::npos && hashes >= 1 && hashes <= 6 && rest[hashes] == ' ') {
        heading = true;
        out += '*';
        at += hashes + 1;
        continue;
      }
      const std::string_view line = rest.substr(0, rest.find('\n'));
      // The rule under a table's head, or a fence.
      if (line.size() >= 3 &&
          (line.find_first_not_of("|-: ") == std::string_view::npos || line.substr(0, 3) == "```")) {
        at += line.size() + (line.size() < rest.size() ? 1 : 0);
        line_start = true;
        continue;
      }
      if (rest[0] == '|') {
        ++at;
        continue;
      }
    }
    if (rest[0] == '\n') {
      end_heading();
      out += '\n';
      line_start = true;
      ++at;
    } else if (rest.substr(0, 2) == "**" || rest.substr(0, 2) == "__") {
      if (!heading) out += '*';
      at += 2;
    } else if (rest[0] == '`') {
      ++at;
    } else if (rest[0] == '|') {
      const std::size_t next = rest.find_first_not_of("| ");
      if (next != std::string_view::npos && rest[next] != '\n') out += "- ";
      ++at;
    } else if (rest[0] == '[') {
      const std::size_t close = rest.find("](");
      const std::size_t end = close == std::string_view::npos ? close : rest.find(')', close);
      if (end == std::string_view::npos || rest.substr(0, end).find('\n') != std::string_view::npos) {
        out += '[';
        ++at;
      } else {
        const std::string_view label = rest.substr(1, close - 1), link = rest.substr(close + 2, end - close - 2);
        out += label;
        if (label != link) {
          out += ": ";
          out += link;
        }
        at += end + 1;
      }
    } else {
      out += rest[0];
      ++at;
    }
  }
  end_heading();
  return out;
}

CheckResult CheckReply(std::string_view text, const CheckContext& context) {
  CheckResult result;
  result.text = Trimmed(ToWhatsAppText(text));
  const auto stop = [&](std::string_view rule) {
    result.rule = rule;
    return result;
  };
  if (result.text.empty()) return stop("empty");
  if (CodePoints(result.text) > context.max_chars) return stop("length");
  const std::string comparable = Comparable(result.text);
  if (comparable.size() <= 1) return stop("empty");
  for (const ComparablePhrase& phrase : Phrases()) {
    if (phrase.rule == "claimed_action" && context.action_done) continue;
    if (comparable.find(phrase.words) != std::string::npos) return stop(phrase.rule);
  }
  if (NamesDose(comparable)) return stop("dose");
  if (HoldsUuid(result.text)) return stop("leak");
  if (LinksElsewhere(result.text, context)) return stop("link");
  result.passed = true;
  return result;
}

}  // namespace medidesk::assistant
