#include "gateway/bot/screening.h"

#include "safety/language.h"

namespace medidesk::gateway::bot {
namespace {

using safety::FixedKind;
using safety::Severity;

// What is said at once, most urgent first.
FixedReply KindOf(const safety::Verdict& verdict) {
  if (verdict.severity == Severity::kEmergency) return FixedReply::kEmergency;
  if (verdict.threat) return FixedReply::kThreat;
  if (verdict.severity == Severity::kLite) return FixedReply::kEmergencyLite;
  if (verdict.human_request) return FixedReply::kHumanRequest;
  if (verdict.opt_out) return FixedReply::kOptOut;
  return FixedReply::kNone;
}

// As kinds are ranked above.
int RankOf(FixedReply kind) {
  switch (kind) {
    case FixedReply::kEmergency:
      return 5;
    case FixedReply::kThreat:
      return 4;
    case FixedReply::kEmergencyLite:
      return 3;
    case FixedReply::kHumanRequest:
      return 2;
    case FixedReply::kOptOut:
      return 1;
    case FixedReply::kNone:
      break;
  }
  return 0;
}

}  // namespace

Screened Screening::Screen(const wa::Jid& chat, std::string_view text, const safety::SiteContacts& contacts) {
  Screened screened;
  screened.message = gate_.Screen(text);
  screened.language = safety::GuessLanguage(text, screened.message.language);

  const auto known = open_.find(chat);
  if (known != open_.end() || open_.size() < kMaxChats) {
    std::vector<std::string>& texts = open_[chat];
    if (texts.size() >= kMaxTexts) texts.erase(texts.begin());
    texts.emplace_back(text);
    if (texts.size() > 1) {
      screened.burst = gate_.ScreenBurst(texts);
      screened.burst_counts = RankOf(KindOf(screened.burst)) > RankOf(KindOf(screened.message));
    }
  }

  screened.kind = KindOf(screened.strongest());
  const safety::Verdict& verdict = screened.strongest();
  switch (screened.kind) {
    case FixedReply::kEmergency:
    case FixedReply::kEmergencyLite:
      screened.text = texts_.Emergency(verdict, screened.language, contacts);
      break;
    case FixedReply::kThreat:
    case FixedReply::kHumanRequest:
      screened.text = texts_.Fixed(FixedKind::kHandover, screened.language, contacts);
      break;
    case FixedReply::kOptOut:
      screened.text = texts_.Fixed(FixedKind::kOptOut, screened.language, contacts);
      break;
    case FixedReply::kNone:
      break;
  }
  if (screened.kind != FixedReply::kNone) Close(chat);  // the fixed text is the turn's reply
  return screened;
}

}  // namespace medidesk::gateway::bot
