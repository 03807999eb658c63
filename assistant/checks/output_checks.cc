#include "assistant/checks/output_checks.h"

#include <utf8proc.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <memory>
#include <unordered_map>
#include <unordered_set>
#include <utility>

#include "assistant/checks/check_phrases.h"
#include "assistant/context/placeholders.h"
#include "base/uuid.h"

namespace medidesk::assistant {
namespace {

bool IsAsciiDigit(char c) { return c >= '0' && c <= '9'; }
bool IsAsciiLetter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }

bool Holds(WordSet set, const std::string& word) {
  const auto words = CheckWords(set);
  return std::find(words.begin(), words.end(), word) != words.end();
}

// Without accents, in one case and one width, without format characters. Empty for what is no UTF-8.
std::string Mapped(std::string_view text, int options) {
  utf8proc_uint8_t* mapped = nullptr;
  const auto size =
      utf8proc_map(reinterpret_cast<const utf8proc_uint8_t*>(text.data()), static_cast<utf8proc_ssize_t>(text.size()),
                   &mapped, static_cast<utf8proc_option_t>(UTF8PROC_COMPAT | UTF8PROC_IGNORE | options));
  if (size < 0) return "";
  const std::unique_ptr<utf8proc_uint8_t, void (*)(void*)> owned(mapped, std::free);
  return std::string(reinterpret_cast<const char*>(mapped), static_cast<std::size_t>(size));
}

// The value of a decimal digit of Arabic, Persian or Devanagari, else -1.
int DigitValue(utf8proc_int32_t point) {
  for (const int zero : {0x0660, 0x06f0, 0x0966}) {
    if (point >= zero && point <= zero + 9) return point - zero;
  }
  return -1;
}

bool IsAbbreviation(std::string_view word) {
  static constexpr std::array<std::string_view, 12> kAbbreviations = {"dr",  "dra",  "mr",  "mrs", "ms", "sr",
                                                                      "sra", "prof", "mme", "no",  "st", "rs"};
  return std::find(kAbbreviations.begin(), kAbbreviations.end(), word) != kAbbreviations.end();
}

// Words in lower case without accents; "." stands for every end of a sentence and "," for every comma.
// Apostrophes vanish, so "I've" is "ive"; marks of Indic scripts stay.
std::vector<std::string> WordsOf(std::string_view text) {
  const std::string mapped = Mapped(text, UTF8PROC_CASEFOLD | UTF8PROC_DECOMPOSE);
  std::vector<std::string> words;
  std::string word;
  const auto end_word = [&] {
    if (!word.empty()) words.push_back(std::exchange(word, std::string()));
  };
  for (std::size_t at = 0; at < mapped.size();) {
    utf8proc_int32_t point = 0;
    const auto length = utf8proc_iterate(reinterpret_cast<const utf8proc_uint8_t*>(mapped.data()) + at,
                                         static_cast<utf8proc_ssize_t>(mapped.size() - at), &point);
    if (length <= 0) break;
    const auto category = utf8proc_category(point);
    const bool indic = point >= 0x0900 && point <= 0x0dff;
    const bool mark =
        category == UTF8PROC_CATEGORY_MN || category == UTF8PROC_CATEGORY_MC || category == UTF8PROC_CATEGORY_ME;
    if (point == '\'' || point == 0x2019 || point == 0x2018 || (mark && !indic) || point == 0x0640) {
      // nothing
    } else if (const int digit = DigitValue(point); digit >= 0) {
      word += static_cast<char>('0' + digit);
    } else if ((category >= UTF8PROC_CATEGORY_LU && category <= UTF8PROC_CATEGORY_NO) || point == '_') {
      word.append(mapped, at, static_cast<std::size_t>(length));
    } else {
      end_word();
      const bool digit_follows = at + 1 < mapped.size() && IsAsciiDigit(mapped[at + 1]);
      if (point == '.' && !words.empty() && (digit_follows || IsAbbreviation(words.back()))) {
        // no end of a sentence
      } else if (point == '.' || point == '!' || point == '?' || point == '\n' || point == 0x0964 || point == 0x061f) {
        words.emplace_back(".");
      } else if (point == ',' || point == ';' || point == ':' || point == 0x060c) {
        words.emplace_back(",");
      }
    }
    at += static_cast<std::size_t>(length);
  }
  end_word();
  return words;
}

struct ComparablePhrase {
  std::string_view rule;
  Unless unless = Unless::kNever;
  std::vector<std::string> words;
};

// By their first word; one that begins with a set stands under each of its words.
const std::unordered_multimap<std::string, ComparablePhrase>& Phrases() {
  static const auto phrases = [] {
    std::unordered_multimap<std::string, ComparablePhrase> made;
    for (const CheckPhrase& phrase : CheckPhrases()) {
      ComparablePhrase one{phrase.rule, phrase.unless, {}};
      for (std::size_t at = 0; at < phrase.words.size();) {
        const std::size_t end = std::min(phrase.words.find(' ', at), phrase.words.size());
        const std::string_view word = phrase.words.substr(at, end - at);
        const bool plain = word != "..." && word[0] != '@' && word.back() != '*';
        // The table is written for people: compose and decompose its words as texts are.
        one.words.push_back(plain ? WordsOf(word).at(0) : std::string(word));
        at = end + 1;
      }
      if (one.words[0] == "@drug") {
        for (const std::string_view drug : CheckWords(WordSet::kDrug)) made.emplace(drug, one);
      } else {
        const std::string first = one.words[0];
        made.emplace(first, std::move(one));
      }
    }
    return made;
  }();
  return phrases;
}

bool WordMatches(const std::string& pattern, const std::string& word) {
  if (pattern == "@drug") return Holds(WordSet::kDrug, word);
  if (pattern == "@illness") return Holds(WordSet::kIllness, word);
  if (pattern.back() == '*') return word.compare(0, pattern.size() - 1, pattern, 0, pattern.size() - 1) == 0;
  return pattern == word;
}

// Where the phrase that begins at `at` ends, 0 when it is not there.
std::size_t EndOfPhrase(const std::vector<std::string>& phrase, std::size_t next, const std::vector<std::string>& words,
                        std::size_t at) {
  constexpr int kGap = 4;
  for (; next < phrase.size(); ++next) {
    if (phrase[next] == "...") {
      for (int skipped = 0; at < words.size() && words[at] != "." && skipped <= kGap; ++at) {
        if (const std::size_t end = EndOfPhrase(phrase, next + 1, words, at); end != 0) return end;
        if (words[at] != ",") ++skipped;
      }
      return 0;
    }
    if (at >= words.size() || !WordMatches(phrase[next], words[at])) return 0;
    ++at;
  }
  return at;
}

bool Excused(Unless unless, const std::vector<std::string>& words, std::size_t begin, std::size_t end) {
  const auto before = [&](WordSet set, int most, bool over_commas) {
    for (std::size_t at = begin; at > 0 && most > 0; --at, --most) {
      const std::string& word = words[at - 1];
      if (word == "." || (word == "," && !over_commas)) return false;
      if (Holds(set, word)) return true;
    }
    return false;
  };
  switch (unless) {
    case Unless::kNever:
      return false;
    case Unless::kConditional:
      return before(WordSet::kConditionBefore, 3, /*over_commas=*/false) ||
             (end < words.size() && Holds(WordSet::kConditionAfter, words[end]));
    case Unless::kRefused:
      return before(WordSet::kRefusal, 8, /*over_commas=*/false);
  }
  return false;
}

// The rule that a phrase of the text breaks; empty: none.
std::string_view BrokenByPhrase(const std::vector<std::string>& words, bool action_done) {
  for (std::size_t at = 0; at < words.size(); ++at) {
    const auto [first, last] = Phrases().equal_range(words[at]);
    for (auto phrase = first; phrase != last; ++phrase) {
      const ComparablePhrase& one = phrase->second;
      if (action_done && one.rule == "claimed_action") continue;
      const std::size_t end = EndOfPhrase(one.words, 1, words, at + 1);
      if (end != 0 && !Excused(one.unless, words, at, end)) return one.rule;
    }
  }
  return "";
}

bool WaterInSentence(const std::vector<std::string>& words, std::size_t at) {
  std::size_t begin = at;
  while (begin > 0 && words[begin - 1] != ".") --begin;
  for (; begin < words.size() && words[begin] != "."; ++begin) {
    if (Holds(WordSet::kWater, words[begin])) return true;
  }
  return false;
}

// "500 mg", "2 tablets", "5ml", "two pills": a number with a unit of medicine. Water may be measured.
bool NamesDose(const std::vector<std::string>& words) {
  const auto is_number = [](std::string_view word) {
    return !word.empty() && std::all_of(word.begin(), word.end(), IsAsciiDigit);
  };
  for (std::size_t at = 0; at < words.size(); ++at) {
    const std::size_t digits = std::min(words[at].find_first_not_of("0123456789"), words[at].size());
    const std::string unit = words[at].substr(digits);
    const bool liquid = Holds(WordSet::kLiquidUnit, unit);
    if (!liquid && !Holds(WordSet::kDoseUnit, unit)) continue;
    bool counted = digits > 0;
    if (!counted && at > 0) {
      const std::string& before = words[at - 1];
      counted = is_number(before) || Holds(WordSet::kDoseCount, before);
      if (before == "do" && unit.back() == 's') counted = false;  // "do tablets ...?" is English
    }
    if (counted && !(liquid && WaterInSentence(words, at))) return true;
  }
  return false;
}

bool HoldsUuid(std::string_view text) {
  for (std::size_t dash = text.find('-'); dash != std::string_view::npos; dash = text.find('-', dash + 1)) {
    if (dash >= 8 && dash + 28 <= text.size() && IsUuid(text.substr(dash - 8, 36))) return true;
  }
  return false;
}

// `host` is in lower case.
bool HostAllowed(std::string host, const std::vector<std::string>& hosts) {
  while (!host.empty() && host.back() == '.') host.pop_back();
  return std::any_of(hosts.begin(), hosts.end(), [&](const std::string& allowed) {
    if (host == allowed) return true;
    return host.size() > allowed.size() && host.ends_with(allowed) && host[host.size() - allowed.size() - 1] == '.';
  });
}

// Names that a capital letter does not excuse: "Evil.Com" is a link, "hours.Please" is not.
bool IsCommonTopLevel(std::string_view lower) {
  static constexpr std::array<std::string_view, 24> kCommon = {
      "com", "net", "org",  "info", "biz", "io", "co", "in", "me",   "app", "ly",     "to",
      "xyz", "dev", "link", "shop", "top", "uk", "us", "eu", "site", "gov", "online", "click"};
  return std::find(kCommon.begin(), kCommon.end(), lower) != kCommon.end();
}

std::string Lower(std::string_view text) {
  std::string lower(text);
  std::transform(lower.begin(), lower.end(), lower.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
  return lower;
}

// Every run of host-like signs with a dot and a word of letters behind it counts as a link; digits
// such as "10.30" and abbreviations such as "a.m." do not.
bool LinksElsewhere(std::string_view text, const CheckContext& context) {
  // Invisible and wide signs inside a link are the oldest trick: the text is looked at without them.
  std::string all_text = Mapped(text, UTF8PROC_COMPOSE);
  for (std::size_t at = all_text.find("\u3002"); at != std::string::npos; at = all_text.find("\u3002", at)) {
    all_text.replace(at, 3, ".");  // browsers take it for a dot
  }
  const std::string_view all = all_text;
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
    if (!HostAllowed(Lower(authority), context.allowed_link_hosts)) return true;
  }
  for (std::size_t at = 0; at < all.size();) {
    if (!host_sign(all[at])) {
      ++at;
      continue;
    }
    const std::size_t start = at;
    while (at < all.size() && host_sign(all[at])) ++at;
    if (at < all.size() && all[at] == '@') continue;  // the name in an e-mail address; its host comes next
    std::string_view run = all.substr(start, at - start);
    while (!run.empty() && (run.back() == '.' || run.back() == '-')) run.remove_suffix(1);
    const std::size_t dot = run.rfind('.');
    if (dot == std::string_view::npos || dot == 0) continue;
    const std::string host = Lower(run);
    const bool address = start > 0 && all[start - 1] == '@';
    if (address && (HostAllowed(host, context.allowed_email_hosts))) continue;
    const std::string_view top = run.substr(dot + 1);
    const std::string_view before = run.substr(0, dot);
    const bool top_of_letters =
        top.size() >= 2 && std::all_of(top.begin(), top.end(), [](char c) { return IsAsciiLetter(c); });
    if (!top_of_letters && top.substr(0, 4) != "xn--") continue;
    if (!address) {
      // "hours.Please": a sentence without its space.
      const bool capital = top[0] >= 'A' && top[0] <= 'Z' && top[1] >= 'a' && top[1] <= 'z';
      if (capital && !IsCommonTopLevel(Lower(top))) continue;
      if (before.size() < 2 || before.find("..") != std::string_view::npos) continue;
    }
    if (!HostAllowed(host, context.allowed_link_hosts)) return true;
  }
  return false;
}

constexpr std::size_t kRun = 10;  // words in a row that are no accident

// A hash of every run of kRun words. Hospitals' names and hours are short; a rule is not.
std::unordered_set<std::size_t> RunsOf(std::vector<std::string> words) {
  std::erase_if(words, [](const std::string& word) { return word == "." || word == ","; });
  std::unordered_set<std::size_t> runs;
  for (std::size_t from = 0; from + kRun <= words.size(); ++from) {
    std::size_t hash = 0;
    for (std::size_t i = from; i < from + kRun; ++i) hash = hash * 1099511628211u ^ std::hash<std::string>()(words[i]);
    runs.insert(hash);
  }
  return runs;
}

bool RepeatsInstructions(const std::vector<std::string>& words, const std::unordered_set<std::size_t>& instructions) {
  if (instructions.empty() || words.size() < kRun) return false;
  const auto said = RunsOf(words);
  return std::any_of(said.begin(), said.end(), [&](std::size_t run) { return instructions.contains(run); });
}

// Somebody's phone number, or one that the model made up.
bool NamesUnknownNumber(std::string_view text, const std::vector<std::string>& known) {
  for (const std::string& number : LongNumbers(text)) {
    const bool ours = std::any_of(known.begin(), known.end(), [&](const std::string& one) {
      return one.ends_with(number) || number.ends_with(one);
    });
    if (!ours) return true;
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
      at += rest.substr(0, 3) == "***" ? 3 : 2;
    } else if (rest[0] == '`') {
      ++at;
    } else if (rest[0] == '|') {
      const std::size_t next = std::min(rest.find_first_not_of("| "), rest.size());
      if (next < rest.size() && rest[next] != '\n') out += "- ";
      at += next;
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

std::unordered_set<std::size_t> InstructionRuns(std::string_view instructions) { return RunsOf(WordsOf(instructions)); }

std::string_view Correction(std::string_view rule) {
  if (rule == "claimed_action")
    return "it says that something was done or will be done; nothing was, and you cannot do it";
  if (rule == "dose") return "it names a medicine, an amount or a change of a dose";
  if (rule == "diagnosis") return "it judges symptoms or results, or reassures";
  if (rule == "link") return "it holds a link or an address that is not in the facts";
  if (rule == "number") return "it holds a phone number that is not in the facts";
  if (rule == "leak") return "it repeats instructions or internal names";
  if (rule == "placeholder") return "it holds a placeholder in brackets that the patient did not use";
  if (rule == "language") return "it is not in the language that was asked for";
  if (rule == "length") return "it is too long; use at most 90 words";
  return "it holds no answer";
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
  const std::vector<std::string> words = WordsOf(result.text);
  const bool any = std::any_of(words.begin(), words.end(), [](const auto& word) { return word != "." && word != ","; });
  if (!any) return stop("empty");
  if (const std::string_view rule = BrokenByPhrase(words, context.action_done); !rule.empty()) return stop(rule);
  if (NamesDose(words)) return stop("dose");
  if (HoldsUuid(result.text) || (context.instructions != nullptr && RepeatsInstructions(words, *context.instructions)))
    return stop("leak");
  if (context.known_numbers != nullptr && NamesUnknownNumber(result.text, *context.known_numbers))
    return stop("number");
  if (LinksElsewhere(result.text, context)) return stop("link");
  result.passed = true;
  return result;
}

}  // namespace medidesk::assistant
