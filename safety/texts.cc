#include "safety/texts.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <optional>

namespace medidesk::safety {
namespace {

constexpr std::string_view kLocalNumber = "local_number";
constexpr std::string_view kStaffTold = "staff_told";
constexpr std::array<std::string_view, 16> kKinds = {
    "emergency",   "crisis",     "discreet", "lite", "apology",      "handover", "opt_out", "stale",
    "cannot_read", "disclosure", "closed",   "calm", "wrong_number", "clinical", "private", kLocalNumber};

std::string_view KindName(FixedKind kind) { return kKinds[static_cast<std::size_t>(kind)]; }

std::string_view Trim(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t' || text.back() == '\r')) text.remove_suffix(1);
  return text;
}

std::optional<std::string_view> Value(std::string_view name, const SiteContacts& contacts) {
  if (name == "emergency_number") return contacts.emergency_number;
  if (name == "crisis_line") return contacts.crisis_line;
  if (name == "emergency_address") return contacts.emergency_address;
  if (name == "emergency_phone") return contacts.emergency_phone;
  if (name == "next_open") return contacts.next_open;
  if (name == "reply_minutes") return contacts.reply_minutes;
  if (name == kStaffTold) return "";
  return std::nullopt;
}

// The line with its values; nullopt when one of them is not set.
std::optional<std::string> Fill(std::string_view line, const SiteContacts& contacts) {
  std::string out;
  constexpr std::string_view kMark = "{staff_told}";
  if (line.starts_with(kMark)) {
    if (!contacts.staff_told) return std::nullopt;
    line.remove_prefix(kMark.size());
  }
  while (true) {
    const auto open = line.find('{');
    out += line.substr(0, open);
    if (open == std::string_view::npos) return out;
    const auto close = line.find('}', open);  // Make() saw to it that there is one
    const auto value = Value(line.substr(open + 1, close - open - 1), contacts);
    if (!value || value->empty()) return std::nullopt;
    out += *value;
    line.remove_prefix(close + 1);
  }
}

// What is wrong with a line of text; empty when nothing is.
std::string_view Wrong(std::string_view line) {
  for (auto open = line.find('{'); open != std::string_view::npos; open = line.find('{', open + 1)) {
    const auto close = line.find('}', open);
    if (close == std::string_view::npos) return "a { without its }";
    if (!Value(line.substr(open + 1, close - open - 1), SiteContacts())) return "an unknown {value}";
  }
  return {};
}

}  // namespace

absl::StatusOr<Texts> Texts::Make(TableSource source) {
  Texts texts;
  Block* block = nullptr;
  int number = 0;
  const auto at = [&](std::string_view what) {
    return Error(absl::StatusCode::kInvalidArgument, fmt::format("{}:{}: {}", source.name, number, what));
  };
  std::string_view rest = source.content;
  while (!rest.empty()) {
    const auto end = rest.find('\n');
    const std::string_view line = Trim(rest.substr(0, end));
    rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
    ++number;
    if (line.empty() || line.front() == '#') continue;
    if (line.front() == '[') {
      const auto space = line.find(' ');
      if (line.back() != ']' || space == std::string_view::npos) return at("expected `[kind language]`");
      const std::string kind(line.substr(1, space - 1));
      const std::string language(Trim(line.substr(space + 1, line.size() - space - 2)));
      if (std::find(kKinds.begin(), kKinds.end(), kind) == kKinds.end()) return at("there is no text of this kind");
      const auto [it, fresh] = texts.blocks_.try_emplace({kind, language});
      if (!fresh) return at("this kind and language stood before");
      block = &it->second;
      continue;
    }
    if (block == nullptr) return at("expected `[kind language]` first");
    if (line.starts_with("approved_by:")) {
      block->approved_by = Trim(line.substr(12));
    } else if (line.starts_with("approved_on:")) {
      block->approved_on = Trim(line.substr(12));
    } else {
      if (const auto wrong = Wrong(line); !wrong.empty()) return at(wrong);
      block->lines.emplace_back(line);
    }
  }
  for (const auto kind : kKinds) {
    const auto it = texts.blocks_.find({std::string(kind), "en"});
    if (it == texts.blocks_.end()) return at(fmt::format("[{} en] is missing", kind));
  }
  for (const auto& [key, found] : texts.blocks_) {
    if (found.lines.empty()) return at(fmt::format("[{} {}] has no text", key.first, key.second));
  }
  return texts;
}

const Texts::Block& Texts::Find(std::string_view kind, std::string_view language) const {
  const auto it = blocks_.find({std::string(kind), std::string(language)});
  return it != blocks_.end() ? it->second : blocks_.at({std::string(kind), "en"});
}

std::string Texts::Emergency(const Verdict& verdict, std::string_view language, const SiteContacts& contacts) const {
  if (verdict.severity == Severity::kNone) return {};
  if (verdict.family == "self_harm") return Fixed(FixedKind::kCrisis, language, contacts);
  if (verdict.family == "violence") return Fixed(FixedKind::kDiscreet, language, contacts);
  return Fixed(verdict.emergency() ? FixedKind::kEmergency : FixedKind::kLite, language, contacts);
}

std::string Texts::Fixed(FixedKind kind, std::string_view language, const SiteContacts& contacts) const {
  SiteContacts values = contacts;
  if (values.emergency_number.empty()) values.emergency_number = Find(kLocalNumber, language).lines.front();
  std::string text;
  for (const std::string& line : Find(KindName(kind), language).lines) {
    const auto filled = Fill(line, values);
    if (!filled) continue;
    if (!text.empty()) text += '\n';
    text += *filled;
  }
  return text;
}

bool Texts::Has(FixedKind kind, std::string_view language) const {
  return blocks_.contains({std::string(KindName(kind)), std::string(language)});
}

std::vector<std::string> Texts::Unapproved() const {
  std::vector<std::string> names;
  for (const auto& [key, block] : blocks_) {
    if (block.approved_by.empty() && key.first != kLocalNumber) names.push_back(key.first + " " + key.second);
  }
  return names;
}

}  // namespace medidesk::safety
