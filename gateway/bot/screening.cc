#include "gateway/bot/screening.h"

#include "safety/language.h"

namespace medidesk::gateway::bot {

using safety::FixedReply;
using safety::FixedReplyTo;

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
      screened.burst_counts = FixedReplyTo(screened.burst) > FixedReplyTo(screened.message);
    }
  }

  screened.kind = FixedReplyTo(screened.strongest());
  screened.text = safety::TextOf(screened.kind, screened.strongest(), texts_, screened.language, contacts);
  if (screened.kind != FixedReply::kNone) Close(chat);  // the fixed text is the turn's reply
  return screened;
}

}  // namespace medidesk::gateway::bot
