#include "gateway/bot/outbox.h"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <fmt/format.h>

#include <algorithm>

#include "base/log.h"
#include "gateway/wa/messages/message_ids.h"
#include "gateway/wa/messages/text_format.h"

namespace medidesk::gateway::bot {
namespace {

namespace asio = boost::asio;

constexpr auto kToken = asio::as_tuple(asio::use_awaitable);
constexpr int kRefusedContact = 463, kMalformed = 479;
constexpr std::chrono::seconds kNotSentPause{2};  // after an attempt of which nothing left

std::vector<std::string> PartsOf(const Reply& reply) {
  return wa::SplitText(reply.origin == Origin::kBot ? wa::WhatsAppTextOf(reply.text) : reply.text);
}

}  // namespace

Outbox::Outbox(Line& line, Governor& governor, BotMetrics metrics, Options options)
    : line_(line), governor_(governor), metrics_(std::move(metrics)), options_(options) {}

bool Outbox::Deliver(Outgoing outgoing) {
  if (closed_ || replies_.contains(outgoing.reply.id)) return false;
  const bool urgent = outgoing.reply.origin == Origin::kGate;
  if (!urgent && replies_.size() >= kMaxWaiting) return false;
  if (urgent && std::find(delivered_.begin(), delivered_.end(), outgoing.reply.id) != delivered_.end()) return false;
  replies_[outgoing.reply.id] =
      std::make_shared<asio::steady_timer>(line_.executor(), asio::steady_timer::time_point::max());
  if (urgent) {
    asio::co_spawn(
        line_.executor(),
        [this, hold = line_.Hold(), outgoing = std::move(outgoing)]() mutable {
          return DeliverOne(std::move(outgoing));
        },
        asio::detached);
    return true;
  }
  const std::string conversation = outgoing.conversation_id;
  std::deque<Outgoing>& queue = conversations_[conversation];
  queue.push_back(std::move(outgoing));
  if (queue.size() == 1) {
    asio::co_spawn(
        line_.executor(), [this, hold = line_.Hold(), conversation] { return Pump(conversation); }, asio::detached);
  }
  return true;
}

asio::awaitable<void> Outbox::Finished(std::string reply_id) {
  const auto hold = line_.Hold();
  while (true) {
    const auto found = replies_.find(reply_id);
    if (found == replies_.end()) co_return;
    const std::shared_ptr<asio::steady_timer> ended = found->second;
    co_await ended->async_wait(kToken);
  }
}

void Outbox::OnLineChanged() {
  for (asio::steady_timer* const timer : pauses_) timer->cancel();
}

void Outbox::Close() {
  closed_ = true;
  OnLineChanged();
  for (const auto& [key, wait] : waits_) {
    if (!wait->outcome) wait->outcome = Outcome::kStop;
    wait->timer.cancel();
  }
}

void Outbox::OnOutcome(const wa::PartOutcome& outcome) {
  using Kind = wa::PartOutcome::Kind;
  switch (outcome.kind) {
    case Kind::kAcknowledged:
      return Settle(outcome.reply_id, outcome.part, Outcome::kAcknowledged, 0);
    case Kind::kRefused:
      return Settle(outcome.reply_id, outcome.part, Outcome::kRefused, outcome.code);
    case Kind::kNoAck:
      return Settle(outcome.reply_id, outcome.part, Outcome::kNoAck, 0);
    case Kind::kNotSent:
      return Settle(outcome.reply_id, outcome.part, Outcome::kNotSent, 0);
    case Kind::kNoDevice:
      return Settle(outcome.reply_id, outcome.part, Outcome::kNoDevice, 0);
  }
}

void Outbox::OnHeld(const std::string& reply_id, int part, bool done) {
  Settle(reply_id, part, done ? Outcome::kSkip : Outcome::kStop, 0);
}

void Outbox::Settle(const std::string& reply_id, int part, Outcome outcome, int code) {
  const auto found = waits_.find(Key(reply_id, part));
  if (found == waits_.end() || found->second->outcome) return;
  found->second->outcome = outcome;
  found->second->code = code;
  found->second->timer.cancel();
}

asio::awaitable<void> Outbox::Pump(std::string conversation) {
  const auto hold = line_.Hold();
  while (!conversations_[conversation].empty()) {
    Outgoing outgoing = conversations_[conversation].front();
    co_await DeliverOne(std::move(outgoing));
    conversations_[conversation].pop_front();
  }
  conversations_.erase(conversation);
}

asio::awaitable<void> Outbox::DeliverOne(Outgoing outgoing) {
  const auto hold = line_.Hold();
  const std::vector<std::string> parts = PartsOf(outgoing.reply);
  bool delivered = true;
  for (int k = outgoing.first_part; k < static_cast<int>(parts.size()) && delivered; ++k) {
    wa::OutboundPart part{.reply_id = outgoing.reply.id,
                          .part = k,
                          .part_count = static_cast<int>(parts.size()),
                          .chat = outgoing.chat,
                          .text = parts[static_cast<std::size_t>(k)],
                          .again = outgoing.tried && k == outgoing.first_part};
    delivered = co_await DeliverPart(outgoing, std::move(part));
  }
  if (delivered && outgoing.reply.origin == Origin::kGate) {
    delivered_.push_back(outgoing.reply.id);
    if (delivered_.size() > kMaxDelivered) delivered_.pop_front();
  }
  const auto found = replies_.find(outgoing.reply.id);
  const auto ended = found->second;
  replies_.erase(found);
  ended->cancel();
}

wa::WallTime Outbox::ExpiryOf(const Outgoing& outgoing) const {
  switch (outgoing.reply.origin) {
    case Origin::kGate:
      return outgoing.created + options_.gate_life;
    case Origin::kBot:
      return outgoing.created + options_.answer_life;
    default:
      return outgoing.created + options_.staff_life;
  }
}

asio::awaitable<void> Outbox::Pause(wa::Time until) {
  asio::steady_timer timer(line_.executor());
  timer.expires_after(std::max<wa::Time::duration>(until - line_.now().steady, wa::Time::duration::zero()));
  pauses_.insert(&timer);
  co_await timer.async_wait(kToken);
  pauses_.erase(&timer);
}

// Until the line and the governor let it go. False: it was given up.
asio::awaitable<bool> Outbox::WaitForLeave(const Outgoing& outgoing, const std::string& stanza_id) {
  const std::string& contact = outgoing.conversation_id;
  const wa::WallTime expiry = ExpiryOf(outgoing);
  const wa::Time start = line_.now().steady;
  while (!closed_) {
    const wa::Moment now = line_.now();
    if (now.wall >= expiry) {
      co_await End(stanza_id, PartEnd::kFailed, "expired");
      co_return false;
    }
    const wa::Time last = now.steady + (expiry - now.wall);
    if (!line_.online()) {
      co_await Pause(last);
      continue;
    }
    const Governor::Decision decision =
        governor_.Ask(contact, outgoing.reply.origin, outgoing.last_received, line_.now());
    if (decision.kind == Governor::Decision::Kind::kRefuse) {
      co_await End(stanza_id, PartEnd::kFailed, decision.reason);
      co_return false;
    }
    if (decision.kind == Governor::Decision::Kind::kGo) {
      governor_.OnSent(contact, outgoing.reply.origin, line_.now());
      metrics_.held_back(std::chrono::duration<double>(line_.now().steady - start).count());
      co_return true;
    }
    co_await Pause(std::min(decision.at, last));
  }
  co_return false;
}

asio::awaitable<void> Outbox::End(std::string stanza_id, PartEnd end, std::string failure) {
  metrics_.part(end == PartEnd::kFailed ? "failed" : "unknown");
  log::Warning("outbox.part_ended", {{"stanza", log::Public(stanza_id)}, {"failure", log::Public(failure)}});
  const absl::Status stored = co_await line_.EndPart(std::move(stanza_id), end, std::move(failure));
  // Not stored: it comes again with what is pending.
  if (!stored.ok()) log::Warning("outbox.end_not_stored", {{"code", static_cast<int>(stored.code())}});
}

asio::awaitable<bool> Outbox::DeliverPart(const Outgoing& outgoing, wa::OutboundPart part) {
  const auto id = wa::ParseReplyId(part.reply_id);
  if (!id) co_return false;  // the store makes no such id
  const std::string stanza_id = wa::StanzaIdOf(*id, part.part);
  const Key key(part.reply_id, part.part);
  bool again = false;  // one more attempt under the same id is all
  while (!closed_) {
    const bool leaves = co_await WaitForLeave(outgoing, stanza_id);
    if (!leaves) co_return false;
    const auto wait = std::make_shared<Wait>(line_.executor());
    wait->timer.expires_at(asio::steady_timer::time_point::max());
    waits_[key] = wait;
    const absl::Status sent = line_.Send(part);
    if (!sent.ok() && !absl::IsAlreadyExists(sent)) {
      waits_.erase(key);
      co_await End(stanza_id, PartEnd::kFailed, "unsendable");
      co_return false;
    }
    while (!wait->outcome && !closed_) co_await wait->timer.async_wait(kToken);
    waits_.erase(key);
    switch (wait->outcome.value_or(Outcome::kStop)) {
      case Outcome::kAcknowledged:
        metrics_.part("sent");
        co_return true;
      case Outcome::kSkip:
        co_return true;
      case Outcome::kStop:
        if (!closed_) metrics_.part("discarded");
        co_return false;
      case Outcome::kNoDevice:
        co_await End(stanza_id, PartEnd::kFailed, "no_device");
        co_return false;
      case Outcome::kNotSent:
        co_await Pause(line_.now().steady + kNotSentPause);
        break;
      case Outcome::kNoAck:
        if (again) {
          co_await End(stanza_id, PartEnd::kUnknown, "no_ack");
          co_return false;
        }
        again = part.again = true;
        break;
      case Outcome::kRefused:
        if (wait->code == kRefusedContact) {
          governor_.OnRefused(outgoing.conversation_id, line_.now());
          metrics_.refused();
        }
        if (wait->code != kMalformed || again) {
          co_await End(stanza_id, PartEnd::kFailed, fmt::format("ack.{}", wait->code));
          co_return false;
        }
        again = part.again = true;
        co_await Pause(line_.now().steady + options_.resend_pause);
        break;
    }
  }
  co_return false;
}

}  // namespace medidesk::gateway::bot
