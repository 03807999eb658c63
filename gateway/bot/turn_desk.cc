#include "gateway/bot/turn_desk.h"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <algorithm>

#include "base/log.h"
#include "base/uuid.h"

namespace medidesk::gateway::bot {
namespace {

namespace asio = boost::asio;

constexpr auto kToken = asio::as_tuple(asio::use_awaitable);
constexpr std::chrono::milliseconds kFirstRetry{250}, kLongestRetry{2'000};
constexpr std::size_t kMaxRead = 50;  // receipts of one turn

// Another try may end otherwise.
bool MayPass(const absl::Status& status) {
  switch (status.code()) {
    case absl::StatusCode::kAborted:
    case absl::StatusCode::kUnavailable:
    case absl::StatusCode::kResourceExhausted:
    case absl::StatusCode::kInternal:
    case absl::StatusCode::kUnknown:
    case absl::StatusCode::kDeadlineExceeded:
    case absl::StatusCode::kCancelled:
      return true;
    default:
      return false;
  }
}

}  // namespace

TurnDesk::TurnDesk(Line& line, Backend& backend, Outbox& outbox, Screening& screening, BotMetrics metrics, Words words,
                   Options options)
    : line_(line),
      backend_(backend),
      outbox_(outbox),
      screening_(screening),
      metrics_(std::move(metrics)),
      words_(std::move(words)),
      options_(std::move(options)) {}

std::shared_ptr<TurnDesk::Turn> TurnDesk::Find(const std::string& turn_id) {
  const auto found = known_.find(turn_id);
  return found == known_.end() ? nullptr : found->second;
}

void TurnDesk::Add(const std::string& conversation, std::shared_ptr<Turn> turn) {
  known_[turn->id] = turn;
  turn->conversation_id = conversation;
  std::deque<std::shared_ptr<Turn>>& turns = conversations_[conversation].turns;
  turns.push_back(std::move(turn));
  if (turns.size() > 1) return;
  asio::co_spawn(
      line_.executor(), [this, hold = line_.Hold(), conversation] { return Run(conversation); }, asio::detached);
}

void TurnDesk::OnAccepted(const AcceptedMessage& accepted) {
  const wa::InboundMessage& message = accepted.message;
  if (accepted.reply && accepted.turn_state != TurnState::kOpen) {
    // The gate's text, or an answer that was made before and may not have left.
    if (accepted.reply->origin == Origin::kGate && !accepted.duplicate) {
      outbox_.Deliver({.reply = *accepted.reply,
                       .first_part = 0,
                       .conversation_id = accepted.conversation_id,
                       .chat = message.chat,
                       .created = line_.now().wall,
                       .last_received = message.time});
    }
    if (const auto turn = Find(accepted.turn_id)) turn->dropped = true;
    return;
  }
  if (accepted.turn_state == TurnState::kSkipped || accepted.turn_state == TurnState::kAnswered) {
    if (const auto turn = Find(accepted.turn_id)) turn->dropped = true;
    return;
  }
  if (accepted.turn_id.empty() || closed_) return;

  const wa::Time now = line_.now().steady;
  std::shared_ptr<Turn> turn = Find(accepted.turn_id);
  const bool known = turn != nullptr;
  if (!known) {
    turn = std::make_shared<Turn>();
    turn->id = accepted.turn_id;
    turn->first = now;
    turn->language = options_.language;
  }
  const bool words = message.kind == wa::InboundKind::kText || message.kind == wa::InboundKind::kEdit;
  if (words) turn->unreadable = false;
  if (words && !accepted.language.empty()) turn->language = accepted.language;
  if (!message.from_me && turn->read.size() < kMaxRead) turn->read.push_back(message.id);
  turn->chat = message.chat;
  turn->last = now;
  turn->recovered = false;
  turn->takeover = accepted.takeover;
  if (accepted.stale_notice_due) turn->stale = true;
  if (accepted.turn_state == TurnState::kSealed) turn->sealed = true;
  if (!known) Add(PlaceOf(accepted), std::move(turn));
}

void TurnDesk::OnMerged(const wa::Jid& phone, const wa::Jid& lid) {
  const Turn* last = nullptr;
  for (const auto& [id, turn] : known_) {
    const bool theirs = turn->chat == phone || turn->chat == lid;
    if (theirs && (last == nullptr || turn->last > last->last)) last = turn.get();
  }
  if (last == nullptr) return;
  merged_[phone] = merged_[lid] = last->conversation_id;
}

std::string TurnDesk::PlaceOf(const AcceptedMessage& accepted) {
  const auto merged = merged_.find(accepted.message.chat);
  return merged == merged_.end() ? accepted.conversation_id : merged->second;
}

void TurnDesk::OnTyping(const wa::Jid& chat) {
  const wa::Time now = line_.now().steady;
  for (const auto& [id, turn] : known_) {
    if (turn->chat == chat && !turn->sealed) turn->last = now;
  }
}

void TurnDesk::OnLineChanged() {
  for (asio::steady_timer* const timer : pauses_) timer->cancel();
}

void TurnDesk::Recover(const std::vector<PendingTurn>& pending) {
  std::map<std::string, std::size_t> places;
  std::set<std::string> conversations;
  for (const PendingTurn& one : pending) {
    places.emplace(one.id, places.size());
    conversations.insert(one.conversation_id);
    if (closed_ || known_.contains(one.id)) continue;
    const auto turn = std::make_shared<Turn>();
    turn->id = one.id;
    turn->first = turn->last = line_.now().steady;
    turn->recovered = turn->sealed = true;
    turn->unreadable = false;
    turn->language = options_.language;
    Add(one.conversation_id, turn);
  }
  const auto place = [&](const std::shared_ptr<Turn>& turn) {
    const auto found = places.find(turn->id);
    return turn->started ? 0 : found == places.end() ? places.size() + 1 : found->second + 1;
  };
  for (const std::string& conversation : conversations) {
    const auto found = conversations_.find(conversation);
    if (found == conversations_.end()) continue;
    std::deque<std::shared_ptr<Turn>>& turns = found->second.turns;
    std::stable_sort(turns.begin(), turns.end(), [&](const auto& a, const auto& b) { return place(a) < place(b); });
  }
}

void TurnDesk::Close() {
  closed_ = true;
  OnLineChanged();
}

asio::awaitable<void> TurnDesk::Pause(wa::Time::duration time) {
  asio::steady_timer timer(line_.executor());
  timer.expires_after(std::max(time, wa::Time::duration::zero()));
  pauses_.insert(&timer);
  co_await timer.async_wait(kToken);
  pauses_.erase(&timer);
}

asio::awaitable<void> TurnDesk::Run(std::string conversation) {
  const auto hold = line_.Hold();
  while (!closed_ && !conversations_[conversation].turns.empty()) {
    const std::shared_ptr<Turn> turn = conversations_[conversation].turns.front();
    co_await WaitForEnd(turn);
    // An older one may have come to light meanwhile.
    if (!closed_ && conversations_[conversation].turns.front() != turn) continue;
    turn->started = true;
    if (!turn->recovered) screening_.Close(turn->chat);
    if (!closed_ && !turn->dropped) co_await AnswerTurn(turn);
    known_.erase(turn->id);
    std::erase(conversations_[conversation].turns, turn);
  }
  for (const auto& turn : conversations_[conversation].turns) known_.erase(turn->id);
  conversations_.erase(conversation);
  std::erase_if(merged_, [&](const auto& entry) { return entry.second == conversation; });
}

asio::awaitable<void> TurnDesk::WaitForEnd(std::shared_ptr<Turn> turn) {
  while (!closed_ && !turn->dropped) {
    const wa::Time now = line_.now().steady;
    if (!line_.caught_up()) {
      co_await Pause(std::chrono::seconds(60));
      continue;
    }
    if (turn->sealed || turn->stale) break;
    const wa::Time due = std::min(turn->last + options_.burst_quiet, turn->first + options_.burst_limit);
    if (now >= due) break;
    co_await Pause(due - now);
  }
}

asio::awaitable<void> TurnDesk::AnswerTurn(std::shared_ptr<Turn> turn) {
  const bool visible = !turn->recovered && !turn->takeover;
  if (visible) line_.MarkRead(turn->chat, turn->read);
  const char* kind = "assistant";
  std::optional<Answer> answer;
  if (turn->stale) {
    kind = "stale";
    std::string text = words_(safety::FixedKind::kStale, turn->language);
    answer = co_await Commit(turn, std::move(text), "stale_notice", "");
  } else if (turn->unreadable) {
    kind = "cannot_read";  // its staff task is there already
    std::string text = words_(safety::FixedKind::kCannotRead, turn->language);
    answer = co_await Commit(turn, std::move(text), "cannot_read", "");
  } else {
    if (visible && options_.typing) line_.ShowTyping(turn->chat, true);
    answer = co_await AskAssistant(turn, line_.now().steady + options_.answer_limit);
    if (!answer && !closed_ && !turn->dropped) {
      kind = "apology";
      std::string text = words_(safety::FixedKind::kApology, turn->language);
      answer = co_await Commit(turn, std::move(text), "apology", "no_answer");
    }
    const bool silent = !answer || !answer->reply;
    if (visible && options_.typing && silent) line_.ShowTyping(turn->chat, false);
  }
  if (!answer) co_return;
  metrics_.turn(answer->reply ? kind : "silent",
                std::chrono::duration<double>(line_.now().steady - turn->last).count());
  if (!answer->reply) co_return;
  wa::Jid chat = turn->chat;
  if (turn->recovered) chat = co_await ChatOf(turn->conversation_id);
  if (chat.user.empty()) co_return;  // it comes again with the parts that are pending
  const std::string reply_id = answer->reply->id;
  outbox_.Deliver({.reply = *answer->reply,
                   .first_part = 0,
                   .conversation_id = turn->conversation_id,
                   .chat = std::move(chat),
                   .created = line_.now().wall,
                   .last_received = {}});
  co_await outbox_.Finished(reply_id);
}

asio::awaitable<std::optional<Answer>> TurnDesk::AskAssistant(std::shared_ptr<Turn> turn, wa::Time until) {
  std::chrono::milliseconds pause = kFirstRetry;
  while (!closed_ && !turn->dropped) {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(until - line_.now().steady);
    if (left.count() <= 0) break;
    absl::StatusOr<Answer> answer = co_await backend_.AskAssistant(turn->id, left);
    if (answer.ok()) co_return *std::move(answer);
    if (!MayPass(answer.status())) {
      log::Error("turn.refused", {{"turn", log::Public(turn->id)}, {"code", static_cast<int>(answer.status().code())}});
      turn->dropped = absl::IsNotFound(answer.status());
      break;
    }
    co_await Pause(pause);
    pause = std::min(2 * pause, kLongestRetry);
  }
  co_return std::nullopt;
}

asio::awaitable<std::optional<Answer>> TurnDesk::Commit(std::shared_ptr<Turn> turn, std::string text,
                                                        std::string source, std::string task) {
  if (turn->commit_id.empty()) turn->commit_id = NewUuid();
  std::chrono::milliseconds pause = kFirstRetry;
  while (!closed_) {
    absl::StatusOr<Answer> answer = co_await backend_.CommitReply(turn->id, turn->commit_id, text, source, task);
    if (answer.ok()) co_return *std::move(answer);
    if (!MayPass(answer.status())) {
      log::Error("turn.reply_refused",
                 {{"turn", log::Public(turn->id)}, {"code", static_cast<int>(answer.status().code())}});
      co_return std::nullopt;
    }
    co_await Pause(pause);
    pause = std::min(2 * pause, kLongestRetry);
  }
  co_return std::nullopt;
}

asio::awaitable<wa::Jid> TurnDesk::ChatOf(std::string conversation_id) {
  std::chrono::milliseconds pause = kFirstRetry;
  while (!closed_) {
    const absl::StatusOr<std::string> recipient = co_await backend_.RecipientOf(conversation_id);
    if (recipient.ok()) co_return AddressOf(*recipient).value_or(wa::Jid());
    if (!MayPass(recipient.status())) break;
    co_await Pause(pause);
    pause = std::min(2 * pause, kLongestRetry);
  }
  co_return wa::Jid();
}

}  // namespace medidesk::gateway::bot
