#include "assistant/service/rule_answer.h"

#include <algorithm>

namespace medidesk::assistant {
namespace {

using safety::FixedKind;
using safety::Outcome;
using std::chrono::system_clock;

std::optional<system_clock::time_point> TimeOf(const store::v1::HistoryMessage& message) {
  if (!message.has_create_time()) return std::nullopt;
  return system_clock::time_point(
      std::chrono::seconds(message.create_time().seconds()) +
      std::chrono::duration_cast<system_clock::duration>(std::chrono::nanoseconds(message.create_time().nanos())));
}

bool IsBot(const store::v1::HistoryMessage& message) { return message.from_hospital() && !message.from_staff(); }

// The patient has sent this very text so often in a row, this turn included.
bool SameAgain(const store::v1::Turn& turn, int limit) {
  if (limit <= 0 || turn.texts_size() == 0) return false;
  const std::string& text = turn.texts(turn.texts_size() - 1);
  int same = 1;
  for (auto message = turn.history().rbegin(); message != turn.history().rend(); ++message) {
    if (message->from_hospital()) continue;
    if (message->text() != text) return false;
    if (++same >= limit) return true;
  }
  return false;
}

// Every one of the last messages came faster after ours than anybody types.
bool TooQuick(const store::v1::Turn& turn, const RuleLimits& limits) {
  if (limits.quick_turns <= 0) return false;
  int quick = 0;
  for (int i = turn.history_size() - 1; i > 0; --i) {
    const store::v1::HistoryMessage& message = turn.history(i);
    if (message.from_hospital()) continue;
    const store::v1::HistoryMessage& before = turn.history(i - 1);
    const auto sent = TimeOf(message), ours = TimeOf(before);
    if (!IsBot(before) || !sent || !ours || *sent - *ours > limits.quick || *sent < *ours) return false;
    if (++quick >= limits.quick_turns) return true;
  }
  return false;
}

bool TooMany(const store::v1::Turn& turn, int limit, system_clock::time_point now) {
  if (limit <= 0) return false;
  const auto recent = std::count_if(turn.history().begin(), turn.history().end(), [&](const auto& message) {
    const auto time = TimeOf(message);
    return IsBot(message) && time && now - *time < std::chrono::hours(1);
  });
  return recent >= limit;
}

}  // namespace

std::optional<RuleAnswer> AnswerByRule(const safety::Verdict& verdict, const store::v1::Turn& turn, bool facts_know,
                                       const safety::Texts& texts, const safety::SiteContacts& contacts,
                                       std::string_view language, const RuleLimits& limits,
                                       system_clock::time_point now) {
  const auto fixed = [&](FixedKind kind) { return texts.Fixed(kind, language, contacts); };
  const auto hand_over = [&](std::string_view reason) {
    return RuleAnswer{.text = fixed(FixedKind::kHandover),
                      .outcome = "handover",
                      .task_reason = std::string(reason),
                      .takeover_reason = std::string(reason)};
  };
  if (verdict.emergency()) {
    const std::string reason = "emergency:" + verdict.family;
    return RuleAnswer{.text = texts.Emergency(verdict, language, contacts),
                      .outcome = "gate",
                      .task_reason = reason,
                      .takeover_reason = reason};
  }
  if (verdict.threat) return hand_over("threat");
  if (SameAgain(turn, limits.same_texts) || TooQuick(turn, limits)) return hand_over("handover:loop");
  if (TooMany(turn, limits.replies_an_hour, now)) return hand_over("handover:rate_limit");
  if (verdict.Has(Outcome::kWrongNumber)) {
    return RuleAnswer{.text = fixed(FixedKind::kWrongNumber),
                      .outcome = "wrong_number",
                      .task_reason = "wrong_number",
                      .takeover_reason = "wrong_number"};
  }
  if (verdict.Has(Outcome::kAbuse)) {
    const std::string calm = fixed(FixedKind::kCalm);
    const bool before = std::any_of(turn.history().begin(), turn.history().end(), [&](const auto& message) {
      return IsBot(message) && message.text().find(calm) != std::string::npos;
    });
    if (before) return hand_over("abuse");
    return RuleAnswer{.text = calm, .outcome = "abuse", .task_reason = {}, .takeover_reason = {}};
  }
  if (verdict.human_request) return hand_over("human_request");
  if (verdict.Has(Outcome::kInjection) || verdict.Has(Outcome::kAsksIdentity)) {
    return RuleAnswer{
        .text = fixed(FixedKind::kDisclosure), .outcome = "disclosure", .task_reason = {}, .takeover_reason = {}};
  }
  if (verdict.Has(Outcome::kAboutOther)) {
    return RuleAnswer{
        .text = fixed(FixedKind::kPrivate), .outcome = "private", .task_reason = {}, .takeover_reason = {}};
  }
  if (verdict.Has(Outcome::kComplaint)) return hand_over("handover:complaint");
  if (verdict.Has(Outcome::kClinical) && !facts_know) {
    return RuleAnswer{.text = fixed(FixedKind::kClinical),
                      .outcome = "clinical",
                      .task_reason = "handover:clinical_question",
                      .takeover_reason = {}};
  }
  return std::nullopt;
}

}  // namespace medidesk::assistant
