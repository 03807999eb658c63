#include "gateway/service/number_bot.h"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <algorithm>

#include "base/log.h"
#include "base/status.h"
#include "base/trace.h"
#include "base/uuid.h"
#include "gateway/service/message_operation.h"
#include "gateway/service/read_ahead.h"
#include "gateway/service/timestamps.h"

namespace medidesk::gateway {
namespace {

namespace asio = boost::asio;
namespace v1 = store::v1;

constexpr auto kToken = asio::as_tuple(asio::use_awaitable);
constexpr std::chrono::seconds kLook{10};  // between two looks at what is pending
constexpr std::chrono::milliseconds kFirstRetry{200}, kLongestRetry{5'000};
constexpr std::size_t kMaxEarly = 2'000;  // events before the keys are read
constexpr char kGovernorKey[] = "account";

bool HasWords(const wa::InboundMessage& message) {
  return message.kind == wa::InboundKind::kText || message.kind == wa::InboundKind::kEdit;
}

}  // namespace

std::shared_ptr<NumberBot> NumberBot::Make(asio::any_io_executor executor, std::shared_ptr<NumberPort> port,
                                           Options options) {
  std::shared_ptr<NumberBot> bot(new NumberBot(std::move(executor), std::move(port), std::move(options)));
  bot->Begin();
  return bot;
}

NumberBot::NumberBot(asio::any_io_executor executor, std::shared_ptr<NumberPort> port, Options options)
    : strand_(asio::make_strand(std::move(executor))),
      port_(std::move(port)),
      options_(std::move(options)),
      screening_(*options_.gate, *options_.texts),
      governor_(options_.limits, net::SystemEntropy()),
      timer_(strand_),
      look_(strand_) {}

NumberBot::~NumberBot() { UpdateGauges(/*leaving=*/true); }

void NumberBot::Begin() {
  const v1::Number& number = port_->number();
  const bot::BotMetrics metrics = options_.metrics->ForBot(number.name());
  bot::Line& line = *this;
  outbox_ = std::make_unique<bot::Outbox>(line, governor_, metrics, options_.outbox);
  bot::TurnDesk::Options turns = options_.turns;
  turns.language = options_.site->Current().language;
  const auto words = [site = options_.site, texts = options_.texts](safety::FixedKind kind,
                                                                    const std::string& language) {
    return texts->Fixed(kind, language, site->Current().contacts);
  };
  turns_ = std::make_unique<bot::TurnDesk>(line, *options_.backend, *outbox_, screening_, metrics, words, turns);
  if (number.has_link_time()) governor_.OnLinked(ToWallTime(number.link_time()));
  options_.metrics->SendState(number.name()).Set(1);
}

// ---- From the driver ----------------------------------------------------------------------------

void NumberBot::OnEvent(const wa::Event& event) {
  asio::post(strand_, [self = shared_from_this(), event] { self->Feed(event); });
}

bool NumberBot::OnStanza(const wa::StanzaReceived& stanza) {
  asio::post(strand_, [self = shared_from_this(), stanza] { self->Feed(wa::Event(stanza)); });
  return true;
}

void NumberBot::Deliver(bot::WaitingPart part) {
  asio::post(strand_, [self = shared_from_this(), part = std::move(part)] {
    // Before the first look, what waits from before has to be known: it comes with that.
    if (!self->closed_ && self->looked_) self->Begin(part);
  });
}

void NumberBot::Begin(const bot::WaitingPart& part) {
  const auto chat = bot::AddressOf(part.recipient);
  if (!chat) return log::Error("outbox.bad_recipient", {{"reply", log::Public(part.reply.id)}});
  outbox_->Deliver({.reply = part.reply,
                    .first_part = part.part,
                    .tried = part.tried,
                    .conversation_id = part.conversation_id,
                    .chat = *chat,
                    .created = part.created,
                    .last_received = part.last_received});
}

void NumberBot::Feed(const wa::Event& event) {
  if (closed_) return;
  const bool begins = std::holds_alternative<wa::LoggedIn>(event) && layer_ == nullptr;
  if (begins && !std::exchange(making_, true)) {
    asio::co_spawn(
        strand_, [self = shared_from_this()] { return self->MakeLayer(); }, asio::detached);
  }
  if (layer_ != nullptr) return Tell(event);
  if (early_.size() < kMaxEarly) early_.push_back(event);  // what is lost was not confirmed and comes again
}

void NumberBot::Tell(const wa::Event& event) {
  const bool was_online = online();
  const bool was_caught_up = caught_up_;
  if (const auto* change = std::get_if<wa::StateChanged>(&event)) {
    const bool there =
        change->state == wa::ConnectionState::kCatchingUp || change->state == wa::ConnectionState::kConnected;
    if (!there) caught_up_ = false;
    online_ = there;
  }
  if (std::holds_alternative<wa::CaughtUp>(event)) caught_up_ = true;
  Run(layer_->OnEvent(now(), event));
  if (online() != was_online || caught_up_ != was_caught_up) {
    turns_->OnLineChanged();
    outbox_->OnLineChanged();
    if (online() && caught_up_) look_.cancel();
  }
  UpdateGauges(/*leaving=*/false);
}

asio::awaitable<void> NumberBot::MakeLayer() {
  const auto self = shared_from_this();
  const wa::RecordName credentials_name{.kind = wa::RecordKind::kCredentials, .key = std::string(wa::kSelfKey)};
  const wa::RecordName governor_name{.kind = wa::RecordKind::kGovernor, .key = kGovernorKey};
  std::chrono::milliseconds pause = kFirstRetry;
  while (!closed_) {
    std::vector<wa::RecordName> names = {credentials_name, governor_name};
    auto records = co_await port_->Load(std::move(names));
    if (records.ok()) {
      absl::StatusOr<wa::DeviceCredentials> credentials =
          Error(absl::StatusCode::kNotFound, "the number has no device keys");
      for (const wa::Record& record : *records) {
        if (record.name == credentials_name) credentials = wa::DeviceCredentials::Parse(record.value);
        if (record.name == governor_name) {
          saved_governor_.assign(record.value.begin(), record.value.end());
          governor_.Restore(saved_governor_);
        }
      }
      if (!credentials.ok() || !credentials->linked()) {
        log::Error("bot.no_keys", {{"number", log::Public(port_->number().name())}});
        co_return;
      }
      layer_ = std::make_unique<wa::MessageLayer>(wa::MessageLayer::Options(), *std::move(credentials),
                                                  net::SystemEntropy());
      break;
    }
    if (!NumberWriter::OutcomeUnknown(records.status())) {
      log::Error("bot.keys_unreadable", {{"number", log::Public(port_->number().name())}});
      co_return;
    }
    timer_.expires_after(pause);
    co_await timer_.async_wait(kToken);
    pause = std::min(2 * pause, kLongestRetry);
  }
  if (closed_) co_return;
  // One by one: each may come with actions.
  while (!early_.empty() && !closed_) {
    const wa::Event event = std::move(early_.front());
    early_.pop_front();
    Tell(event);
  }
  asio::co_spawn(
      strand_, [self] { return self->LookForPending(); }, asio::detached);
  co_await ReadAhead(*port_, *layer_, strand_, closed_);
}

void NumberBot::OnPreKeys(std::vector<wa::Record> records) {
  asio::post(strand_, [self = shared_from_this(), records = std::move(records)]() mutable {
    if (self->layer_ != nullptr) self->layer_->OnReadAhead({}, std::move(records));
  });
}

// ---- The layer's actions ------------------------------------------------------------------------

void NumberBot::Run(wa::MessageActions actions) {
  for (wa::MessageAction& action : actions) {
    std::visit([this](auto& one) { Do(one); }, action);
  }
}

void NumberBot::Do(wa::SendStanza& send) {
  stanzas_.push_back(std::move(send.node));
  if (!std::exchange(sending_, true)) {
    asio::co_spawn(
        strand_, [self = shared_from_this()] { return self->PumpStanzas(); }, asio::detached);
  }
}

asio::awaitable<void> NumberBot::PumpStanzas() {
  const auto self = shared_from_this();
  while (!stanzas_.empty()) {
    wa::Node node = std::move(stanzas_.front());
    stanzas_.pop_front();
    const absl::Status sent = co_await port_->Send(std::move(node));
    // Without a connection it is dropped: the layer hears of that by itself.
    if (!sent.ok() && !absl::IsUnavailable(sent)) {
      log::Error("bot.stanza_refused", {{"code", static_cast<int>(sent.code())}});
    }
  }
  sending_ = false;
}

void NumberBot::Do(wa::LoadRecords& load) {
  asio::co_spawn(
      strand_, [self = shared_from_this(), load = std::move(load)]() mutable { return self->Load(std::move(load)); },
      asio::detached);
}

asio::awaitable<void> NumberBot::Load(wa::LoadRecords load) {
  const auto self = shared_from_this();
  std::chrono::milliseconds pause = kFirstRetry;
  asio::steady_timer timer(strand_);
  while (!closed_) {
    std::vector<wa::RecordName> names = load.names;
    auto records = co_await port_->Load(std::move(names));
    if (closed_) co_return;
    if (records.ok() || !NumberWriter::OutcomeUnknown(records.status())) {
      Run(layer_->OnLoaded(now(), load.request, std::move(records)));
      co_return UpdateGauges(/*leaving=*/false);
    }
    timer.expires_after(pause);
    co_await timer.async_wait(kToken);
    pause = std::min(2 * pause, kLongestRetry);
  }
}

void NumberBot::Do(wa::WaitUntil& until) {
  wait_ = until.time;
  ArmTimer();
}

void NumberBot::ArmTimer() {
  timer_.expires_after(std::max(*wait_ - now().steady, wa::Time::duration::zero()));
  timer_.async_wait([weak = weak_from_this()](boost::system::error_code error) {
    const auto self = weak.lock();
    if (error || !self || self->closed_ || !self->wait_) return;
    if (*self->wait_ > self->now().steady) return self->ArmTimer();
    self->wait_.reset();
    self->Run(self->layer_->OnTime(self->now()));
  });
}

void NumberBot::Do(wa::MessageCommit& commit) {
  // Begun now, so that commits reach the writer in their order.
  asio::co_spawn(
      strand_,
      [self = shared_from_this(), commit = std::move(commit)]() mutable { return self->Commit(std::move(commit)); },
      asio::detached);
}

v1::AcceptOperation NumberBot::AcceptOf(const wa::InboundMessage& message, std::string* language) {
  v1::AcceptOperation accept;
  accept.set_message_id(NewUuid());
  SetContact(message.phone, message.lid, message.push_name, accept.mutable_contact());
  accept.set_whatsapp_message_id(message.id);
  accept.set_kind(static_cast<v1::InboundKind>(message.kind));
  accept.set_text(message.text);
  accept.set_target_whatsapp_message_id(message.target_id);
  *accept.mutable_message_time() = ToTimestamp(message.time);
  accept.mutable_server_offset()->set_seconds(message.server_offset.count() / 1'000);
  accept.mutable_server_offset()->set_nanos(static_cast<int>(message.server_offset.count() % 1'000) * 1'000'000);
  accept.set_from_me(message.from_me);
  accept.set_offline(message.offline);
  accept.set_trace_id(TraceContext::New().trace_id);
  if (message.from_me || !HasWords(message)) return accept;

  const bot::Screened screened = screening_.Screen(message.chat, message.text, options_.site->Current().contacts);
  *language = screened.language;
  options_.metrics->OnVerdict(safety::Name(screened.strongest().severity));
  SetVerdict(screened.message, screened.language, accept.mutable_verdict());
  if (screened.burst_counts) SetVerdict(screened.burst, screened.language, accept.mutable_turn_verdict());
  if (screened.kind != safety::FixedReply::kNone) {
    accept.mutable_fixed_reply()->set_kind(KindOf(screened.kind));
    accept.mutable_fixed_reply()->set_text(screened.text);
    accept.set_fixed_reply_id(NewUuid());
  }
  return accept;
}

asio::awaitable<void> NumberBot::Commit(wa::MessageCommit commit) {
  const auto self = shared_from_this();
  NumberWrite write;
  write.changes = std::move(commit.changes);
  for (const wa::LearnedContact& learned : commit.learned) {
    SetContact(learned.phone, learned.lid, "",
               write.operations.emplace_back().mutable_learn_contact()->mutable_contact());
  }
  const std::size_t first_inbound = write.operations.size();
  std::vector<std::string> languages(commit.inbound.size());
  const auto accepted = std::make_shared<bool>(false);
  for (std::size_t i = 0; i < commit.inbound.size(); ++i) {
    v1::AcceptOperation* accept = write.operations.emplace_back().mutable_accept();
    *accept = AcceptOf(commit.inbound[i], &languages[i]);
    if (accept->fixed_reply().kind() == v1::FIXED_REPLY_KIND_EMERGENCY) {
      AnswerWithoutStore(commit.inbound[i], *accept, accepted);
    }
  }
  std::optional<std::size_t> outbound;
  if (commit.outbound) {
    outbound = write.operations.size();
    v1::CommitOutboundOperation* part = write.operations.emplace_back().mutable_commit_outbound();
    part->set_reply_id(commit.outbound->reply_id);
    part->set_part(commit.outbound->part);
    part->set_part_count(commit.outbound->part_count);
    part->set_stanza_id(commit.outbound->stanza_id);
    part->set_retry(commit.outbound->retry);
    write.patience = emergencies_.PatienceOf(commit.outbound->reply_id);
    write.on_journaled = [self, number = commit.commit] {
      asio::post(self->strand_, [self, number] {
        if (!self->closed_) self->Run(self->layer_->OnJournaled(self->now(), number));
      });
    };
  }
  for (const wa::DeliveryMark& mark : commit.marks) {
    v1::MarkDeliveryOperation* operation = write.operations.emplace_back().mutable_mark_delivery();
    operation->set_stanza_id(mark.stanza_id);
    operation->set_state(static_cast<v1::PartState>(mark.state));
    *operation->mutable_event_time() = ToTimestamp(mark.time);
  }

  ++committing_;
  const absl::StatusOr<NumberWriter::Results> results = co_await port_->Commit(std::move(write));
  --committing_;
  *accepted = true;
  if (!results.ok()) {
    if (absl::IsCancelled(results.status()) || closed_) co_return;
    log::Error("bot.commit_refused", {{"number", log::Public(port_->number().name())},
                                      {"code", static_cast<int>(results.status().code())},
                                      {"detail", log::Public(Text(results.status()))}});
    Run(layer_->OnCommitted(now(), commit.commit, wa::CommitOutcome::kRefused));
    co_return port_->Reload();
  }
  v1::OutboundOutcome left = v1::OUTBOUND_OUTCOME_SEND;
  if (outbound) left = (*results)[*outbound].commit_outbound().outcome();
  const bool leaves = left == v1::OUTBOUND_OUTCOME_SEND;
  Run(layer_->OnCommitted(now(), commit.commit, leaves ? wa::CommitOutcome::kStored : wa::CommitOutcome::kHeld));
  if (!leaves && !commit.outbound->retry) {
    outbox_->OnHeld(commit.outbound->reply_id, commit.outbound->part, left == v1::OUTBOUND_OUTCOME_DONE);
  }
  for (std::size_t i = 0; i < commit.learned.size(); ++i) {
    if ((*results)[i].learn_contact().merged_contact_ids().empty()) continue;
    turns_->OnMerged({.user = commit.learned[i].phone, .server = std::string(wa::kUserServer)},
                     {.user = commit.learned[i].lid, .server = std::string(wa::kLidServer)});
  }
  for (std::size_t i = 0; i < commit.inbound.size(); ++i) {
    OnAccepted(std::move(commit.inbound[i]), std::move(languages[i]), (*results)[first_inbound + i].accept());
  }
  for (const wa::DeliveryMark& mark : commit.marks) {
    options_.metrics->OnMark(mark.state == wa::DeliveryState::kSent        ? "sent"
                             : mark.state == wa::DeliveryState::kDelivered ? "delivered"
                                                                           : "read");
  }
  UpdateGauges(/*leaving=*/false);
}

// An emergency is answered also when the store does not say in time that it has the message.
void NumberBot::AnswerWithoutStore(const wa::InboundMessage& message, const v1::AcceptOperation& accept,
                                   std::shared_ptr<const bool> accepted) {
  const std::string family = (accept.has_turn_verdict() ? accept.turn_verdict() : accept.verdict()).family();
  bot::Outgoing text{
      .reply = {.id = accept.fixed_reply_id(), .text = accept.fixed_reply().text(), .origin = bot::Origin::kGate},
      .first_part = 0,
      .conversation_id = message.chat.ToString(),
      .chat = message.chat,
      .created = now().wall,
      .last_received = message.time};
  emergencies_.OnCry(text.reply.id, message.phone, message.lid, family);
  const auto timer = std::make_shared<asio::steady_timer>(strand_, bot::EmergencyTexts::kPatience);
  timer->async_wait([self = shared_from_this(), timer, accepted = std::move(accepted),
                     text = std::move(text)](boost::system::error_code) mutable {
    if (self->closed_ || *accepted || !self->emergencies_.MayLeave(text.reply.id, self->now().steady)) return;
    log::Warning("bot.emergency_without_store", {{"number", log::Public(self->port_->number().name())}});
    self->outbox_->Deliver(std::move(text));
  });
}

void NumberBot::OnAccepted(wa::InboundMessage message, std::string language, const v1::AcceptResult& result) {
  if (closed_) return;
  if (!result.duplicate() && !message.from_me) {
    options_.metrics->OnReceived(port_->number().name(), KindName(message.kind));
    governor_.OnReceived(result.conversation_id(), now(), message.time);
  }
  bot::AcceptedMessage accepted;
  accepted.message = std::move(message);
  accepted.language = std::move(language);
  accepted.conversation_id = result.conversation_id();
  accepted.duplicate = result.duplicate();
  accepted.takeover = result.status() == v1::CONVERSATION_STATUS_HUMAN_TAKEOVER;
  accepted.stale_notice_due = result.stale_notice_due();
  // A turn of another route is answered by its caller.
  if (result.has_turn() && result.turn().route() == v1::ROUTE_WHATSAPP) {
    accepted.turn_id = result.turn().id();
    accepted.turn_state = static_cast<bot::TurnState>(result.turn().state());
  }
  if (result.has_reply()) {
    emergencies_.OnStored(result.reply().id(), now().steady);
    accepted.reply = bot::Reply{.id = result.reply().id(),
                                .text = result.reply().text(),
                                .origin = static_cast<bot::Origin>(result.reply().origin())};
  }
  turns_->OnAccepted(accepted);
}

void NumberBot::Do(wa::MessageEvent& event) {
  if (const auto* outcome = std::get_if<wa::PartOutcome>(&event)) return outbox_->OnOutcome(*outcome);
  if (const auto* typing = std::get_if<wa::PeerTyping>(&event)) {
    if (typing->composing) turns_->OnTyping(typing->chat);
  } else if (const auto* limited = std::get_if<wa::ReachoutLimited>(&event)) {
    log::Error("account.limited", {{"number", log::Public(port_->number().name())}, {"active", limited->active}});
    governor_.OnRestricted(limited->active, limited->ends, now());
  } else if (const auto* cap = std::get_if<wa::NewChatCap>(&event)) {
    log::Warning("account.new_chat_cap",
                 {{"number", log::Public(port_->number().name())}, {"status", log::Public(cap->status)}});
    governor_.OnNewChatCap(cap->status, cap->ends, now());
  } else if (std::holds_alternative<wa::OwnPhoneSeen>(event)) {
    v1::SetNumberStateOperation state;
    *state.mutable_phone_seen_time() = ToTimestamp(now().wall);
    asio::co_spawn(
        strand_,
        [self = shared_from_this(), state = std::move(state)]() mutable { return self->Report(std::move(state)); },
        asio::detached);
  }
}

// ---- bot::Line ----------------------------------------------------------------------------------

absl::Status NumberBot::Send(const wa::OutboundPart& part) {
  if (!online()) return Error(absl::StatusCode::kUnavailable, "WhatsApp is not connected");
  auto actions = layer_->Send(now(), part);
  if (actions.ok()) Run(*std::move(actions));
  return actions.status();
}

void NumberBot::ShowTyping(const wa::Jid& chat, bool on) {
  if (online()) Run(layer_->ShowTyping(now(), chat, on));
}

void NumberBot::MarkRead(const wa::Jid& chat, const std::vector<std::string>& ids) {
  if (online() && !ids.empty()) Run(layer_->MarkRead(now(), chat, ids));
}

asio::awaitable<absl::Status> NumberBot::EndPart(std::string stanza_id, bot::PartEnd end, std::string failure) {
  NumberWrite write;
  v1::MarkDeliveryOperation* mark = write.operations.emplace_back().mutable_mark_delivery();
  mark->set_stanza_id(std::move(stanza_id));
  mark->set_state(static_cast<v1::PartState>(end));
  mark->set_failure(std::move(failure));
  const auto results = co_await port_->Commit(std::move(write));
  co_return results.status();
}

// ---- What is pending ----------------------------------------------------------------------------

asio::awaitable<void> NumberBot::LookForPending() {
  const auto self = shared_from_this();
  while (!closed_) {
    std::chrono::milliseconds pause = kLook;
    if (online() && caught_up_) {
      auto pending = co_await options_.backend->ListPending(number_id(), /*all=*/!looked_);
      if (closed_) co_return;
      if (pending.ok()) {
        for (bot::WaitingPart& part : pending->parts) Begin(part);
        turns_->Recover(pending->turns);
        if (!std::exchange(looked_, true)) turns_->OnLineChanged();
      } else if (!looked_) {
        pause = kFirstRetry;
      }
      co_await SaveGovernor();
    }
    look_.expires_after(pause);
    co_await look_.async_wait(kToken);
  }
}

asio::awaitable<void> NumberBot::SaveGovernor() {
  const bot::SendState state = governor_.state(now());
  options_.metrics->SendState(port_->number().name()).Set(static_cast<int>(state));
  std::string saved = governor_.Save();
  if (saved == saved_governor_ && state == told_state_) co_return;
  NumberWrite write;
  wa::Record record{.name = {.kind = wa::RecordKind::kGovernor, .key = kGovernorKey},
                    .value = wa::Bytes(saved.begin(), saved.end())};
  write.changes.puts.push_back(std::move(record));
  if (state != told_state_) {
    v1::SetNumberStateOperation* operation = write.operations.emplace_back().mutable_set_number_state();
    operation->set_send_state(static_cast<v1::SendState>(state));
    if (governor_.state_end()) *operation->mutable_send_state_end_time() = ToTimestamp(*governor_.state_end());
    operation->set_needs_attention(state != bot::SendState::kNormal);
  }
  const auto results = co_await port_->Commit(std::move(write));
  if (!results.ok()) co_return;
  saved_governor_ = std::move(saved);
  told_state_ = state;
}

asio::awaitable<void> NumberBot::Report(v1::SetNumberStateOperation state) {
  NumberWrite write;
  *write.operations.emplace_back().mutable_set_number_state() = std::move(state);
  co_await port_->Commit(std::move(write));
}

// ---- Ending -------------------------------------------------------------------------------------

asio::awaitable<void> NumberBot::Drain() {
  const auto self = shared_from_this();
  const auto drain = [](std::shared_ptr<NumberBot> bot) -> asio::awaitable<void> {
    bot->turns_->Close();
    asio::steady_timer look(bot->strand_);
    const auto end = std::chrono::steady_clock::now() + kDrainLimit;
    while (bot->layer_ && (bot->committing_ > 0 || bot->layer_->in_flight() > 0) &&
           std::chrono::steady_clock::now() < end) {
      look.expires_after(std::chrono::milliseconds(10));
      co_await look.async_wait(kToken);
    }
    bot->Abandon();
  };
  asio::awaitable<void> draining = drain(self);
  co_await asio::co_spawn(strand_, std::move(draining), asio::use_awaitable);
}

void NumberBot::Abandon() {
  asio::post(strand_, [self = shared_from_this()] {
    if (std::exchange(self->closed_, true)) return;
    self->turns_->Close();
    self->outbox_->Close();
    self->timer_.cancel();
    self->look_.cancel();
    self->early_.clear();
    self->stanzas_.clear();
  });
}

void NumberBot::Throttle() {
  const std::size_t waiting = layer_->queued() + layer_->uncommitted();
  if (waiting >= kMostStanzas ? reading_paused_ : !reading_paused_ || waiting > kFewStanzas) return;
  reading_paused_ = waiting >= kMostStanzas;
  port_->PauseReading(reading_paused_);
  log::Warning("bot.reading", {{"number", log::Public(port_->number().name())},
                               {"paused", reading_paused_},
                               {"stanzas", static_cast<int>(waiting)}});
}

void NumberBot::UpdateGauges(bool leaving) {
  if (layer_ && !closed_ && !leaving) Throttle();
  const double turns = leaving || !turns_ ? 0 : static_cast<double>(turns_->turns());
  const double replies = leaving || !outbox_ ? 0 : static_cast<double>(outbox_->waiting());
  const double stanzas = leaving || !layer_ ? 0 : static_cast<double>(layer_->queued() + layer_->uncommitted());
  options_.metrics->turns_waiting.Increment(turns - std::exchange(counted_turns_, turns));
  options_.metrics->replies_waiting.Increment(replies - std::exchange(counted_replies_, replies));
  options_.metrics->stanzas_waiting.Increment(stanzas - std::exchange(counted_stanzas_, stanzas));
}

}  // namespace medidesk::gateway
