#include "gateway/wa/messages/sender.h"

#include <algorithm>
#include <utility>

#include "base/status.h"
#include "gateway/wa/messages/contact_tokens.h"
#include "gateway/wa/messages/message_ids.h"
#include "gateway/wa/messages/message_padding.h"
#include "gateway/wa/messages/receiver.h"
#include "gateway/wa/messages/text_format.h"
#include "whatsapp/message_records.pb.h"

namespace medidesk::gateway::wa {
namespace {

constexpr int kDeviceListVersion = 2;
constexpr int kPeerDataOperationRequest = 16;
constexpr int kPlaceholderResend = 4;
constexpr int kNotAcceptable = 406;

std::string JobKey(const std::string& id, const Jid& device) { return id + " " + device.ToString(); }

bool Lost(const absl::Status& status) {
  return status.code() == absl::StatusCode::kUnavailable || status.code() == absl::StatusCode::kDeadlineExceeded;
}

}  // namespace

RecordName SentContentName(std::string_view stanza_id) {
  return {.kind = RecordKind::kSentContent, .key = std::string(stanza_id)};
}

whatsapp::Message DeviceSent(const whatsapp::Message& message, const Jid& to) {
  whatsapp::Message outer;
  outer.mutable_device_sent_message()->set_destination_jid(to.ToString());
  *outer.mutable_device_sent_message()->mutable_message() = message;
  if (message.has_message_context_info()) *outer.mutable_message_context_info() = message.message_context_info();
  return outer;
}

// ---- What is wanted -----------------------------------------------------------------------------

absl::Status Sender::SendPart(const OutboundPart& part) {
  const auto reply = ParseReplyId(part.reply_id);
  const Jid chat = PlainAccount(part.chat);
  const bool person = !chat.user.empty() && (chat.server == kUserServer || chat.server == kLidServer);
  if (!reply || part.part_count < 1 || part.part_count > static_cast<int>(kMaxParts) || part.part < 0 ||
      part.part >= part.part_count) {
    return Error(absl::StatusCode::kInvalidArgument, "reply_id and part: expected a UUID and one of at most 3 parts");
  }
  if (!person || host_.IsOwn(chat)) return Error(absl::StatusCode::kInvalidArgument, "chat: expected another person");
  if (part.text.empty()) return Error(absl::StatusCode::kInvalidArgument, "text: expected at least one character");
  auto job = std::make_shared<Job>(Job{.kind = Kind::kPart, .part = part, .stanza_id = StanzaIdOf(*reply, part.part)});
  job->part.chat = chat;
  if (jobs_.contains(job->stanza_id) || in_flight_.contains(job->stanza_id)) {
    return Error(absl::StatusCode::kAlreadyExists, "this part is being sent");
  }
  jobs_[job->stanza_id] = job;
  Advance(job);
  return absl::OkStatus();
}

void Sender::AskPhone(const Jid& chat, const std::string& id) {
  auto job = std::make_shared<Job>(Job{.kind = Kind::kPhoneRequest});
  job->stanza_id = NewStanzaId(host_.now().wall, host_.own_jid().user, host_.entropy());
  auto* protocol = job->message.mutable_protocol_message();
  protocol->set_type(kPeerDataOperationRequest);
  auto* request = protocol->mutable_peer_data_operation_request_message();
  request->set_peer_data_operation_request_type(kPlaceholderResend);
  auto* key = request->add_placeholder_message_resend_request()->mutable_message_key();
  key->set_remote_jid(chat.ToString());
  key->set_from_me(false);
  key->set_id(id);
  jobs_[job->stanza_id] = job;
  Advance(job);
}

void Sender::SendAgain(Repeat repeat) {
  const std::string key = JobKey(repeat.id, repeat.device);
  if (jobs_.contains(key)) return;
  auto job = std::make_shared<Job>(Job{.kind = Kind::kRepeat, .stanza_id = repeat.id});
  if (!job->message.ParseFromString(repeat.message)) return;
  job->repeat = std::move(repeat);
  jobs_[key] = job;
  Advance(job);
}

void Sender::Advance(const JobPtr& job) {
  host_.Step(
      [this, job](Effects& effects) {
        switch (job->kind) {
          case Kind::kPart:
            return PlanPart(job, effects);
          case Kind::kPhoneRequest:
            return PlanPhoneRequest(job, effects);
          case Kind::kRepeat:
            return PlanRepeat(job, effects);
        }
      },
      [this, job] { Finish(job, PartOutcome::Kind::kNotSent); });
}

// ---- Steps --------------------------------------------------------------------------------------

std::optional<Sender::Side> Sender::DevicesOf(const JobPtr& job, const Jid& account) {
  Side side{.devices = {}, .list = ReadDeviceList(host_.workspace(), book_.CanonicalAccount(account))};
  if (!side.list.FreshAt(host_.UnixNow()) && !job->asked_devices) return std::nullopt;
  // What the server does not tell may still be reached by its phone.
  if (side.list.devices.empty()) side.list.devices = {account};
  for (const Jid& listed : side.list.devices) {
    Jid device = account;
    device.device = listed.device;
    if (!host_.IsOwn(device) || device.device != host_.own_jid().device) side.devices.push_back(std::move(device));
  }
  return side;
}

bool Sender::HaveKeys(const JobPtr& job, const std::vector<Jid>& devices, Effects& effects) {
  std::vector<Jid> wanted;
  for (const Jid& device : devices) {
    if (!host_.signal().HasSession(book_.Canonical(device)) && !job->bundles.contains(device)) wanted.push_back(device);
  }
  if (wanted.empty() || job->asked_keys) return true;
  effects.now.push_back([this, job, wanted = std::move(wanted)] { AskKeys(job, wanted, false); });
  return false;
}

std::optional<Encrypted> Sender::EncryptFor(const JobPtr& job, const Jid& device, const whatsapp::Message& message) {
  const Jid canonical = book_.Canonical(device);
  const auto bundle = job->bundles.find(device);
  const bool replace = job->repeat && job->repeat->new_session && bundle != job->bundles.end();
  if (replace || !host_.signal().HasSession(canonical)) {
    if (bundle == job->bundles.end() || !host_.signal().StartSession(canonical, bundle->second).ok()) {
      return std::nullopt;
    }
  }
  auto encrypted = host_.signal().Encrypt(canonical, PadMessage(AsBytes(message.SerializeAsString()), host_.entropy()));
  if (!encrypted.ok()) return std::nullopt;
  return *std::move(encrypted);
}

whatsapp::Message Sender::ContentOf(const JobPtr& job, const Jid& to, const Side& recipient, const Side& own) {
  Workspace& workspace = host_.workspace();
  const RecordName name = SentContentName(job->stanza_id);
  whatsapp::Message message;
  if (job->part.again) {
    const auto sent = ReadRecord<whatsapp::SentContentRecord>(workspace, name);
    if (sent.has_message() && message.ParseFromString(sent.message())) return message;
    message.Clear();
  }
  const ChatExpiration expiration = ReadChatExpiration(workspace, book_.CanonicalAccount(to));
  if (expiration.seconds == 0) {
    message.set_conversation(job->part.text);
  } else {
    auto* text = message.mutable_extended_text_message();
    text->set_text(job->part.text);
    text->mutable_context_info()->set_expiration(expiration.seconds);
    if (expiration.set > 0) text->mutable_context_info()->set_ephemeral_setting_timestamp(expiration.set);
  }
  auto* info = message.mutable_message_context_info();
  info->set_message_secret(ToString(RandomArray<32>(host_.entropy())));
  info->set_device_list_metadata_version(kDeviceListVersion);
  auto* metadata = info->mutable_device_list_metadata();
  if (own.list.timestamp != 0) metadata->set_sender_timestamp(own.list.timestamp);
  if (recipient.list.timestamp != 0) metadata->set_recipient_timestamp(recipient.list.timestamp);
  for (const std::uint32_t index : recipient.list.key_indexes) metadata->add_recipient_key_indexes(index);

  whatsapp::SentContentRecord record;
  record.set_chat(to.ToString());
  record.set_message(message.SerializeAsString());
  record.set_time(host_.UnixNow());
  record.set_reply_id(job->part.reply_id);
  record.set_part(job->part.part);
  record.set_part_count(job->part.part_count);
  workspace.PutAway(name, ToBytes(record.SerializeAsString()));
  return message;
}

std::vector<Node> Sender::TokensFor(const Jid& to) {
  Workspace& workspace = host_.workspace();
  const Bytes* stored = workspace.Get(ContactTokenName(book_.CanonicalAccount(to)));
  const ContactToken token = stored == nullptr ? ContactToken{} : ContactToken::Parse(*stored);
  if (token.ValidAt(host_.UnixNow())) return {{"tctoken", {}, token.token}};
  const Bytes* salt = workspace.Get(TokenSaltName());
  if (salt == nullptr || !to.IsLid()) return {};
  return {{"cstoken", {}, ToBytes(DerivedContactToken(*salt, to))}};
}

void Sender::PlanPart(const JobPtr& job, Effects& effects) {
  Jid to = host_.has_lid() ? book_.CanonicalAccount(job->part.chat) : job->part.chat;
  const Jid own = to.IsLid() && host_.has_lid() ? host_.own_lid().WithoutDevice() : host_.own_jid().WithoutDevice();
  const bool address_unknown = !to.IsLid() && host_.has_lid() && !job->asked_devices;
  const auto recipient = DevicesOf(job, to);
  const auto ours = DevicesOf(job, own);
  if (address_unknown || !recipient || !ours) {
    std::vector<Jid> accounts;
    if (address_unknown || !recipient) accounts.push_back(to);
    if (!ours) accounts.push_back(own);
    effects.now.push_back([this, job, accounts = std::move(accounts)] { AskDevices(job, accounts); });
    return;
  }
  std::vector<Jid> all = recipient->devices;
  all.insert(all.end(), ours->devices.begin(), ours->devices.end());
  if (!HaveKeys(job, all, effects)) return;

  const whatsapp::Message message = ContentOf(job, to, *recipient, *ours);
  const whatsapp::Message for_us = DeviceSent(message, to);
  std::vector<EncryptedFor> encrypted;
  std::vector<Jid> reached;
  for (const Jid& device : recipient->devices) {
    if (auto one = EncryptFor(job, device, message)) {
      reached.push_back(device);
      encrypted.push_back({.device = device, .message = *std::move(one)});
    }
  }
  if (encrypted.empty()) {
    DropDeviceList(host_.workspace(), book_.CanonicalAccount(to));
    effects.now.push_back([this, job] { Finish(job, PartOutcome::Kind::kNoDevice); });
    return;
  }
  for (const Jid& device : ours->devices) {
    if (auto one = EncryptFor(job, device, for_us)) {
      reached.push_back(device);
      encrypted.push_back({.device = device, .message = *std::move(one)});
    }
  }
  // Whose keys the server did not have has other devices than we know.
  for (const Jid& device : job->without_keys) DropDeviceList(host_.workspace(), book_.CanonicalAccount(device));

  std::vector<Node> extra;
  const bool introduced =
      std::any_of(encrypted.begin(), encrypted.end(), [](const EncryptedFor& one) { return one.message.pre_key; });
  if (introduced) extra.push_back({"device-identity", {}, host_.credentials().account->signed_identity});
  for (Node& token : TokensFor(to)) extra.push_back(std::move(token));
  std::optional<Jid> phone;
  if (to.IsLid()) {
    const std::string number = book_.PhoneOf(to.user);
    if (!number.empty()) phone = Jid{.user = number, .server = std::string(kUserServer)};
  }
  std::vector<std::string> hashes = {ParticipantHash(reached)};
  Jid self = own;
  self.device = host_.own_jid().device;
  reached.push_back(self);
  hashes.push_back(ParticipantHash(reached));

  Node node = MessageNode(job->stanza_id, to, phone, std::move(encrypted), std::move(extra));
  effects.outbound = OutboundAttempt{.reply_id = job->part.reply_id,
                                     .part = job->part.part,
                                     .part_count = job->part.part_count,
                                     .stanza_id = job->stanza_id};
  effects.then = [this, job, node = std::move(node), hashes = std::move(hashes), to](bool send) {
    if (send) return Release(job, node, hashes, to);
    jobs_.erase(job->stanza_id);
  };
}

void Sender::PlanPhoneRequest(const JobPtr& job, Effects& effects) {
  const Jid phone = host_.own_jid().WithoutDevice();
  if (!HaveKeys(job, {phone}, effects)) return;
  const auto encrypted = EncryptFor(job, phone, job->message);
  if (!encrypted) {
    effects.now.push_back([this, job] { Finish(job, PartOutcome::Kind::kNoDevice); });
    return;
  }
  Node node{
      "message",
      {{"id", job->stanza_id}, {"to", phone}, {"type", "text"}, {"category", "peer"}, {"push_priority", "high_force"}},
      {}};
  Nodes children{EncNode(*encrypted)};
  if (encrypted->pre_key) children.push_back({"device-identity", {}, host_.credentials().account->signed_identity});
  children.push_back({"meta", {{"appdata", "default"}}, {}});
  node.content = std::move(children);
  whatsapp::SentContentRecord record;
  record.set_chat(phone.ToString());
  record.set_message(job->message.SerializeAsString());
  record.set_time(host_.UnixNow());
  host_.workspace().PutAway(SentContentName(job->stanza_id), ToBytes(record.SerializeAsString()));
  effects.then = [this, job, node = std::move(node), phone](bool) { Release(job, node, {}, phone); };
}

void Sender::PlanRepeat(const JobPtr& job, Effects& effects) {
  const Repeat& repeat = *job->repeat;
  if (repeat.new_session && !job->asked_keys) {
    effects.now.push_back([this, job] { AskKeys(job, {job->repeat->device}, true); });
    return;
  }
  if (!HaveKeys(job, {repeat.device}, effects)) return;
  const bool ours = host_.IsOwn(repeat.device);
  const bool peer = host_.IsOwn(repeat.chat);
  const auto encrypted =
      EncryptFor(job, repeat.device, ours && !peer ? DeviceSent(job->message, repeat.chat) : job->message);
  const std::string key = JobKey(repeat.id, repeat.device);
  if (!encrypted) {
    effects.now.push_back([this, key] { jobs_.erase(key); });
    return;
  }
  Node node{"message", {{"id", repeat.id}, {"to", repeat.device}, {"type", "text"}, {"device_fanout", "false"}}, {}};
  for (const std::string_view name : {"participant", "recipient"}) {
    if (auto attribute = CopyOf(repeat.request, name)) node.SetAttr(*std::move(attribute));
  }
  if (peer) node.SetAttr({"category", "peer"});
  Nodes children{EncNode(*encrypted, repeat.count)};
  if (encrypted->pre_key) children.push_back({"device-identity", {}, host_.credentials().account->signed_identity});
  node.content = std::move(children);
  if (!repeat.reply_id.empty()) {
    effects.outbound = OutboundAttempt{.reply_id = repeat.reply_id,
                                       .part = repeat.part,
                                       .part_count = repeat.part_count,
                                       .stanza_id = repeat.id,
                                       .retry = true};
  }
  effects.then = [this, key, node = std::move(node)](bool send) {
    jobs_.erase(key);
    if (send) host_.SendNode(node);
  };
}

// ---- Questions to the server --------------------------------------------------------------------

void Sender::AskDevices(const JobPtr& job, std::vector<Jid> accounts) {
  const DeviceListRequest request{.accounts = std::move(accounts)};
  host_.Ask(request, [this, job](absl::StatusOr<DeviceListRequest::Response> answer) {
    if (Lost(answer.status())) return Finish(job, PartOutcome::Kind::kNotSent);
    job->asked_devices = true;
    if (!answer.ok()) return Advance(job);
    host_.Step(
        [this, job, accounts = *std::move(answer)](Effects& effects) {
          for (const DeviceListRequest::Account& account : accounts) {
            if (account.lid && !account.jid.IsLid()) book_.Learn(account.jid, account.lid, 0, effects);
            if (!account.known || account.list.devices.empty()) continue;
            DeviceList list = account.list;
            list.fetched = host_.UnixNow();
            WriteDeviceList(host_.workspace(), book_.CanonicalAccount(account.jid), list);
          }
          effects.now.push_back([this, job] { Advance(job); });
        },
        [this, job] { Finish(job, PartOutcome::Kind::kNotSent); });
  });
}

void Sender::AskKeys(const JobPtr& job, std::vector<Jid> devices, bool new_identity) {
  const PreKeyBundleRequest request{.devices = std::move(devices), .new_identity = new_identity};
  host_.Ask(request, [this, job](absl::StatusOr<PreKeyBundleRequest::Response> answer) {
    if (Lost(answer.status())) return Finish(job, PartOutcome::Kind::kNotSent);
    if (IqErrorCode(answer.status()) == kNotAcceptable && job->kind == Kind::kPart && !job->devices_again) {
      // One device that is gone spoils the whole answer: ask for the devices once more.
      job->devices_again = true;
      job->asked_devices = false;
      DropLists(job->part.chat);
      return Advance(job);
    }
    job->asked_keys = true;
    if (answer.ok()) {
      for (PreKeyBundleRequest::Bundle& one : *answer) {
        if (one.bundle) {
          job->bundles[one.device] = *std::move(one.bundle);
        } else {
          job->without_keys.push_back(one.device);
        }
      }
    }
    Advance(job);
  });
}

void Sender::GiveToken(const Jid& account, std::int64_t time) {
  if (!giving_.insert(account).second) return;
  const GiveTokenRequest request{.contact = account, .time = time};
  host_.Ask(request, [this, account, time](const absl::StatusOr<GiveTokenRequest::Response>& answer) {
    giving_.erase(account);
    if (!answer.ok()) return;
    host_.Step([this, account, time](Effects&) {
      const RecordName name = ContactTokenName(account);
      const Bytes* stored = host_.workspace().Get(name);
      ContactToken token = stored == nullptr ? ContactToken{} : ContactToken::Parse(*stored);
      token.given_time = time;
      host_.workspace().Put(name, token.Serialize());
    });
  });
}

// ---- After it has left --------------------------------------------------------------------------

void Sender::Release(const JobPtr& job, Node node, std::vector<std::string> hashes, Jid to) {
  if (!host_.connected()) return Finish(job, PartOutcome::Kind::kNoAck);
  jobs_.erase(job->stanza_id);
  in_flight_[job->stanza_id] = {
      .job = job, .deadline = host_.now().steady + kAckLimit, .hashes = std::move(hashes), .to = std::move(to)};
  host_.SendNode(std::move(node));
}

void Sender::Finish(const JobPtr& job, PartOutcome::Kind kind, int code) {
  jobs_.erase(job->kind == Kind::kRepeat ? JobKey(job->repeat->id, job->repeat->device) : job->stanza_id);
  if (job->kind == Kind::kRepeat) return;
  in_flight_.erase(job->stanza_id);
  if (job->kind != Kind::kPart) return;
  host_.Tell(PartOutcome{
      .reply_id = job->part.reply_id, .part = job->part.part, .stanza_id = job->stanza_id, .kind = kind, .code = code});
}

void Sender::DropLists(Jid to) {
  host_.Step([this, to = std::move(to)](Effects&) {
    DropDeviceList(host_.workspace(), book_.CanonicalAccount(to));
    DropDeviceList(host_.workspace(), book_.CanonicalAccount(host_.own_jid()));
  });
}

void Sender::OnAck(const Node& ack) {
  if (ack.Attr("class") != "message") return;
  const auto found = in_flight_.find(ack.Attr("id"));
  if (found == in_flight_.end()) return;
  const InFlight in_flight = found->second;
  const JobPtr& job = in_flight.job;
  const std::string_view hash = ack.Attr("phash");
  const bool known_hash = std::any_of(in_flight.hashes.begin(), in_flight.hashes.end(),
                                      [&](const std::string& one) { return SameParticipantHash(one, hash); });
  if (job->kind == Kind::kPart && ((!hash.empty() && !known_hash) || ack.HasAttr("error"))) DropLists(in_flight.to);
  if (ack.HasAttr("error")) {
    const int code = static_cast<int>(std::min<std::uint64_t>(ack.AttrNumber("error").value_or(0), 100'000));
    return Finish(job, PartOutcome::Kind::kRefused, code);
  }
  Finish(job, PartOutcome::Kind::kAcknowledged);
  if (job->kind != Kind::kPart) return;
  const std::int64_t time = static_cast<std::int64_t>(std::min<std::uint64_t>(
      ack.AttrNumber("t").value_or(static_cast<std::uint64_t>(host_.UnixNow())), 32'503'680'000));
  host_.Step([this, to = in_flight.to, id = job->stanza_id, time](Effects& effects) {
    effects.marks.push_back({.stanza_id = id, .state = DeliveryState::kSent, .time = FromUnix(time)});
    const Jid account = book_.CanonicalAccount(to);
    const Bytes* stored = host_.workspace().Get(ContactTokenName(account));
    const ContactToken token = stored == nullptr ? ContactToken{} : ContactToken::Parse(*stored);
    if (!token.GiveAt(host_.UnixNow())) return;
    effects.now.push_back([this, account] { GiveToken(account, host_.UnixNow()); });
  });
}

void Sender::OnDisconnected() {
  std::vector<JobPtr> gone;
  for (const auto& [id, in_flight] : in_flight_) gone.push_back(in_flight.job);
  for (const JobPtr& job : gone) Finish(job, PartOutcome::Kind::kNoAck);
}

void Sender::OnTime() {
  std::vector<JobPtr> late;
  for (const auto& [id, in_flight] : in_flight_) {
    if (in_flight.deadline <= host_.now().steady) late.push_back(in_flight.job);
  }
  for (const JobPtr& job : late) Finish(job, PartOutcome::Kind::kNoAck);
}

std::optional<Time> Sender::next_time() const {
  std::optional<Time> next;
  for (const auto& [id, in_flight] : in_flight_) {
    if (!next || in_flight.deadline < *next) next = in_flight.deadline;
  }
  return next;
}

}  // namespace medidesk::gateway::wa
