#include "gateway/wa/messages/message_layer.h"

#include <algorithm>
#include <utility>

#include "base/status.h"
#include "gateway/wa/messages/message_nodes.h"

namespace medidesk::gateway::wa {
namespace {

constexpr std::size_t kMaxTyping = 1'000;  // chats
constexpr std::size_t kMaxNames = 800;     // of one look-up

std::string TrackerPrefix(const Entropy& entropy) {
  return "m" + std::to_string(RandomBelow(entropy, 1'000'000)) + "-";
}

}  // namespace

MessageLayer::MessageLayer(Options options, DeviceCredentials credentials, Entropy entropy)
    : options_(options),
      credentials_(std::move(credentials)),
      entropy_(std::move(entropy)),
      workspace_(options.workspace_bytes),
      signal_(workspace_, credentials_.identity, credentials_.registration_id, entropy_),
      book_(*this),
      sender_(*this, book_),
      retry_requests_(*this, book_, [this](const Jid& chat, const std::string& id) { sender_.AskPhone(chat, id); }),
      retry_answers_(*this, book_, sender_),
      receiver_(*this, book_, retry_requests_, {.inactive_receipts = !options.available}),
      notices_(*this, book_, retry_answers_, sender_),
      tracker_(std::make_unique<IqTracker>(TrackerPrefix(entropy_))) {}

MessageLayer::~MessageLayer() = default;

// ---- Inputs -------------------------------------------------------------------------------------

void MessageLayer::Begin(Moment now) {
  now_ = now;
  out_.clear();
}

MessageActions MessageLayer::Finish() {
  workspace_.Trim();
  const auto next = NextTime();
  if (next && next != last_wait_) out_.push_back(WaitUntil{*next});
  last_wait_ = next;
  return std::exchange(out_, {});
}

MessageActions MessageLayer::OnEvent(Moment now, const Event& event) {
  Begin(now);
  if (const auto* stanza = std::get_if<StanzaReceived>(&event)) {
    OnStanza(*stanza);
  } else if (const auto* in = std::get_if<LoggedIn>(&event)) {
    server_offset_ = in->server_offset;
    if (!in->own_lid.user.empty()) credentials_.account->lid = in->own_lid;
  } else if (const auto* settings = std::get_if<AccountSettings>(&event)) {
    if (settings->privacy) {
      const auto found = settings->privacy->find("readreceipts");
      hide_reading_ = found != settings->privacy->end() && found->second != "all";
    }
  } else if (const auto* state = std::get_if<StateChanged>(&event)) {
    const bool up = state->state == ConnectionState::kCatchingUp || state->state == ConnectionState::kConnected;
    if (up && !connected_) OnConnected();
    if (!up && connected_) OnDisconnected();
  }
  return Finish();
}

void MessageLayer::OnConnected() {
  connected_ = true;
  tracker_ = std::make_unique<IqTracker>(TrackerPrefix(entropy_));
  retry_requests_.Resume();
}

void MessageLayer::OnDisconnected() {
  connected_ = false;
  tracker_->FailAll(Error(absl::StatusCode::kUnavailable, "the connection is gone"));
  sender_.OnDisconnected();
  typing_.clear();
  // What was not begun comes again; what is begun is finished and then recognised.
  const std::size_t begun = handling_ ? 1 : 0;
  if (inbox_.size() > begun) inbox_.resize(begun);
}

void MessageLayer::OnStanza(const StanzaReceived& stanza) {
  const Node& node = stanza.node;
  if (node.tag == "iq") {
    tracker_->OnAnswer(node);
  } else if (node.tag == "ack") {
    sender_.OnAck(node);
  } else if (node.tag == "chatstate") {
    if (auto typing = notices_.TypingOf(node)) Tell(*std::move(typing));
  } else if (node.tag == "message" || node.tag == "receipt" || node.tag == "notification") {
    inbox_.push_back(node);
    Pump();
  }
}

MessageActions MessageLayer::OnLoaded(Moment now, std::uint64_t request, absl::StatusOr<std::vector<Record>> records) {
  Begin(now);
  if (auto found = loads_.extract(request)) {
    Waiting& waiting = found.mapped();
    if (records.ok()) {
      workspace_.Load(waiting.names, *std::move(records));
      Step(std::move(waiting.step), std::move(waiting.failed));
    } else if (waiting.failed) {
      waiting.failed();
    }
  }
  return Finish();
}

MessageActions MessageLayer::OnCommitted(Moment now, std::uint64_t commit, CommitOutcome outcome) {
  Begin(now);
  auto found = commits_.extract(commit);
  if (!found) return Finish();
  if (outcome == CommitOutcome::kRefused) {
    // What memory holds is not what the store holds: nothing may leave any more.
    refused_ = true;
    return Finish();
  }
  workspace_.OnCommitted(commit);
  Pending& pending = found.mapped();
  for (Node& node : pending.after) SendNode(std::move(node));
  if (pending.then) pending.then(outcome == CommitOutcome::kStored);
  return Finish();
}

MessageActions MessageLayer::OnJournaled(Moment now, std::uint64_t commit) {
  Begin(now);
  if (const auto found = commits_.find(commit); found != commits_.end() && found->second.then) {
    const auto then = std::exchange(found->second.then, {});
    then(true);
  }
  return Finish();
}

MessageActions MessageLayer::OnTime(Moment now) {
  Begin(now);
  last_wait_.reset();
  tracker_->OnTime(now_.steady);
  sender_.OnTime();
  retry_requests_.OnTime();
  RefreshTyping();
  return Finish();
}

void MessageLayer::OnReadAhead(std::span<const RecordName> asked, std::vector<Record> records) {
  workspace_.Load(asked, std::move(records));
}

absl::StatusOr<MessageActions> MessageLayer::Send(Moment now, const OutboundPart& part) {
  Begin(now);
  const absl::Status status = sender_.SendPart(part);
  if (status.ok()) typing_.erase(PlainAccount(part.chat));
  MessageActions actions = Finish();
  if (!status.ok()) return status;
  return actions;
}

MessageActions MessageLayer::ShowTyping(Moment now, const Jid& chat, bool on) {
  Begin(now);
  const Jid plain = PlainAccount(chat);
  if (connected_ && on && typing_.size() < kMaxTyping) {
    typing_[plain] = {.refresh = now_.steady + kTypingRefresh, .until = now_.steady + kTypingLimit};
    SendNode(ChatState(plain, true));
  } else if (connected_ && !on && typing_.erase(plain) > 0) {
    SendNode(ChatState(plain, false));
  }
  return Finish();
}

MessageActions MessageLayer::MarkRead(Moment now, const Jid& chat, const std::vector<std::string>& ids) {
  Begin(now);
  if (connected_ && !ids.empty()) SendNode(ReadReceipt(PlainAccount(chat), ids, UnixNow(), hide_reading_));
  return Finish();
}

void MessageLayer::RefreshTyping() {
  for (auto it = typing_.begin(); it != typing_.end();) {
    auto& [chat, typing] = *it;
    if (now_.steady >= typing.until) {
      SendNode(ChatState(chat, false));
      it = typing_.erase(it);
      continue;
    }
    if (now_.steady >= typing.refresh) {
      typing.refresh = now_.steady + kTypingRefresh;
      SendNode(ChatState(chat, true));
    }
    ++it;
  }
}

std::optional<Time> MessageLayer::NextTime() const {
  std::optional<Time> next;
  const auto consider = [&next](std::optional<Time> time) {
    if (time && (!next || *time < *next)) next = time;
  };
  consider(tracker_->next_deadline());
  consider(sender_.next_time());
  consider(retry_requests_.next_time());
  for (const auto& [chat, typing] : typing_) consider(std::min(typing.refresh, typing.until));
  return next;
}

// ---- Stanzas, one after another -----------------------------------------------------------------

void MessageLayer::Pump() {
  if (pumping_) return;
  pumping_ = true;
  while (!handling_ && !inbox_.empty() && !refused_) {
    handling_ = true;
    const auto done = [this] {
      handling_ = false;
      inbox_.pop_front();
      Pump();
    };
    Step(
        [this, done](Effects& effects) {
          Handle(inbox_.front(), effects);
          effects.now.push_back(done);
        },
        done);
  }
  pumping_ = false;
}

void MessageLayer::Handle(const Node& node, Effects& effects) {
  if (node.tag == "message") {
    receiver_.OnMessage(node, effects);
  } else if (node.tag == "receipt") {
    notices_.OnReceipt(node, effects);
  } else {
    notices_.OnNotification(node, effects);
  }
}

std::vector<RecordName> MessageLayer::Lookahead() {
  std::vector<RecordName> names;
  for (std::size_t i = 0; i < std::min(inbox_.size(), kLookahead); ++i) {
    if (inbox_[i].tag != "message") continue;
    for (RecordName& name : receiver_.NamesOf(inbox_[i])) {
      if (!workspace_.Knows(name)) names.push_back(std::move(name));
    }
  }
  return names;
}

// ---- Steps --------------------------------------------------------------------------------------

void MessageLayer::Step(StepFunction step, std::function<void()> failed) {
  if (refused_) return;
  Effects effects;
  workspace_.Begin();
  step(effects);
  std::vector<RecordName> missing = workspace_.TakeMissing();
  if (missing.empty()) {
    workspace_.Keep();
    return Apply(std::move(effects));
  }
  workspace_.Rollback();
  for (RecordName& name : Lookahead()) {
    if (missing.size() >= kMaxNames) break;
    if (std::find(missing.begin(), missing.end(), name) == missing.end()) missing.push_back(std::move(name));
  }
  out_.push_back(LoadRecords{.request = ++last_load_, .names = missing});
  loads_[last_load_] = {.names = std::move(missing), .step = std::move(step), .failed = std::move(failed)};
}

void MessageLayer::Apply(Effects effects) {
  const bool stores = workspace_.changed() || !effects.learned.empty() || !effects.inbound.empty() ||
                      effects.outbound || !effects.marks.empty();
  for (MessageEvent& event : effects.events) Tell(std::move(event));
  if (stores) {
    const std::uint64_t commit = ++last_commit_;
    MessageCommit wanted{.commit = commit,
                         .changes = workspace_.TakeChanges(commit),
                         .learned = std::move(effects.learned),
                         .inbound = std::move(effects.inbound),
                         .outbound = std::move(effects.outbound),
                         .marks = std::move(effects.marks)};
    commits_[commit] = {.after = std::move(effects.after), .then = std::move(effects.then)};
    out_.push_back(std::move(wanted));
  } else {
    SendAfter(std::move(effects.after));
    if (effects.then) effects.then(true);
  }
  for (const auto& now : effects.now) now();
}

// What confirms something stored earlier must not overtake the storing of it.
void MessageLayer::SendAfter(std::vector<Node> nodes) {
  if (!commits_.empty()) {
    std::vector<Node>& after = commits_.rbegin()->second.after;
    for (Node& node : nodes) after.push_back(std::move(node));
    return;
  }
  for (Node& node : nodes) SendNode(std::move(node));
}

void MessageLayer::SendNode(Node node) {
  if (connected_ && !refused_) out_.push_back(SendStanza{std::move(node)});
}

void MessageLayer::Tell(MessageEvent event) {
  if (std::holds_alternative<OwnPhoneSeen>(event)) {
    if (phone_seen_ && now_.steady < *phone_seen_ + kPhoneSeenPause) return;
    phone_seen_ = now_.steady;
  }
  out_.push_back(std::move(event));
}

}  // namespace medidesk::gateway::wa
