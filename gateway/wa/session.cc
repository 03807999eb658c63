#include "gateway/wa/session.h"

#include <algorithm>
#include <array>
#include <type_traits>
#include <utility>

#include "base/status.h"
#include "gateway/wa/frame_codec.h"
#include "gateway/wa/iq_account.h"
#include "gateway/wa/iq_ping.h"
#include "gateway/wa/keepalive.h"
#include "gateway/wa/node_codec.h"
#include "gateway/wa/noise_handshake.h"
#include "gateway/wa/stanza_ack.h"

namespace medidesk::gateway::wa {
namespace {

// Notifications whose effect is the message layer's; all others are acknowledged at once.
constexpr std::array<std::string_view, 4> kForMessageLayer = {"devices", "account_sync", "privacy_token", "mex"};

std::string IqPrefix(const Entropy& entropy) {
  const auto number = [&] { return std::to_string(RandomBelow(entropy, 65'536)); };
  const std::string first = number();
  return first + "." + number() + "-";
}

ConnectionEnd Retry(std::string reason) { return {.kind = EndKind::kRetry, .code = 0, .reason = std::move(reason)}; }

}  // namespace

struct Session::Connection {
  Connection(std::uint64_t id, const Entropy& entropy) : id(id), tracker(IqPrefix(entropy)) {}

  std::uint64_t id;
  bool connected = false;
  bool used_routing = false;
  bool pairing = false;
  FrameDecoder decoder{kMaxFrame};
  std::unique_ptr<NoiseHandshake> handshake;
  std::optional<NoiseTransport> transport;
  std::optional<Keepalive> keepalive;
  IqTracker tracker;
  // Until the next step: connected, server hello, login.
  std::optional<Time> deadline;
  const char* late = "";
};

// ---- Making one ---------------------------------------------------------------------------------

Session::Session(SessionOptions options, Entropy entropy, DeviceCredentials credentials, DeviceSettings settings)
    : options_(std::move(options)),
      entropy_(std::move(entropy)),
      credentials_(std::move(credentials)),
      settings_(std::move(settings)),
      login_(*this, credentials_, settings_, options_.presence),
      policy_(entropy_) {}

Session::~Session() = default;

absl::StatusOr<std::unique_ptr<Session>> Session::Link(SessionOptions options, LinkOptions link, Entropy entropy) {
  if ((link.by_code || !link.phone.empty()) && !IsLinkablePhone(link.phone)) {
    return Error(absl::StatusCode::kInvalidArgument,
                 "phone: expected the 7 to 15 digits of an international number, without + and leading 0");
  }
  std::unique_ptr<Session> session(new Session(std::move(options), std::move(entropy), {}, {}));
  SessionHost& host = *session;
  session->linking_ =
      std::make_unique<Linking>(host, std::move(link), session->options_.profile, session->options_.platform_display);
  return session;
}

absl::StatusOr<std::unique_ptr<Session>> Session::Login(SessionOptions options, DeviceCredentials credentials,
                                                        DeviceSettings settings, Entropy entropy) {
  if (const auto payload = LoginPayload(options.profile, credentials); !payload.ok()) return payload.status();
  return std::unique_ptr<Session>(
      new Session(std::move(options), std::move(entropy), std::move(credentials), std::move(settings)));
}

// ---- Inputs -------------------------------------------------------------------------------------

void Session::Begin(Moment now) {
  now_ = now;
  out_.clear();
}

Actions Session::Start(Moment now) {
  Begin(now);
  if (last_connection_ == 0 && !over_) {
    if (linking()) Emit(LinkProgress{LinkStep::kConnecting});
    BeginConnect();
  }
  return Finish();
}

bool Session::Current(std::uint64_t connection) const {
  return connection_ != nullptr && connection_->id == connection;
}

void Session::BeginConnect() {
  connect_at_.reset();
  connection_ = std::make_unique<Connection>(++last_connection_, entropy_);
  connection_->deadline = now_.steady + kConnectLimit;
  connection_->late = "connect_timeout";
  policy_.OnConnecting(now_.steady);
  Emit(StateChanged{.state = linking() ? ConnectionState::kLinking : ConnectionState::kConnecting, .reason = ""});
  out_.push_back(Connect{connection_->id});
}

Actions Session::OnConnected(Moment now, std::uint64_t connection) {
  Begin(now);
  if (!Current(connection) || connection_->connected) return Finish();
  Connection& c = *connection_;
  c.connected = true;
  c.pairing = linking();
  c.used_routing = !c.pairing && !settings_.routing_info.empty();
  c.deadline = now_.steady + kHandshakeLimit;
  c.late = "handshake_timeout";
  const KeyPair& noise_key = c.pairing ? linking_->credentials().noise : credentials_.noise;
  c.handshake = std::make_unique<NoiseHandshake>(KeyPair::Generate(entropy_), noise_key);
  Bytes bytes = ConnectionHeader(c.used_routing ? ByteView(settings_.routing_info) : ByteView());
  if (const absl::Status status = AppendFrame(c.handshake->ClientHello(), bytes); !status.ok()) {
    EndConnection(Retry("handshake"), std::string(Text(status)));
  } else {
    out_.push_back(SendBytes{c.id, std::move(bytes)});
  }
  return Finish();
}

Actions Session::OnBytes(Moment now, std::uint64_t connection, ByteView bytes) {
  Begin(now);
  if (!Current(connection) || !connection_->connected) return Finish();
  if (connection_->keepalive) connection_->keepalive->OnReceived(now_.steady);
  connection_->decoder.Feed(bytes);
  while (!pending_end_) {
    const auto frame = connection_->decoder.Next();
    if (!frame.ok()) {
      EndConnection(Retry("bad_frame"), std::string(Text(frame.status())));
      break;
    }
    if (!frame->has_value()) break;
    OnFrame(**frame);
  }
  return Finish();
}

Actions Session::OnClosed(Moment now, std::uint64_t connection, CloseCause cause) {
  Begin(now);
  if (!Current(connection)) return Finish();
  switch (cause) {
    case CloseCause::kLost:
      EndConnection(Retry(connection_->connected ? "closed" : "connect_failed"));
      break;
    case CloseCause::kRefused:
      EndConnection({.kind = EndKind::kGenericRefusal, .code = 0, .reason = "upgrade_refused"});
      break;
    case CloseCause::kUntrusted:
      EndConnection({.kind = EndKind::kUntrustedServer, .code = 0, .reason = "tls"});
      break;
  }
  pending_end_->by_peer = true;
  return Finish();
}

Actions Session::OnTime(Moment now) {
  Begin(now);
  last_wait_.reset();
  if (connect_at_ && now_.steady >= *connect_at_) BeginConnect();
  if (connection_) {
    Connection& c = *connection_;
    if (c.deadline && now_.steady >= *c.deadline) EndConnection(Retry(c.late));
    c.tracker.OnTime(now_.steady);
    if (c.keepalive && !pending_end_) {
      switch (c.keepalive->Next(now_.steady)) {
        case Keepalive::Action::kWait:
          break;
        case Keepalive::Action::kSendPing:
          SendPing();
          break;
        case Keepalive::Action::kGiveUp:
          EndConnection(Retry("keepalive"), "nothing came for 20 s after a ping");
          break;
      }
    }
  }
  // Its limits are those of the connection that links; the login has its own.
  if (linking_ && !over_ && connection_ && connection_->pairing) linking_->OnTime();
  if (!pending_end_) login_.OnTime();
  return Finish();
}

Actions Session::OnLoaded(Moment now, std::uint64_t request, absl::StatusOr<std::vector<Record>> records) {
  Begin(now);
  if (auto found = loads_.extract(request)) found.mapped()(std::move(records));
  return Finish();
}

Actions Session::OnCommitted(Moment now, std::uint64_t commit, absl::Status status) {
  Begin(now);
  if (auto found = commits_.extract(commit)) {
    found.mapped()(status);
    if (!status.ok() && !linking()) {
      EndConnection({.kind = EndKind::kRefused, .code = 0, .reason = "commit_refused"}, "the store refused a commit");
      connect_at_.reset();
      over_ = true;
    }
  }
  return Finish();
}

// ---- Wishes -------------------------------------------------------------------------------------

bool Session::can_send() const {
  using Stage = wa::Login::Stage;
  return connection_ != nullptr && !pending_end_ &&
         (login_.stage() == Stage::kCatchingUp || login_.stage() == Stage::kOpen);
}

absl::StatusOr<Actions> Session::Send(Moment now, const Node& stanza) {
  if (!can_send()) return Error(absl::StatusCode::kUnavailable, "WhatsApp is not connected");
  if (const auto bytes = EncodeNode(stanza); !bytes.ok()) return bytes.status();
  Begin(now);
  SendNode(stanza);
  return Finish();
}

absl::StatusOr<Actions> Session::SubmitPasskey(Moment now, std::string_view assertion_json) {
  if (!linking()) return Error(absl::StatusCode::kFailedPrecondition, "no link attempt is running");
  Begin(now);
  const absl::Status status = linking_->SubmitPasskey(assertion_json);
  Actions actions = Finish();
  if (!status.ok()) return status;
  return actions;
}

absl::StatusOr<Actions> Session::ConfirmPasskeyCode(Moment now, bool matches) {
  if (!linking()) return Error(absl::StatusCode::kFailedPrecondition, "no link attempt is running");
  Begin(now);
  const absl::Status status = linking_->ConfirmPasskeyCode(matches);
  Actions actions = Finish();
  if (!status.ok()) return status;
  return actions;
}

Actions Session::Logout(Moment now) {
  Begin(now);
  if (over_ || logging_out_) return Finish();
  if (!can_send()) {
    Emit(LoggedOut{.confirmed = false});
    over_ = true;
    connect_at_.reset();
    EndConnection({.kind = EndKind::kLoggedOut, .code = 0, .reason = "logout"});
    return Finish();
  }
  logging_out_ = true;
  Ask(
      LogoutRequest{credentials_.account->jid},
      [this](const absl::StatusOr<LogoutRequest::Response>& answer) {
        if (!logging_out_) return;
        logging_out_ = false;
        over_ = true;
        Emit(LoggedOut{.confirmed = answer.ok()});
        EndConnection({.kind = EndKind::kLoggedOut, .code = 0, .reason = "logout"});
      },
      kLogoutLimit);
  return Finish();
}

Actions Session::Reconnect(Moment now) {
  Begin(now);
  if (!over_ && connection_ == nullptr && last_connection_ > 0 && !linking()) BeginConnect();
  return Finish();
}

Actions Session::Stop(Moment now) {
  Begin(now);
  if (over_) return Finish();
  over_ = true;
  connect_at_.reset();
  EndConnection({.kind = EndKind::kRefused, .code = 0, .reason = "stopped"});
  if (!pending_end_) Emit(StateChanged{.state = ConnectionState::kStopped, .reason = "stopped"});
  return Finish();
}

Actions Session::PauseReading(Moment now) {
  Begin(now);
  reading_paused_ = true;
  if (connection_ && connection_->keepalive) connection_->keepalive->Pause();
  return Finish();
}

Actions Session::ResumeReading(Moment now) {
  Begin(now);
  reading_paused_ = false;
  if (connection_ && connection_->keepalive) connection_->keepalive->Resume(now_.steady);
  return Finish();
}

// ---- What comes in ------------------------------------------------------------------------------

void Session::OnFrame(ByteView payload) {
  Connection& c = *connection_;
  if (!c.transport) return OnServerHello(payload);
  const auto plaintext = c.transport->OpenFrame(payload);
  if (!plaintext.ok()) return EndConnection(Retry("bad_frame"), std::string(Text(plaintext.status())));
  auto node = DecodeNode(*plaintext);
  if (!node.ok()) return EndConnection(Retry("bad_node"), std::string(Text(node.status())));
  OnNode(*std::move(node));
}

void Session::OnServerHello(ByteView payload) {
  Connection& c = *connection_;
  const Bytes client_payload = c.pairing ? RegistrationPayload(options_.profile, linking_->credentials())
                                         : LoginPayload(options_.profile, credentials_).value_or(Bytes());
  const NoiseTrust trust{.root = options_.root_key,
                         .now = std::chrono::floor<std::chrono::seconds>(now_.wall),
                         .ignore_dates = options_.ignore_certificate_dates};
  auto result = c.handshake->ReadServerHello(payload, client_payload, trust);
  if (!result.ok()) {
    const absl::StatusCode code = result.status().code();
    std::string detail(Text(result.status()));
    if (code == absl::StatusCode::kPermissionDenied || code == absl::StatusCode::kFailedPrecondition) {
      return EndConnection({.kind = EndKind::kUntrustedServer, .code = 0, .reason = "certificate"}, std::move(detail));
    }
    return EndConnection(Retry("handshake"), std::move(detail));
  }
  Bytes bytes;
  if (const absl::Status status = AppendFrame(result->client_finish, bytes); !status.ok()) {
    return EndConnection(Retry("handshake"), std::string(Text(status)));
  }
  out_.push_back(SendBytes{c.id, std::move(bytes)});
  c.transport.emplace(std::move(result->transport));
  c.handshake.reset();
  routing_failures_ = 0;
  c.keepalive.emplace(entropy_, now_.steady);
  if (reading_paused_) c.keepalive->Pause();
  if (c.pairing) {
    c.deadline.reset();
    linking_->OnReady();
  } else {
    c.deadline = now_.steady + kLoginLimit;
    c.late = "login_timeout";
  }
}

void Session::OnNode(Node node) {
  Connection& c = *connection_;
  if (node.tag == "xmlstreamend") return EndConnection(Retry("stream_end"));
  if (c.tracker.OnAnswer(node)) return;
  if (node.tag == "failure") return EndConnection(EndOfFailure(node));
  if (node.tag == "stream:error") return EndConnection(EndOfStreamError(node));
  if (const auto pong = PingAnswer(node)) return SendNode(*pong);
  if (node.tag == "notification") return OnNotification(std::move(node));
  if (c.pairing) {
    // Whatever else comes before the login is none of ours.
    linking_->OnStanza(node);
    return;
  }
  if (node.tag == "success") {
    c.deadline.reset();
    policy_.OnLoggedIn();
    return login_.OnSuccess(node);
  }
  if (node.tag == "ib") return login_.OnIb(node);
  if (node.tag == "message" || node.tag == "receipt") return OnStanza(std::move(node), /*needs_ack=*/true);
  if (const auto ack = AckOf(node, credentials_.account->jid)) SendNode(*ack);
  // An answer to a question that the message layer has asked.
  const bool answer = node.tag == "iq" && (node.Attr("type") == "result" || node.Attr("type") == "error");
  if (answer || node.tag == "call" || node.tag == "ack" || node.tag == "chatstate" || node.tag == "presence") {
    OnStanza(std::move(node), /*needs_ack=*/false);
  }
}

void Session::OnNotification(Node node) {
  const std::string_view type = node.Attr("type");
  const auto from = node.AttrJid("from");
  const bool from_server = from && from->IsServer();
  const bool for_message_layer = !connection_->pairing && (std::find(kForMessageLayer.begin(), kForMessageLayer.end(),
                                                                     type) != kForMessageLayer.end() ||
                                                           (type == "encrypt" && !from_server));
  if (for_message_layer) return OnStanza(std::move(node), /*needs_ack=*/true);
  const Jid own = connection_->pairing ? Jid{} : credentials_.account->jid;
  if (const auto ack = AckOf(node, own)) SendNode(*ack);
  if (connection_->pairing) {
    linking_->OnStanza(node);
  } else if (type == "encrypt") {
    login_.OnEncryptNotification(node);
  }
}

void Session::OnStanza(Node node, bool needs_ack) {
  if (login_.stage() == wa::Login::Stage::kOffline) return;
  const bool offline = node.HasAttr("offline");
  const bool has_id = node.HasAttr("id") && node.HasAttr("from");
  Emit(StanzaReceived{.node = std::move(node), .offline = offline, .needs_ack = needs_ack && has_id});
}

void Session::SendPing() {
  Ask(PingRequest{}, [this](const absl::StatusOr<PingRequest::Response>& pong) {
    if (pong.ok() && pong->server_time) login_.OnServerTime(*pong->server_time);
  });
}

// ---- SessionHost --------------------------------------------------------------------------------

IqTracker* Session::iqs() {
  return connection_ == nullptr || !connection_->transport || pending_end_ ? nullptr : &connection_->tracker;
}

void Session::SendNode(const Node& node) {
  if (connection_ == nullptr || !connection_->transport || pending_end_) return;
  const auto plaintext = EncodeNode(node);
  // Parts of what a peer sent come back in acks: an address that cannot be written is the peer's doing.
  if (!plaintext.ok()) return EndConnection(Retry("bad_reply"), std::string(Text(plaintext.status())));
  Bytes bytes;
  if (const absl::Status status = connection_->transport->SealFrame(*plaintext, bytes); !status.ok()) {
    return EndConnection(Retry("bad_frame"), std::string(Text(status)));
  }
  out_.push_back(SendBytes{connection_->id, std::move(bytes)});
}

void Session::Emit(Event event) {
  const auto* state = std::get_if<StateChanged>(&event);
  const bool in = state != nullptr && state->state == ConnectionState::kCatchingUp;
  out_.push_back(Deliver{std::move(event)});
  if (in && link_adopted_ && !link_reported_) {
    link_reported_ = true;
    out_.push_back(Deliver{Linked{*credentials_.account}});
  }
}

void Session::CommitThen(RecordChanges changes, std::optional<LinkedAccount> linked,
                         std::function<void(absl::Status)> done) {
  commits_[++last_commit_] = std::move(done);
  out_.push_back(Commit{.commit = last_commit_, .changes = std::move(changes), .linked = std::move(linked)});
}

void Session::LoadThen(std::vector<RecordName> names, std::function<void(absl::StatusOr<std::vector<Record>>)> done) {
  loads_[++last_load_] = std::move(done);
  out_.push_back(LoadRecords{.request = last_load_, .names = std::move(names)});
}

void Session::EndConnection(ConnectionEnd end, std::string detail) {
  if (connection_ == nullptr || pending_end_) return;
  pending_end_ = PendingEnd{.end = std::move(end), .detail = std::move(detail)};
}

// ---- Ends ---------------------------------------------------------------------------------------

void Session::AdoptLink() {
  link_adopted_ = true;
  credentials_ = linking_->credentials();
  settings_ = DeviceSettings{};
}

void Session::ForgetRoutingAfterFailures(const Connection& connection) {
  if (!connection.used_routing || connection.transport) return;
  if (++routing_failures_ < kMaxRoutingFailures) return;
  routing_failures_ = 0;
  settings_.routing_info.clear();
  CommitThen({.puts = {{.name = {.kind = RecordKind::kSetting, .key = std::string(kSettingsKey)},
                        .value = settings_.Serialize()}}},
             std::nullopt, [](const absl::Status&) {});
}

void Session::ReportLink(const ConnectionEnd& end, bool stopped) {
  if (!link_adopted_ || link_reported_ || !stopped) return;
  link_reported_ = true;
  const LinkFailure reason = end.kind == EndKind::kVersionRefused ? LinkFailure::kVersionRefused : LinkFailure::kServer;
  Emit(LinkFailed{.reason = reason,
                  .server_code = end.code,
                  .advice = "The device was linked, but WhatsApp does not let it log in. Remove it on the phone and "
                            "link it again."});
}

void Session::ApplyEnd() {
  PendingEnd pending = *std::exchange(pending_end_, std::nullopt);
  const std::unique_ptr<Connection> connection = std::move(connection_);
  if (!pending.by_peer) out_.push_back(Close{connection->id});
  login_.Reset();
  ConnectionEnd& end = pending.end;
  if (linking() && !over_) linking_->OnEnd(end);
  if (std::exchange(logging_out_, false)) {
    // The server may remove the device and the connection before it answers.
    over_ = true;
    Emit(LoggedOut{.confirmed = end.kind == EndKind::kLoggedOut});
    end = {.kind = EndKind::kLoggedOut, .code = 0, .reason = "logout"};
  }
  connection->tracker.FailAll(Error(absl::StatusCode::kUnavailable, "the connection is gone"));
  loads_.clear();
  if (over_) {
    const bool out = end.kind == EndKind::kLoggedOut;
    return Emit(StateChanged{.state = out ? ConnectionState::kNeedsLink : ConnectionState::kStopped,
                             .reason = end.reason,
                             .retry_at = {},
                             .alarm = false,
                             .detail = pending.detail});
  }
  if (linking()) {
    if (!linking_->failed()) return;  // being stored: what comes of it decides
    over_ = true;
    const bool alarm = end.kind == EndKind::kUntrustedServer;
    return Emit(StateChanged{.state = alarm ? ConnectionState::kUntrustedServer : ConnectionState::kNeedsLink,
                             .reason = end.reason,
                             .retry_at = {},
                             .alarm = alarm,
                             .detail = pending.detail});
  }
  if (connection->pairing) end = {.kind = EndKind::kRestart, .code = end.code, .reason = "linked"};
  ForgetRoutingAfterFailures(*connection);
  const ReconnectPolicy::Plan plan = policy_.OnEnd(end, now_.steady);
  std::optional<WallTime> retry_at;
  if (plan.connect_at) retry_at = now_.WallAt(*plan.connect_at);
  Emit(StateChanged{.state = plan.state,
                    .reason = end.reason,
                    .retry_at = retry_at,
                    .alarm = plan.alarm,
                    .detail = std::move(pending.detail)});
  ReportLink(end, !plan.connect_at);
  if (!plan.connect_at) return;
  if (*plan.connect_at <= now_.steady) return BeginConnect();
  connect_at_ = plan.connect_at;
}

std::optional<Time> Session::NextTime() const {
  std::optional<Time> next = connect_at_;
  const auto consider = [&next](std::optional<Time> time) {
    if (time && (!next || *time < *next)) next = time;
  };
  if (connection_) {
    consider(connection_->deadline);
    consider(connection_->tracker.next_deadline());
    if (connection_->keepalive) consider(connection_->keepalive->next_time());
    if (linking_ && connection_->pairing) consider(linking_->next_time());
    consider(login_.next_time());
  }
  return next;
}

Actions Session::Finish() {
  if (linking_ && linking_->linked() && !link_adopted_) {
    AdoptLink();
    // Stored after the connection was lost: whether the server took the link shows at the login.
    if (connection_ == nullptr && !over_) BeginConnect();
  }
  if (linking() && linking_->failed() && connection_ == nullptr && !over_) {
    over_ = true;
    Emit(StateChanged{.state = ConnectionState::kNeedsLink, .reason = "link_failed"});
  }
  if (pending_end_) ApplyEnd();
  const auto next = NextTime();
  if (next && next != last_wait_) out_.push_back(WaitUntil{*next});
  last_wait_ = next;
  return std::exchange(out_, {});
}

}  // namespace medidesk::gateway::wa
