// From accepted messages to answers: waits for the end of a burst, has the turn answered, hands the reply to the
// outbox.
//
//   message -> open turn of its conversation ── quiet for 1.2 s, or 6 s old, and caught up ──> sealed by the assistant
//           -> answer (assistant; else after 32 s the apology) -> Outbox, until it has left -> the conversation's next
//           turn
//
// Turns of one conversation go one after the other, in the order of their first messages; conversations side by side.
// Whatever is lost with this process comes again from the store (Recover).
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/steady_timer.hpp>

#include <deque>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "gateway/bot/bot_metrics.h"
#include "gateway/bot/bot_port.h"
#include "gateway/bot/outbox.h"
#include "gateway/bot/screening.h"

namespace medidesk::gateway::bot {

class TurnDesk {
 public:
  struct Options {
    std::chrono::milliseconds burst_quiet{1'200}, burst_limit{6'000};
    std::chrono::milliseconds answer_limit{32'000};  // then the apology
    bool typing = true;
    std::string language = "en";  // where none can be guessed
  };
  using Words = std::function<std::string(safety::FixedKind kind, const std::string& language)>;

  // `words`: the fixed texts. All of them outlive it.
  TurnDesk(Line& line, Backend& backend, Outbox& outbox, Screening& screening, BotMetrics metrics, Words words,
           Options options);

  void OnAccepted(const AcceptedMessage& accepted);
  // Both addresses are one person's, whose conversations have become one in the store: what this person writes from now
  // on is answered after the turns that are under way.
  void OnMerged(const wa::Jid& phone, const wa::Jid& lid);
  // Somebody writes in this chat: the burst goes on.
  void OnTyping(const wa::Jid& chat);
  // The line is there, or has caught up.
  void OnLineChanged();
  // Unfinished turns that the store knows, in their order; those that are known here only take their places in it.
  void Recover(const std::vector<PendingTurn>& pending);
  void Close();

  std::size_t turns() const { return known_.size(); }

 private:
  struct Turn {
    std::string id;
    wa::Jid chat;                   // empty user: not known
    std::vector<std::string> read;  // ids of its messages, for the read receipt
    std::string language;
    wa::Time first{}, last{};
    bool sealed = false;     // gains nothing more
    bool recovered = false;  // known by its id alone
    bool started = false;    // being answered
    bool unreadable = true;  // nothing but what only people can look at
    bool stale = false;      // gets the stale notice
    bool takeover = false;
    bool dropped = false;   // ended in the store
    std::string commit_id;  // of a reply of our own
    std::string conversation_id;
  };
  struct Conversation {
    std::deque<std::shared_ptr<Turn>> turns;
  };

  std::shared_ptr<Turn> Find(const std::string& turn_id);
  // The conversation, as it is called here, in which a new turn of this chat has its place.
  std::string PlaceOf(const AcceptedMessage& accepted);
  void Add(const std::string& conversation, std::shared_ptr<Turn> turn);
  boost::asio::awaitable<void> Run(std::string conversation);
  boost::asio::awaitable<void> WaitForEnd(std::shared_ptr<Turn> turn);
  boost::asio::awaitable<void> AnswerTurn(std::shared_ptr<Turn> turn);
  boost::asio::awaitable<std::optional<Answer>> AskAssistant(std::shared_ptr<Turn> turn, wa::Time until);
  // Until the store has it, or the desk is closed.
  boost::asio::awaitable<std::optional<Answer>> Commit(std::shared_ptr<Turn> turn, std::string text, std::string source,
                                                       std::string task);
  // Waits for a store that is away: what is answered later must not be sent before what is answered now. Empty when the
  // conversation has no address, or the desk is closed.
  boost::asio::awaitable<wa::Jid> ChatOf(std::string conversation_id);
  boost::asio::awaitable<void> Pause(wa::Time::duration time);

  Line& line_;
  Backend& backend_;
  Outbox& outbox_;
  Screening& screening_;
  const BotMetrics metrics_;
  const Words words_;
  const Options options_;
  bool closed_ = false;
  std::map<std::string, Conversation> conversations_;  // by id
  std::map<wa::Jid, std::string> merged_;              // chats whose turns go on in a conversation that is under way
  std::map<std::string, std::shared_ptr<Turn>> known_;
  std::set<boost::asio::steady_timer*> pauses_;
};

}  // namespace medidesk::gateway::bot
