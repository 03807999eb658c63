#include "safety/table.h"

#include <fmt/format.h>
#include <openssl/sha.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>
#include <set>
#include <unordered_map>

#include "safety/normalise.h"

namespace medidesk::safety {
namespace {

constexpr std::array<std::string_view, kGuards> kGuardNames = {
    "negation", "negation_after", "filler", "or",    "past", "now",     "resolved",
    "info",     "ignore",         "polite", "known", "skip", "sufferer"};

std::string_view Trim(std::string_view text) {
  constexpr std::string_view kSpace = " \t\r";
  const auto from = text.find_first_not_of(kSpace);
  if (from == std::string_view::npos) return {};
  return text.substr(from, text.find_last_not_of(kSpace) - from + 1);
}

// The trimmed pieces between separators, empty ones included.
std::vector<std::string_view> Split(std::string_view text, char separator) {
  std::vector<std::string_view> pieces;
  while (true) {
    const auto at = text.find(separator);
    pieces.push_back(Trim(text.substr(0, at)));
    if (at == std::string_view::npos) return pieces;
    text.remove_prefix(at + 1);
  }
}

std::vector<std::string_view> Fields(std::string_view text) {
  std::vector<std::string_view> fields;
  for (const auto piece : Split(text, ' ')) {
    if (!piece.empty()) fields.push_back(piece);
  }
  return fields;
}

template <class T>
std::optional<T> Number(std::string_view text) {
  T value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

bool IsName(std::string_view text) {
  return !text.empty() && text.size() <= 64 && std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '.';
  });
}

constexpr std::array<std::string_view, static_cast<std::size_t>(Outcome::kOutcomes)> kOutcomeNames = {
    "lite",      "emergency", "human_request", "opt_out",     "threat",        "abuse",   "injection",
    "complaint", "clinical",  "wrong_number",  "about_other", "asks_identity", "booking", "question"};

std::optional<Outcome> ParseOutcome(std::string_view text) {
  const auto it = std::find(kOutcomeNames.begin(), kOutcomeNames.end(), text);
  if (it == kOutcomeNames.end()) return std::nullopt;
  return static_cast<Outcome>(it - kOutcomeNames.begin());
}

std::string WithoutUmlauts(std::string_view text) {
  constexpr std::array<std::pair<std::string_view, std::string_view>, 3> kSpelt = {
      {{"\u00e4", "ae"}, {"\u00f6", "oe"}, {"\u00fc", "ue"}}};
  std::string out(text);
  for (const auto& [umlaut, spelt] : kSpelt) {
    for (auto at = out.find(umlaut); at != std::string::npos; at = out.find(umlaut, at)) {
      out.replace(at, umlaut.size(), spelt);
    }
  }
  return out;
}

class Parser {
 public:
  Parser() {
    for (const auto name : kGuardNames) Concept(name);
  }

  absl::Status Rules(const TableSource& source) {
    MD_RETURN_IF_ERROR(EachLine(source, [this](std::string_view line) { return RulesLine(line); }));
    if (version_.empty()) return At("expected a line `version <number>`");
    if (tables_.rules.empty()) return At("expected at least one rule");
    return absl::OkStatus();
  }

  absl::Status Language(const TableSource& source) {
    language_.reset();
    MD_RETURN_IF_ERROR(EachLine(source, [this](std::string_view line) { return LanguageLine(line); }));
    if (!language_) return At("expected a line `language <BCP 47 tag>`");
    return absl::OkStatus();
  }

  absl::StatusOr<Tables> Finish(std::span<const TableSource> sources) && {
    std::vector<bool> said(tables_.concepts.size(), false);
    for (const Term& term : tables_.terms) said[term.concept_id] = true;
    for (const Measure& measure : tables_.measures) said[measure.concept_id] = true;
    for (ConceptId id = kGuards; id < said.size(); ++id) {
      if (!said[id]) {
        return Error(absl::StatusCode::kInvalidArgument,
                     fmt::format("{}: concept {} has no words in any language", first_use_[id], tables_.concepts[id]));
      }
    }
    std::string all;
    for (const TableSource& source : sources) {
      all += fmt::format("{}:{}\n{}", source.name, source.content.size(), source.content);
    }
    std::array<unsigned char, SHA256_DIGEST_LENGTH> digest;
    SHA256(reinterpret_cast<const unsigned char*>(all.data()), all.size(), digest.data());
    tables_.version = version_ + ".";
    for (std::size_t i = 0; i < 6; ++i) tables_.version += fmt::format("{:02x}", digest[i]);
    return std::move(tables_);
  }

 private:
  absl::Status At(std::string_view what) const {
    return Error(absl::StatusCode::kInvalidArgument, fmt::format("{}:{}: {}", file_, line_, what));
  }

  // Calls `take` for every line that says something, its comment cut off. A line that begins with
  // a space goes on with the one before.
  template <class Take>
  absl::Status EachLine(const TableSource& source, Take take) {
    file_ = source.name;
    line_ = 0;
    std::string statement;
    int number = 0;
    const auto flush = [&]() -> absl::Status {
      const std::string whole = std::move(statement);
      statement.clear();
      return Trim(whole).empty() ? absl::OkStatus() : take(Trim(whole));
    };
    std::string_view rest = source.content;
    while (!rest.empty()) {
      const auto end = rest.find('\n');
      std::string_view line = rest.substr(0, end);
      rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
      ++number;
      line = line.substr(0, line.find('#'));
      if (Trim(line).empty()) continue;
      const bool goes_on = line.front() == ' ' || line.front() == '\t';
      if (!goes_on) {
        MD_RETURN_IF_ERROR(flush());
        line_ = number;
      } else if (statement.empty()) {
        line_ = number;
        return At("this line begins with a space but there is none for it to go on with");
      }
      statement += line;
      statement += ' ';
    }
    MD_RETURN_IF_ERROR(flush());
    if (line_ == 0) line_ = 1;
    return absl::OkStatus();
  }

  ConceptId Concept(std::string_view name) {
    const auto [it, fresh] = ids_.try_emplace(std::string(name), static_cast<ConceptId>(tables_.concepts.size()));
    if (fresh) {
      tables_.concepts.emplace_back(name);
      first_use_.push_back(fmt::format("{}:{}", file_, line_));
    }
    return it->second;
  }

  absl::Status RulesLine(std::string_view line) {
    const auto fields = Fields(line);
    if (fields[0] == "version") {
      if (fields.size() != 2 || !Number<int>(fields[1])) return At("expected `version <number>`");
      version_ = fields[1];
      return absl::OkStatus();
    }
    if (fields[0] == "measure" || fields[0] == "reading") return MeasureLine(fields);
    if (fields[0] == "rule") return RuleLine(line);
    return At("expected version, measure, reading or rule");
  }

  absl::Status MeasureLine(const std::vector<std::string_view>& fields) {
    const bool bare = fields[0] == "reading";
    const std::size_t range = bare ? 2 : 3;
    if (fields.size() != range + 2) {
      return At(bare ? "expected `reading <concept> <min> <max>`" : "expected `measure <concept> <unit> <min> <max>`");
    }
    const auto min = Number<double>(fields[range]), max = Number<double>(fields[range + 1]);
    if (!min || !max || *min > *max) return At("expected two numbers, the smaller first");
    if (!IsName(fields[1]) || !IsName(fields[2])) return At("a concept is lower-case letters, digits and _");
    Measure measure{.concept_id = Concept(fields[1]), .bare = bare, .min = *min, .max = *max};
    if (!bare) measure.unit = Concept(fields[2]);
    tables_.measures.push_back(measure);
    return absl::OkStatus();
  }

  absl::Status RuleLine(std::string_view line) {
    const auto colon = line.find(':');
    if (colon == std::string_view::npos) return At("expected `rule <id> <outcome> [options] : <slots>`");
    const auto head = Fields(line.substr(0, colon));
    if (head.size() < 3) return At("expected `rule <id> <outcome> [options] : <slots>`");
    Rule rule;
    rule.id = head[1];
    const auto dot = rule.id.find('.');
    if (!IsName(rule.id) || dot == std::string::npos || dot == 0) return At("a rule's id is `<family>.<name>`");
    if (!rule_ids_.insert(rule.id).second) return At("this rule id is already taken");
    rule.family = rule.id.substr(0, dot);
    const auto outcome = ParseOutcome(head[2]);
    if (!outcome)
      return At("the outcome is emergency, lite, human_request, opt_out, threat or another that the head names");
    rule.outcome = *outcome;
    for (std::size_t i = 3; i < head.size(); ++i) {
      const std::string_view option = head[i];
      if (option == "firm") {
        rule.firm = true;
      } else if (option == "whole") {
        rule.whole = true;
      } else if (option.starts_with("window=")) {
        const auto window = Number<int>(option.substr(7));
        if (!window || *window < 1 || *window > 40) return At("window is a number from 1 to 40");
        rule.window = *window;
      } else if (option.starts_with("unless=")) {
        for (const auto name : Split(option.substr(7), '/')) {
          if (!IsName(name)) return At("unless names a concept");
          rule.unless.push_back(Concept(name));
        }
      } else {
        return At("the options are window=N, unless=<concept>, firm and whole");
      }
    }
    return Slots(line.substr(colon + 1), std::move(rule));
  }

  absl::Status Slots(std::string_view text, Rule rule) {
    bool after = false;
    while (true) {
      const auto end = text.find_first_of("+>");
      Slot slot{.concepts = {}, .after_previous = after};
      for (const auto name : Split(text.substr(0, end), '/')) {
        if (!IsName(name)) return At("a slot is a concept, or several with / between them");
        slot.concepts.push_back(Concept(name));
      }
      rule.slots.push_back(std::move(slot));
      if (end == std::string_view::npos) break;
      after = text[end] == '>';
      text.remove_prefix(end + 1);
    }
    if (rule.slots.size() > 4) return At("a rule has at most four slots");
    tables_.rules.push_back(std::move(rule));
    return absl::OkStatus();
  }

  absl::Status LanguageLine(std::string_view line) {
    const auto fields = Fields(line);
    if (fields[0] == "language") {
      if (language_ || fields.size() != 2) return At("expected one line `language <BCP 47 tag>`");
      for (const auto& known : tables_.languages) {
        if (known == fields[1]) return At("this language has a file already");
      }
      language_ = static_cast<LanguageId>(tables_.languages.size());
      tables_.languages.emplace_back(fields[1]);
      return absl::OkStatus();
    }
    if (!language_) return At("the first line must be `language <BCP 47 tag>`");
    const auto colon = line.find(':');
    if (colon == std::string_view::npos) return At("expected `<concept>: term | term`");
    const auto name = Trim(line.substr(0, colon));
    if (name.starts_with("numeral ")) {
      const auto value = Number<double>(Trim(name.substr(8)));
      if (!value) return At("expected `numeral <number>: word | word`");
      for (const auto word : Split(line.substr(colon + 1), '|')) {
        const Words words = Normalise(word);
        if (words.tokens.size() != 1) return At("a numeral is one word");
        tables_.numerals.emplace_back(words.Text(0), *value);
      }
      return absl::OkStatus();
    }
    const auto id = ids_.find(std::string(name));
    if (id == ids_.end()) return At("no rule uses this concept");
    for (const auto text : Split(line.substr(colon + 1), '|')) {
      MD_RETURN_IF_ERROR(AddTerm(text, id->second));
      // "Übelkeit" is typed "Uebelkeit" and "Ubelkeit"; normalising makes the second of the first.
      if (tables_.languages[*language_] != "de") continue;
      const std::string spelt = WithoutUmlauts(text);
      if (spelt != text) MD_RETURN_IF_ERROR(AddTerm(spelt, id->second));
    }
    return absl::OkStatus();
  }

  absl::Status AddTerm(std::string_view text, ConceptId id) {
    Term term{.words = {}, .concept_id = id, .language = *language_};
    for (std::string_view piece : Fields(text)) {
      bool stem = false, exact = false;
      if (piece.ends_with('*')) stem = true;
      if (piece.ends_with('!')) exact = true;
      if (stem || exact) piece.remove_suffix(1);
      const Words words = Normalise(piece);
      if (words.tokens.empty()) return At("a term has no letters");
      for (std::size_t i = 0; i < words.tokens.size(); ++i) {
        const bool last = i + 1 == words.tokens.size();
        term.words.push_back(
            {.text = std::string(words.Text(i)), .stem = stem && last, .exact = exact || words.tokens[i].number});
      }
      const std::size_t least = term.words.size() == words.tokens.size() ? 3 : 2;
      if (stem && words.tokens.back().letters < least)
        return At("a stem has at least three letters (two, if not the first word)");
    }
    if (term.words.empty()) return At("a term is empty: two | side by side, or one at the end");
    if (term.words.size() > 8) return At("a term has at most eight words");
    tables_.terms.push_back(std::move(term));
    return absl::OkStatus();
  }

  Tables tables_;
  std::string version_;
  std::string_view file_ = "tables";
  int line_ = 0;
  std::optional<LanguageId> language_;
  std::unordered_map<std::string, ConceptId> ids_;
  std::vector<std::string> first_use_;  // by ConceptId, "file:line"
  std::set<std::string> rule_ids_;
};

}  // namespace

absl::StatusOr<Tables> ParseTables(std::span<const TableSource> sources) {
  Parser parser;
  const auto is_rules = [](const TableSource& source) { return source.name.ends_with("rules.txt"); };
  const auto rules = std::find_if(sources.begin(), sources.end(), is_rules);
  if (rules == sources.end()) return Error(absl::StatusCode::kInvalidArgument, "tables: rules.txt is missing");
  MD_RETURN_IF_ERROR(parser.Rules(*rules));
  for (const TableSource& source : sources) {
    if (is_rules(source)) continue;
    MD_RETURN_IF_ERROR(parser.Language(source));
  }
  return std::move(parser).Finish(sources);
}

std::optional<LanguageId> Tables::Language(std::string_view tag) const {
  const auto it = std::find(languages.begin(), languages.end(), tag);
  if (it == languages.end()) return std::nullopt;
  return static_cast<LanguageId>(it - languages.begin());
}

}  // namespace medidesk::safety
