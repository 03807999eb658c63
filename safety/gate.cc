#include "safety/gate.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "safety/evidence.h"
#include "safety/lexicon.h"
#include "safety/normalise.h"

namespace medidesk::safety {
namespace {

bool Overlaps(const Hit& hit, const std::vector<Hit>& hits) {
  return std::any_of(hits.begin(), hits.end(),
                     [&](const Hit& other) { return hit.first <= other.last && other.first <= hit.last; });
}

// The hit of a slot that lies nearest to what is matched so far and keeps the match in the window.
std::optional<Hit> Nearest(const Evidence& evidence, const Slot& slot, const Match& match, int words) {
  const int window = evidence.Window(words);
  std::optional<Hit> best;
  std::uint32_t best_span = 0;
  for (const ConceptId concept_id : slot.concepts) {
    const auto hits = evidence.Of(concept_id);
    const auto reach = static_cast<std::uint32_t>(window);
    const std::uint32_t from = match.last > reach ? match.last - reach : 0;
    auto it = std::lower_bound(hits.begin(), hits.end(), from,
                               [](const Hit& hit, std::uint32_t first) { return hit.first < first; });
    for (; it != hits.end() && it->first < match.first + reach; ++it) {
      if (slot.after_previous && it->first <= match.hits.back().last) continue;
      if (Overlaps(*it, match.hits)) continue;
      if (!std::all_of(match.hits.begin(), match.hits.end(),
                       [&](const Hit& hit) { return evidence.Mixes(hit.language, it->language); })) {
        continue;
      }
      const std::uint32_t span = std::max(match.last, it->last) - std::min(match.first, it->first) + 1;
      if (span > reach) continue;
      if (!best || span < best_span) {
        best = *it;
        best_span = span;
      }
    }
  }
  return best;
}

std::optional<Match> Complete(const Evidence& evidence, const Rule& rule, const Hit& anchor) {
  Match match{.first = anchor.first, .last = anchor.last, .language = anchor.language, .hits = {anchor}};
  for (std::size_t i = 1; i < rule.slots.size(); ++i) {
    const auto hit = Nearest(evidence, rule.slots[i], match, rule.window);
    if (!hit) return std::nullopt;
    match.first = std::min(match.first, hit->first);
    match.last = std::max(match.last, hit->last);
    if (match.language == 0) match.language = hit->language;
    match.hits.push_back(*hit);
  }
  return match;
}

// 2 emergency or an intent, 1 lite, 0 nothing: what is left of a match after its surroundings are read.
int Weigh(const Evidence& evidence, const Rule& rule, const Match& match) {
  const int full = rule.outcome == Outcome::kLite ? 1 : 2;
  const int least = rule.firm ? 1 : 0;
  for (const ConceptId concept_id : rule.unless) {
    if (evidence.HasInSentence(concept_id, match)) return 0;
  }
  if (rule.whole && !evidence.WholeMessage(match)) return 0;
  if (rule.outcome >= Outcome::kAbuse) return full;
  if (evidence.Negated(match)) return least;
  int level = full;
  if (!evidence.SaysNow(match)) {
    const bool resolved = evidence.ResolvedAfter(match);
    if (evidence.PastInClause(match)) return least;
    if (evidence.PastInSentence(match)) level = resolved ? 0 : level - 1;
    if (evidence.AsksAbout(match)) level -= evidence.HasSufferer(match) ? 1 : 2;
    if (resolved) --level;
  } else if (evidence.ResolvedAfter(match)) {
    --level;
  }
  return std::clamp(level, least, full);
}

}  // namespace

struct Gate::State {
  explicit State(Tables parsed) : tables(std::move(parsed)), lexicon(tables) {
    for (const auto& [word, value] : tables.numerals) numerals.emplace(word, value);
  }

  Tables tables;
  Lexicon lexicon;
  Numerals numerals;
};

std::string_view Name(Severity severity) {
  switch (severity) {
    case Severity::kEmergency:
      return "emergency";
    case Severity::kLite:
      return "lite";
    case Severity::kNone:
      break;
  }
  return "none";
}

Gate::Gate(std::unique_ptr<const State> state) : state_(std::move(state)) {}
Gate::Gate(Gate&&) noexcept = default;
Gate& Gate::operator=(Gate&&) noexcept = default;
Gate::~Gate() = default;

absl::StatusOr<Gate> Gate::Make(std::span<const TableSource> tables) {
  MD_ASSIGN_OR_RETURN(Tables parsed, ParseTables(tables));
  return Gate(std::make_unique<const State>(std::move(parsed)));
}

const std::string& Gate::table_version() const { return state_->tables.version; }
const Tables& Gate::tables() const { return state_->tables; }

Verdict Gate::Screen(std::string_view text, std::string_view without_rule) const {
  Verdict verdict;
  verdict.table_version = table_version();
  Words words = Normalise(text.substr(0, kMaxBytes));
  state_->lexicon.Mend(words);
  const Evidence evidence(state_->tables, state_->numerals, state_->lexicon, words);
  if (evidence.empty()) return verdict;

  const auto decide = [&](const Rule& rule, const Match& match) {
    verdict.rule_id = rule.id;
    verdict.language = state_->tables.languages[match.language];
  };
  for (const Rule& rule : state_->tables.rules) {
    const bool red_flag = rule.outcome == Outcome::kEmergency || rule.outcome == Outcome::kLite;
    if (red_flag && verdict.emergency()) continue;
    if (!without_rule.empty() && rule.id == without_rule) continue;
    const bool can = std::all_of(rule.slots.begin(), rule.slots.end(), [&](const Slot& slot) {
      return std::any_of(slot.concepts.begin(), slot.concepts.end(),
                         [&](ConceptId id) { return !evidence.Of(id).empty(); });
    });
    if (!can) continue;
    int best = 0;
    std::optional<Match> best_match;
    for (const ConceptId concept_id : rule.slots.front().concepts) {
      for (const Hit& anchor : evidence.Of(concept_id)) {
        if (best == 2) break;
        auto match = Complete(evidence, rule, anchor);
        if (!match) continue;
        const int level = Weigh(evidence, rule, *match);
        if (level <= best) continue;
        best = level;
        best_match = std::move(match);
      }
    }
    if (best == 0) continue;
    if (red_flag) {
      const Severity severity = best == 2 ? Severity::kEmergency : Severity::kLite;
      if (severity <= verdict.severity) continue;
      verdict.severity = severity;
      verdict.family = rule.family;
      decide(rule, *best_match);
      continue;
    }
    if (best < 2) continue;
    verdict.intents |= 1u << static_cast<unsigned>(rule.outcome);
    if (verdict.rule_id.empty()) decide(rule, *best_match);
  }
  verdict.human_request = verdict.Has(Outcome::kHumanRequest);
  verdict.opt_out = verdict.Has(Outcome::kOptOut);
  verdict.threat = verdict.Has(Outcome::kThreat);
  return verdict;
}

Verdict Gate::ScreenBurst(std::span<const std::string> messages) const {
  if (messages.size() == 1) return Screen(messages.front());
  std::string lines, line;
  for (const std::string& message : messages) {
    if (!lines.empty()) lines += '\n', line += ' ';
    lines += message;
    line += message;
  }
  // "wont" and "wake up" are one sentence sent as two; "no" and "chest pain" are not.
  Verdict apart = Screen(lines);
  Verdict together = Screen(line);
  if (together.severity <= apart.severity) return apart;
  together.intents = apart.intents;
  together.human_request = apart.human_request;
  together.opt_out = apart.opt_out;
  together.threat = apart.threat;
  return together;
}

std::vector<Gate::Found> Gate::Explain(std::string_view text) const {
  Words words = Normalise(text.substr(0, kMaxBytes));
  state_->lexicon.Mend(words);
  const Evidence evidence(state_->tables, state_->numerals, state_->lexicon, words);
  std::vector<Found> found;
  for (ConceptId id = 0; id < state_->tables.concepts.size(); ++id) {
    for (const Hit& hit : evidence.Of(id)) {
      Found one{.concept_name = state_->tables.languages[hit.language] + ":" + state_->tables.concepts[id],
                .words = {}};
      for (std::uint32_t word = hit.first; word <= hit.last; ++word) {
        one.words += (one.words.empty() ? "" : " ") + std::string(words.Text(word));
      }
      found.push_back(std::move(one));
    }
  }
  return found;
}

std::string_view ClassOf(const Verdict& verdict) {
  const auto any = [&](std::initializer_list<Outcome> outcomes) {
    return std::any_of(outcomes.begin(), outcomes.end(), [&](Outcome outcome) { return verdict.Has(outcome); });
  };
  if (verdict.emergency()) return "emergency";
  if (any({Outcome::kThreat, Outcome::kAbuse, Outcome::kInjection})) return "abuse";
  if (any({Outcome::kOptOut})) return "opt-out";
  if (any({Outcome::kHumanRequest, Outcome::kComplaint, Outcome::kClinical, Outcome::kWrongNumber,
           Outcome::kAboutOther})) {
    return "human";
  }
  if (any({Outcome::kBooking})) return "booking";
  if (any({Outcome::kQuestion, Outcome::kAsksIdentity})) return "faq";
  return "other";
}

}  // namespace medidesk::safety
