// How fast, and to whom, a number may write: what keeps an account from being restricted or banned.
//
// Cautious limits of our own (nobody outside knows the true ones), all of them settings. The gate's emergency text is
// never held back. Counters of contacts live in memory; what concerns the account outlives a restart (Save, Restore).
// Contacts go by the ids of their conversations. Sans-I/O; not thread-safe: the number's strand.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "gateway/bot/bot_port.h"
#include "gateway/wa/entropy.h"

namespace medidesk::gateway::bot {

// The numbers are those of the store's SendState.
enum class SendState { kNormal = 1, kLimited = 2, kHeld = 3 };

struct GovernorLimits {
  bool enabled = true;
  std::chrono::hours window{24};  // since the person's own last message
  int per_inbound = 3;            // messages that answer one message of the person
  int per_contact_hour = 30, per_contact_day = 100;
  int per_minute = 20, burst = 10;  // of the whole account: a token bucket
  int per_hour = 400, per_day = 3'000;
  int contacts_per_minute = 12;
  std::chrono::milliseconds min_gap{1'000}, max_gap{3'500};  // between two messages to one person
  std::chrono::hours contact_block{6};                       // after error 463
};

class Governor {
 public:
  static constexpr std::size_t kMaxContacts = 20'000;  // the longest silent are forgotten

  struct Decision {
    enum class Kind { kGo, kWait, kRefuse } kind = Kind::kGo;
    wa::Time at = {};         // kWait: ask again then
    const char* reason = "";  // kRefuse: "window_closed", "contact_blocked", "held", "unanswered"
  };

  Governor(GovernorLimits limits, wa::Entropy entropy) : limits_(limits), entropy_(std::move(entropy)) {}

  // The number was linked then: it begins slowly.
  void OnLinked(wa::WallTime time) { linked_ = time; }
  void OnReceived(const std::string& contact, wa::Moment now, wa::WallTime sent);
  // May a message to this person leave now? `last_received`: of the person, where the store knows more than we.
  Decision Ask(const std::string& contact, Origin origin, std::optional<wa::WallTime> last_received, wa::Moment now);
  // It leaves.
  void OnSent(const std::string& contact, Origin origin, wa::Moment now);
  // Error 463: WhatsApp did not take it.
  void OnRefused(const std::string& contact, wa::Moment now);
  // WhatsApp's own word on the account.
  void OnRestricted(bool active, std::optional<wa::WallTime> ends, wa::Moment now);
  void OnNewChatCap(std::string_view status, std::optional<wa::WallTime> ends, wa::Moment now);

  SendState state(wa::Moment now);
  std::optional<wa::WallTime> state_end() const { return state_end_; }
  int refused() const { return refused_; }  // 463 since the start

  // One line of text; Restore ignores what it cannot read.
  std::string Save() const;
  void Restore(std::string_view saved);

 private:
  struct Contact {
    std::optional<wa::WallTime> received = {};
    int since_received = 0;
    std::deque<wa::Time> sent = {};  // of the last day, at most per_contact_day
    wa::Time next = {};              // the gap's end
    std::optional<wa::Time> blocked = {};
    wa::Time used = {};
  };

  Contact& ContactOf(const std::string& contact, wa::Time now);
  int DayLimit(wa::Moment now) const;
  void Refill(wa::Time now, double rate);

  const GovernorLimits limits_;
  const wa::Entropy entropy_;
  std::map<std::string, Contact> contacts_;
  std::optional<wa::WallTime> linked_;
  std::optional<double> tokens_;
  wa::Time filled_{};
  std::deque<wa::Time> hour_;                                     // sent in the last hour
  std::deque<std::pair<wa::Time, std::string>> minute_contacts_;  // written to in the last minute
  std::int64_t day_ = 0;                                          // since the epoch
  int today_ = 0;
  SendState state_ = SendState::kNormal;
  std::optional<wa::WallTime> state_end_;
  bool halved_ = false;                                    // a second warning of the cap
  std::deque<std::pair<wa::Time, std::string>> refusals_;  // of the last ten minutes
  int refused_ = 0;
};

}  // namespace medidesk::gateway::bot
