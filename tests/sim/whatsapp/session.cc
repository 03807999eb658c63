#include "tests/sim/whatsapp/session.h"

#include <fmt/format.h>
#include <zlib.h>

#include <algorithm>
#include <utility>

#include "gateway/wa/node_codec.h"
#include "tests/sim/whatsapp/delivery.h"
#include "tests/sim/whatsapp/pairing.h"
#include "tests/sim/whatsapp/wire.pb.h"

namespace medidesk::whatsapp_sim {

namespace wa = gateway::wa;

namespace {

constexpr std::uint8_t kHeader[] = {0x57, 0x41, 0x06, 0x03};
constexpr std::uint8_t kRouting[] = {0x45, 0x44, 0x00, 0x01};
constexpr std::size_t kMaxStatus = 4999;

Bytes Framed(View payload) {
  Bytes frame{static_cast<std::uint8_t>(payload.size() >> 16), static_cast<std::uint8_t>(payload.size() >> 8),
              static_cast<std::uint8_t>(payload.size())};
  frame.insert(frame.end(), payload.begin(), payload.end());
  return frame;
}

// The node bytes behind a flag that says so, as one zlib stream.
Bytes Compressed(View node_bytes) {
  const View plain = node_bytes.subspan(1);
  uLongf size = compressBound(plain.size());
  Bytes out(1 + size);
  out[0] = 0x02;
  if (compress(out.data() + 1, &size, plain.data(), plain.size()) != Z_OK)
    return Bytes(node_bytes.begin(), node_bytes.end());
  out.resize(1 + size);
  return out;
}

// A ServerHello that is wrong in the way that `how` names.
Bytes SpoiledHello(Bytes hello, std::string_view how) {
  HandshakeMessage message;
  if (how == "garbage" || !message.ParseFromArray(hello.data(), static_cast<int>(hello.size())))
    return RandomBytes(120);
  if (how == "truncated") {
    hello.resize(hello.size() / 2);
    return hello;
  }
  ServerHello& server = *message.mutable_server_hello();
  if (how == "short_static") server.mutable_static_()->pop_back();
  if (how == "short_ephemeral") server.mutable_ephemeral()->pop_back();
  if (how == "bad_payload") server.mutable_payload()->back() ^= 1;
  hello.resize(message.ByteSizeLong());
  message.SerializeToArray(hello.data(), static_cast<int>(hello.size()));
  return hello;
}

}  // namespace

Session::Session(World& world, Link& link, std::string target)
    : world_(world), link_(link), target_(std::move(target)) {
  id_ = world_.Enter(*this);
  Log("open", target_);
}

Session::~Session() { OnClosed(); }

void Session::OnClosed() {
  if (std::exchange(closed_, true)) return;
  Log("close", close_reason_);
  LoseDevice();
  pairing_.reset();
  world_.Leave(*this);
}

void Session::Log(std::string event, std::string detail) {
  world_.log.Add(LoginEvent{.time_us = world_.now_us(),
                            .event = std::move(event),
                            .connection = id_,
                            .phone = phone_,
                            .device = device_number_,
                            .detail = std::move(detail)});
}

std::string_view Session::state() const {
  switch (state_) {
    case State::kIntro:
      return "intro";
    case State::kHello:
      return "hello";
    case State::kFinish:
      return "finish";
    case State::kPairing:
      return "pairing";
    case State::kLoggedIn:
      return device_ == nullptr ? "ended" : device_->active ? "active" : "passive";
  }
  return "";
}

// ---- What comes in. -----------------------------------------------------------------------------

void Session::OnMessage(View message) {
  if (!open() || silent_) return;
  if (state_ == State::kIntro) {
    intro_.insert(intro_.end(), message.begin(), message.end());
    if (!OnIntro()) return;
  } else {
    frames_.Feed(message);
  }
  while (open() && !silent_) {
    auto frame = frames_.Next();
    if (!frame.ok()) return Problem("a frame of a length that is not allowed");
    if (!frame->has_value()) return;
    OnFrame(**frame);
  }
}

bool Session::OnIntro() {
  View rest = intro_;
  const auto starts_with = [&](View wanted) {
    const std::size_t size = std::min(rest.size(), wanted.size());
    return std::equal(wanted.begin(), wanted.begin() + static_cast<std::ptrdiff_t>(size), rest.begin());
  };
  if (!rest.empty() && rest[0] == kRouting[0]) {
    if (!starts_with(kRouting)) return Problem("the connection header is wrong"), false;
    if (rest.size() < 7) return false;
    const std::size_t size = std::size_t{rest[4]} << 16 | std::size_t{rest[5]} << 8 | rest[6];
    if (rest.size() < 7 + size) return false;
    routing_info_.assign(rest.begin() + 7, rest.begin() + 7 + static_cast<std::ptrdiff_t>(size));
    rest = rest.subspan(7 + size);
  }
  if (!starts_with(kHeader)) return Problem("the connection header is wrong"), false;
  if (rest.size() < sizeof kHeader) return false;
  state_ = State::kHello;
  frames_.Feed(rest.subspan(sizeof kHeader));
  intro_ = {};
  return true;
}

void Session::OnFrame(View frame) {
  if (frame.empty()) return Problem("an empty frame");
  if (state_ == State::kHello) return OnClientHello(frame);
  if (state_ == State::kFinish) return OnClientFinish(frame);
  const auto plain = transport_->from_client.Open(frame);
  if (!plain) return Problem("a frame that does not decrypt");
  auto node = wa::DecodeNode(*plain);
  if (!node.ok()) return Problem("a frame that is no node");
  OnStanza(*node);
}

void Session::OnClientHello(View frame) {
  if (Struck(Fault::At::kHello)) return;
  noise_.emplace(NoiseResponder::Keys{.ephemeral = NewKeyPair(),
                                      .server = world_.authority.server_key(),
                                      .chain = world_.authority.Chain(chain_forgery_, world_.now_us() / 1'000'000)});
  auto hello = noise_->OnClientHello(frame);
  if (!hello.ok()) return Problem(Text(hello.status()));
  state_ = State::kFinish;
  SendRaw(Framed(hello_how_.empty() ? *hello : SpoiledHello(*hello, hello_how_)));
}

void Session::OnClientFinish(View frame) {
  const auto finished = noise_->OnClientFinish(frame);
  if (!finished.ok()) return Problem(Text(finished.status()));
  noise_key_ = finished->noise_key;
  transport_.emplace(noise_->Split());
  noise_.reset();
  ClientPayload payload;
  if (!payload.ParseFromArray(finished->payload.data(), static_cast<int>(finished->payload.size()))) {
    return Problem("the client payload is no protobuf message");
  }
  const AppVersion& version = payload.user_agent().app_version();
  version_ = fmt::format("{}.{}.{}", version.primary(), version.secondary(), version.tertiary());
  const bool registration = payload.has_device_pairing_data();
  state_ = registration ? State::kPairing : State::kLoggedIn;
  if (!registration) {
    phone_ = fmt::format("{}", payload.username());
    device_number_ = static_cast<int>(payload.device());
  }
  if (Struck(Fault::At::kLogin)) return;
  if (static_cast<std::int64_t>(version.tertiary()) < world_.settings.oldest_version) return Refuse(405, {});
  if (registration) {
    Log("registration", version_);
    pairing_ = std::make_unique<Pairing>(*this);
    return pairing_->Start(payload.device_pairing_data());
  }
  OnLogin(payload.passive());
}

void Session::OnLogin(bool passive) {
  Account* account = world_.FindAccount(phone_);
  Device* device = account == nullptr ? nullptr : account->Find(device_number_);
  if (device == nullptr || device->noise_key != noise_key_) return Refuse(401, {});
  if (Session* const other = std::exchange(device->session, nullptr); other != nullptr) {
    other->Log("replaced");
    other->LoseDevice();
    wa::Node error{"stream:error", {}, wa::Nodes{{"conflict", {{"type", "replaced"}}, {}}}};
    other->End(error);
  }
  account_ = account;
  device_ = device;
  device_->session = this;
  device_->active = false;
  Log("login", version_);
  const std::string now = fmt::format("{}", world_.server_time());
  Send({"success", {{"t", now}, {"props", "27"}, {"location", "sim"}, {"lid", device_->lid}, {"creation", now}}, {}});
  PingLater();
  if (Struck(Fault::At::kSuccess)) return;
  if (!passive) BecomeActive();
}

void Session::BecomeActive() {
  if (device_ == nullptr || device_->active) return;
  device_->active = true;
  Log("active");
  if (Struck(Fault::At::kActive)) return;
  DrainPending(*this);
}

void Session::LoseDevice() {
  if (device_ == nullptr) return;
  if (device_->session == this) {
    device_->session = nullptr;
    device_->active = false;
  }
  device_ = nullptr;
  account_ = nullptr;
}

void Session::OnStanza(const wa::Node& stanza) {
  ++stanzas_in_;
  if (world_.settings.record_stanzas) {
    world_.log.Add(StanzaRecord{.time_us = world_.now_us(),
                                .connection = id_,
                                .phone = phone_,
                                .device = device_number_,
                                .from_client = true,
                                .node = std::make_shared<const wa::Node>(stanza)});
  }
  if (stanza.tag == "iq") {
    const std::string_view type = stanza.Attr("type");
    const bool request = type == "get" || type == "set";
    if (request && Struck(Fault::At::kIq, &stanza)) return;
    if (request && stanza.Attr("xmlns") == "w:p") {
      if (!no_pong_) Answer(stanza);
      return;
    }
    if (!request && stanza.Attr("id").starts_with("ping-")) {
      ++pongs_;
      return;
    }
  }
  if (state_ == State::kPairing) return pairing_->OnStanza(stanza);
  if (device_ == nullptr) return;
  if (const StanzaRouter::Handler* handler = world_.router.Find(stanza)) return (*handler)(*this, stanza);
  if (stanza.tag == "iq" && stanza.HasAttr("xmlns")) AnswerError(stanza, 501, "feature-not-implemented");
}

// ---- What goes out. -----------------------------------------------------------------------------

void Session::Send(const wa::Node& node) {
  if (!open() || silent_ || !transport_) return;
  if (world_.settings.record_stanzas) {
    world_.log.Add(StanzaRecord{.time_us = world_.now_us(),
                                .connection = id_,
                                .phone = phone_,
                                .device = device_number_,
                                .from_client = false,
                                .node = std::make_shared<const wa::Node>(node)});
  }
  const auto bytes = wa::EncodeNode(node);
  if (!bytes.ok()) return;  // a test's own node with a device number above 255
  SendBytes(compress_ ? Compressed(*bytes) : *bytes);
}

void Session::SendBytes(View node_bytes) {
  if (!transport_) return;
  const std::size_t size = node_bytes.size() + kGcmTag;
  Bytes frame;
  frame.reserve(3 + size);
  frame = {static_cast<std::uint8_t>(size >> 16), static_cast<std::uint8_t>(size >> 8),
           static_cast<std::uint8_t>(size)};
  transport_->to_client.Seal(node_bytes, frame);
  SendRaw(std::move(frame));
}

void Session::SendRaw(Bytes message) {
  if (closed_ || silent_) return;
  if (split_ == 0) return link_.Write(std::move(message));
  for (View rest = message; !rest.empty();) {
    const View piece = rest.first(std::min(split_, rest.size()));
    link_.Write(Bytes(piece.begin(), piece.end()));
    rest = rest.subspan(piece.size());
  }
}

void Session::Answer(const wa::Node& request) {
  Send({"iq", {{"from", wa::Jid::Server()}, {"type", "result"}, {"id", request.Attr("id")}}, {}});
}

void Session::Answer(const wa::Node& request, wa::Node child) {
  wa::Nodes children;
  children.push_back(std::move(child));
  Send({"iq", {{"from", wa::Jid::Server()}, {"type", "result"}, {"id", request.Attr("id")}}, std::move(children)});
}

void Session::AnswerError(const wa::Node& request, int code, std::string_view text) {
  wa::Node error{"error", {{"code", fmt::format("{}", code)}, {"text", text}}, {}};
  Send({"iq",
        {{"from", wa::Jid::Server()}, {"type", "error"}, {"id", request.Attr("id")}},
        wa::Nodes{std::move(error)}});
}

void Session::End(const wa::Node& last) {
  if (!open()) return;
  Send(last);
  ending_ = true;
  close_reason_ = "server";
  link_.After(std::chrono::milliseconds(world_.settings.close_delay_ms),
              [this] { link_.Close(Link::How::kClose, 1000); });
}

void Session::Refuse(std::int64_t code, const std::vector<wa::Attribute>& attributes) {
  Log("refused", fmt::format("{}", code));
  wa::Node failure{"failure", {{"reason", fmt::format("{}", code)}, {"location", "sim"}}, {}};
  for (const wa::Attribute& attribute : attributes) failure.SetAttr(attribute);
  End(failure);
}

void Session::Problem(std::string_view what) {
  Log("problem", std::string(what));
  Close(Link::How::kClose, "server", 1002);
}

void Session::Close(Link::How how, std::string_view why, int status) {
  if (closed_) return;
  ending_ = true;
  close_reason_ = why;
  link_.Close(how, status);
}

std::string Session::NextId() { return fmt::format("{}", ++last_id_); }

void Session::PingLater() {
  if (world_.settings.server_ping_ms <= 0) return;
  link_.After(std::chrono::milliseconds(world_.settings.server_ping_ms), [this] {
    if (!open()) return;
    Send({"iq",
          {{"from", wa::Jid::Server()},
           {"type", "get"},
           {"xmlns", "urn:xmpp:ping"},
           {"id", fmt::format("ping-{}", ++last_id_)},
           {"t", fmt::format("{}", world_.server_time())}},
          {}});
    PingLater();
  });
}

// ---- Faults. ------------------------------------------------------------------------------------

bool Session::Struck(Fault::At at, const wa::Node* iq) {
  if (world_.faults.size() == 0) return false;
  bool struck = false;
  for (const Fault& fault :
       world_.faults.Take(at, {.phone = phone_, .device = device_number_, .target = target_}, iq)) {
    if (Apply(fault, iq)) struck = true;
  }
  return struck || !open();
}

bool Session::Apply(const Fault& fault, const wa::Node* iq) {
  switch (fault.kind) {
    case Fault::Kind::kHttp:
      return false;  // the connection's matter
    case Fault::Kind::kDrop:
      return Close(Link::How::kReset, "fault"), true;
    case Fault::Kind::kCut:
      return Close(Link::How::kCut, "fault"), true;
    case Fault::Kind::kClose: {
      const bool usable = fault.code >= 1000 && fault.code <= static_cast<std::int64_t>(kMaxStatus);
      return Close(Link::How::kClose, "fault", usable ? static_cast<int>(fault.code) : 1000), true;
    }
    case Fault::Kind::kSilence:
      return silent_ = true;
    case Fault::Kind::kStall:
      return link_.StopReading(), true;
    case Fault::Kind::kNoPong:
      return no_pong_ = true, false;
    case Fault::Kind::kDelay:
      return link_.DelayWrites(std::chrono::milliseconds(fault.ms)), false;
    case Fault::Kind::kSplit:
      return split_ = static_cast<std::size_t>(fault.ms), false;
    case Fault::Kind::kCompress:
      return compress_ = true, false;
    case Fault::Kind::kChain:
      chain_forgery_ = ChainForgeryFrom(fault.how).value_or(ChainForgery::kGarbage);
      return false;
    case Fault::Kind::kServerHello:
      return hello_how_ = fault.how, false;
    case Fault::Kind::kFailure:
      return Refuse(fault.code, fault.attributes), true;
    case Fault::Kind::kStreamError: {
      wa::Node error{"stream:error", fault.attributes, {}};
      if (fault.code != 0) error.SetAttr({"code", fmt::format("{}", fault.code)});
      if (!fault.how.empty()) error.content = wa::Nodes{{"conflict", {{"type", fault.how}}, {}}};
      return End(error), true;
    }
    case Fault::Kind::kStreamEnd:
      return End({"xmlstreamend", {}, {}}), true;
    case Fault::Kind::kAdv:
      adv_forgery_ = AdvForgeryFrom(fault.how).value_or(AdvForgery::kGarbage);
      return false;
    case Fault::Kind::kGarbageFrame:
      return SendRaw(Framed(RandomBytes(64))), false;
    case Fault::Kind::kBadNode:
      return SendBytes(fault.bytes), false;
    case Fault::Kind::kEmptyFrame:
      return SendRaw({0, 0, 0}), false;
    case Fault::Kind::kHugeFrame:
      return SendRaw({0xff, 0xff, 0xff, 1, 2, 3}), silent_ = true;
    case Fault::Kind::kIqError:
      if (iq != nullptr) AnswerError(*iq, static_cast<int>(fault.code), "fault");
      return true;
    case Fault::Kind::kIqSilence:
      return true;
    case Fault::Kind::kAckError:
    case Fault::Kind::kAckSilence:
    case Fault::Kind::kLoseMessage:
    case Fault::Kind::kSpoil:
    case Fault::Kind::kTwice:
      return false;  // the message's matter
  }
  return false;
}

}  // namespace medidesk::whatsapp_sim
