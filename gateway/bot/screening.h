// The red-flag gate on what comes in: each message, and what the person wrote just before it and is not answered yet.
//
// Not thread-safe: the number's strand.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "gateway/wa/jid.h"
#include "safety/fixed_reply.h"
#include "safety/gate.h"
#include "safety/texts.h"

namespace medidesk::gateway::bot {

struct Screened {
  safety::Verdict message;
  safety::Verdict burst;  // of the open turn with this message; more than `message` only where `burst_counts`
  bool burst_counts = false;
  std::string language;  // BCP 47
  safety::FixedReply kind = safety::FixedReply::kNone;
  std::string text;  // empty without a kind

  const safety::Verdict& strongest() const { return burst_counts ? burst : message; }
};

class Screening {
 public:
  static constexpr std::size_t kMaxChats = 2'000;  // with open turns that are remembered
  static constexpr std::size_t kMaxTexts = 20;     // of one of them

  // Both outlive it.
  Screening(const safety::Gate& gate, const safety::Texts& texts) : gate_(gate), texts_(texts) {}

  // `text`: a patient's words; they are remembered until Close.
  Screened Screen(const wa::Jid& chat, std::string_view text, const safety::SiteContacts& contacts);
  // The turn of this chat gains nothing more.
  void Close(const wa::Jid& chat) { open_.erase(chat); }

 private:
  const safety::Gate& gate_;
  const safety::Texts& texts_;
  std::map<wa::Jid, std::vector<std::string>> open_;
};

}  // namespace medidesk::gateway::bot
