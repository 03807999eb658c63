// A clinic's MessageLayer among simulated devices, in memory: carries its actions out, stores its records, answers its
// questions as the server does, and reads what it sends with the keys of those it was sent to.
#pragma once

#include <gtest/gtest.h>

#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "gateway/wa/messages/iq_peers.h"
#include "gateway/wa/messages/message_layer.h"
#include "gateway/wa/messages/message_padding.h"
#include "gateway/wa/signal/testing/signal_peer.h"
#include "gateway/wa/testing/sample_device.h"
#include "whatsapp/message.pb.h"

namespace medidesk::gateway::wa::testing {

inline Jid At(std::string_view text) { return *Jid::Parse(text); }

class MessageWorld {
 public:
  MessageWorld() {
    credentials = LinkedDevice();
    credentials.account->jid = At("15550001111:7@s.whatsapp.net");
    credentials.account->lid = At("111111111111111:7@lid");
    Store(SignedPreKeyRecord(credentials.signed_pre_key, {}));
    AddAccount("15550001111", "111111111111111");
    AddAccount("34600000002", "222222222222222");
    Restart();
  }

  // ---- The clinic's side ----
  void Restart() {
    layer = std::make_unique<MessageLayer>(options, credentials, SeededEntropy(++seed));
    commits.clear();
    Connect();
  }
  void Connect() {
    Run(layer->OnEvent(now, LoggedIn{std::chrono::milliseconds(0)}));
    Run(layer->OnEvent(now, StateChanged{.state = ConnectionState::kCatchingUp, .reason = ""}));
  }
  // All of what the layer may want while the store is away.
  void ReadAhead() {
    std::vector<Record> single;
    for (const RecordName& name : MessageLayer::ReadAheadNames()) {
      const auto found = records.find({name.kind, name.key});
      if (found != records.end()) single.push_back({.name = name, .value = found->second});
    }
    layer->OnReadAhead(MessageLayer::ReadAheadNames(), std::move(single));
    for (const auto& wanted : MessageLayer::kReadAhead) {
      std::vector<Record> all;
      for (const auto& [name, value] : records) {
        if (name.first == wanted.kind) {
          all.push_back({.name = {.kind = name.first, .key = name.second}, .value = value});
        }
      }
      layer->OnReadAhead({}, std::move(all));
      if (wanted.ours) layer->OnReadWhole(wanted.kind);
    }
  }
  void Disconnect() {
    Run(layer->OnEvent(now, StateChanged{.state = ConnectionState::kReconnecting, .reason = "closed"}));
  }
  absl::Status Send(const Jid& chat, const std::string& text, int part = 0, bool again = false) {
    const std::string reply = "0193a4b5-c6d7-7e8f-9a0b-1c2d3e4f5061";
    auto actions = layer->Send(
        now, {.reply_id = reply, .part = part, .part_count = 3, .chat = chat, .text = text, .again = again});
    if (actions.ok()) Run(*std::move(actions));
    return actions.status();
  }
  void Advance(std::chrono::seconds by) {
    const Time until = now.steady + by;
    for (int i = 0; i < 100'000 && wait && *wait <= until; ++i) {
      Set(std::max(*wait, now.steady));
      wait.reset();
      Run(layer->OnTime(now));
    }
    EXPECT_TRUE(!wait || *wait > until) << "the layer asks for OnTime without an end";
    Set(until);
    Run(layer->OnTime(now));
  }
  void Run(MessageActions actions) {
    for (MessageAction& action : actions) queue_.push_back(std::move(action));
    if (running_) return;
    running_ = true;
    while (!queue_.empty()) {
      MessageAction action = std::move(queue_.front());
      queue_.pop_front();
      std::visit([this](auto& one) { Do(one); }, action);
    }
    running_ = false;
  }
  void CommitNext(CommitOutcome outcome = CommitOutcome::kStored) {
    ASSERT_FALSE(commits.empty());
    const MessageCommit commit = std::move(commits.front());
    commits.pop_front();
    Apply(commit);
    Run(layer->OnCommitted(now, commit.commit, outcome));
  }

  // ---- The others' side ----
  void AddAccount(const std::string& phone, const std::string& lid) { lids[phone] = lid; }
  SignalPeer& Peer(const std::string& device) {
    auto& peer = peers[At(device)];
    if (!peer) peer = std::make_unique<SignalPeer>(At(device), ++seed);
    return *peer;
  }
  // What the server hands out of the clinic's device.
  PreKeyBundle ClinicBundle() {
    const PreKey key{.id = ++last_pre_key, .pair = KeyPair::Generate(SeededEntropy(++seed))};
    Store(key.ToRecord());
    return {.registration_id = credentials.registration_id,
            .identity = credentials.identity.public_key,
            .signed_pre_key_id = credentials.signed_pre_key.id,
            .signed_pre_key = credentials.signed_pre_key.pair.public_key,
            .signature = credentials.signed_pre_key.signature,
            .one_time = PreKeyBundle::OneTime{.id = key.id, .key = key.pair.public_key}};
  }
  Encrypted EncryptFrom(SignalPeer& peer, const whatsapp::Message& message) {
    if (!peer.HasSession(clinic())) {
      EXPECT_TRUE(peer.Start(clinic(), ClinicBundle()).ok());
    }
    return peer.Encrypt(clinic(), PadMessage(AsBytes(message.SerializeAsString()), peer.entropy));
  }
  Node Stanza(const Jid& from, const Encrypted& encrypted, const std::string& id, std::vector<Attribute> more = {}) {
    Node enc{"enc", {{"v", "2"}, {"type", encrypted.pre_key ? "pkmsg" : "msg"}}, encrypted.bytes};
    Node node{"message",
              {{"id", id}, {"from", from}, {"t", std::to_string(UnixNow())}, {"type", "text"}, {"notify", "Asha"}},
              Nodes{std::move(enc)}};
    for (Attribute& attribute : more) node.SetAttr(std::move(attribute));
    return node;
  }
  static whatsapp::Message TextMessage(const std::string& text) {
    whatsapp::Message message;
    message.set_conversation(text);
    return message;
  }
  void Say(const std::string& device, const std::string& text, const std::string& id,
           std::vector<Attribute> more = {}) {
    Receive(Stanza(At(device), EncryptFrom(Peer(device), TextMessage(text)), id, std::move(more)));
  }
  void Receive(const Node& node) {
    Run(layer->OnEvent(now, StanzaReceived{.node = node, .offline = node.HasAttr("offline"), .needs_ack = true}));
  }
  void Ack(const std::string& id, std::vector<Attribute> more = {}) {
    Node ack{"ack", {{"class", "message"}, {"id", id}, {"t", std::to_string(UnixNow())}}, {}};
    for (Attribute& attribute : more) ack.SetAttr(std::move(attribute));
    Receive(ack);
  }
  // What a stanza of the clinic says to this device; nullopt when it is not for it or cannot be read.
  std::optional<whatsapp::Message> Read(const Node& stanza, const std::string& device) {
    const Node* enc = nullptr;
    if (const Node* participants = stanza.Child("participants")) {
      for (const Node& to : participants->Children()) {
        if (to.AttrJid("jid") == At(device)) enc = to.Child("enc");
      }
    } else {
      enc = stanza.Child("enc");
    }
    if (enc == nullptr) return std::nullopt;
    const Encrypted encrypted{.pre_key = enc->Attr("type") == "pkmsg", .bytes = ToBytes(enc->ContentBytes())};
    const Decrypted decrypted = Peer(device).Decrypt(clinic(), encrypted);
    const auto plain = UnpadMessage(decrypted.plaintext);
    whatsapp::Message message;
    if (decrypted.outcome != DecryptOutcome::kDecrypted || !plain ||
        !message.ParseFromArray(plain->data(), static_cast<int>(plain->size()))) {
      return std::nullopt;
    }
    return message;
  }

  // ---- What came of it ----
  std::optional<Node> Take(std::string_view tag, std::string_view attribute = "", std::string_view value = "") {
    for (auto it = sent.begin(); it != sent.end(); ++it) {
      if (it->tag != tag || (!attribute.empty() && it->Attr(attribute) != value)) continue;
      Node node = std::move(*it);
      sent.erase(it);
      return node;
    }
    return std::nullopt;
  }
  template <class T>
  std::optional<T> TakeEvent() {
    for (auto it = events.begin(); it != events.end(); ++it) {
      if (auto* event = std::get_if<T>(&*it)) {
        T taken = std::move(*event);
        events.erase(it);
        return taken;
      }
    }
    return std::nullopt;
  }
  std::optional<InboundMessage> TakeInbound() {
    if (inbound.empty()) return std::nullopt;
    InboundMessage message = std::move(inbound.front());
    inbound.pop_front();
    return message;
  }
  bool Stored(RecordKind kind, const std::string& key) const { return records.contains({kind, key}); }
  Jid clinic() const { return credentials.account->lid; }
  std::int64_t UnixNow() const {
    return std::chrono::duration_cast<std::chrono::seconds>(now.wall.time_since_epoch()).count();
  }
  void Store(Record record) { records[{record.name.kind, record.name.key}] = std::move(record.value); }

  MessageLayer::Options options = {};
  DeviceCredentials credentials;
  std::unique_ptr<MessageLayer> layer;
  Moment now{.steady = Time(std::chrono::hours(1000)), .wall = WallTime(std::chrono::seconds(1'700'000'000))};
  std::optional<Time> wait;
  std::map<std::string, std::string> lids;  // by phone number
  std::map<Jid, std::unique_ptr<SignalPeer>> peers;
  std::map<std::pair<RecordKind, std::string>, Bytes> records;
  std::deque<MessageCommit> commits;  // not answered yet
  std::deque<InboundMessage> inbound;
  std::vector<DeliveryMark> marks;
  std::vector<LearnedContact> learned;
  std::vector<OutboundAttempt> attempts;
  std::vector<MessageEvent> events;
  std::vector<Node> sent;
  std::vector<Node> questions;
  bool auto_commit = true;
  bool answer = true;             // questions
  bool tell_lids = true;          // to those who ask by phone number
  std::vector<Jid> without_keys;  // devices of which the server has none
  std::uint32_t last_pre_key = 0;
  std::uint64_t seed = 0;
  int loads = 0;

 private:
  void Set(Time time) {
    now.wall += std::chrono::duration_cast<WallTime::duration>(time - now.steady);
    now.steady = time;
  }
  void Do(SendStanza& send) {
    if (send.node.tag == "iq") {
      questions.push_back(send.node);
      if (answer) Receive(AnswerTo(send.node));
      return;
    }
    sent.push_back(std::move(send.node));
  }
  void Do(LoadRecords& load) {
    ++loads;
    std::vector<Record> found;
    for (const RecordName& name : load.names) {
      const auto it = records.find({name.kind, name.key});
      if (it != records.end()) found.push_back({.name = name, .value = it->second});
    }
    Run(layer->OnLoaded(now, load.request, std::move(found)));
  }
  void Do(MessageCommit& commit) {
    if (!commits.empty()) {
      EXPECT_EQ(commit.commit, commits.back().commit + 1);
    }
    commits.push_back(std::move(commit));
    if (auto_commit) CommitNext();
  }
  void Do(WaitUntil& until) { wait = until.time; }
  void Do(MessageEvent& event) { events.push_back(std::move(event)); }

  void Apply(const MessageCommit& commit) {
    for (const RecordName& name : commit.changes.deletes) records.erase({name.kind, name.key});
    for (const Record& record : commit.changes.puts) records[{record.name.kind, record.name.key}] = record.value;
    for (const InboundMessage& message : commit.inbound) inbound.push_back(message);
    if (commit.outbound) attempts.push_back(*commit.outbound);
    marks.insert(marks.end(), commit.marks.begin(), commit.marks.end());
    learned.insert(learned.end(), commit.learned.begin(), commit.learned.end());
  }

  Node AnswerTo(const Node& question) {
    Node result{"iq", {{"from", Jid::Server()}, {"type", "result"}, {"id", question.Attr("id")}}, {}};
    if (question.Attr("xmlns") == "usync") result.content = Nodes{DevicesFor(question)};
    if (question.Attr("xmlns") == "encrypt") result.content = Nodes{KeysFor(question)};
    return result;
  }
  Node DevicesFor(const Node& question) {
    Nodes users;
    for (const Node& wanted : question.Child("usync")->Child("list")->Children()) {
      const Jid asked = *wanted.AttrJid("jid");
      const Jid lid = asked.IsLid() ? asked : Jid{.user = lids[asked.user], .server = std::string(kLidServer)};
      Nodes devices;
      for (const auto& [jid, peer] : peers) {
        if (jid.user != lid.user && jid.user != asked.user) continue;
        Node device{"device", {{"id", std::to_string(jid.device)}}, {}};
        if (jid.device != 0) device.SetAttr({"key-index", std::to_string(jid.device)});
        devices.push_back(std::move(device));
      }
      Nodes list{{"device-list", {}, std::move(devices)}, {"key-index-list", {{"ts", "1690000000"}}, {}}};
      Node user{"user", {{"jid", asked}}, Nodes{{"devices", {}, std::move(list)}}};
      if (!asked.IsLid() && tell_lids && !lid.user.empty()) {
        std::get<Nodes>(user.content).push_back({"lid", {{"val", lid}}, {}});
      }
      users.push_back(std::move(user));
    }
    return {"usync", {}, Nodes{{"list", {}, std::move(users)}}};
  }
  Node KeysFor(const Node& question) {
    Nodes users;
    for (const Node& wanted : question.Child("key")->Children()) {
      const Jid device = *wanted.AttrJid("jid");
      Node user{"user", {{"jid", device}}, {}};
      const bool absent = std::find(without_keys.begin(), without_keys.end(), device) != without_keys.end();
      Jid lid = device;
      if (!device.IsLid() && !peers.contains(device))
        lid = {.user = lids[device.user], .server = "lid", .device = device.device};
      if (absent || !peers.contains(lid)) {
        user.content = Nodes{{"error", {{"code", "404"}}, {}}};
      } else {
        user.content = KeysOf(peers[lid]->Bundle());
      }
      users.push_back(std::move(user));
    }
    return {"list", {}, std::move(users)};
  }

 public:
  static Nodes KeysOf(const PreKeyBundle& bundle) {
    const auto leaf = [](const char* tag, ByteView bytes) { return Node{tag, {}, ToBytes(bytes)}; };
    Nodes keys{leaf("registration", WriteNumber(bundle.registration_id, 4)), leaf("type", WriteNumber(5, 1)),
               leaf("identity", bundle.identity)};
    keys.push_back(
        {"key", {}, Nodes{leaf("id", WriteNumber(bundle.one_time->id, 3)), leaf("value", bundle.one_time->key)}});
    keys.push_back({"skey",
                    {},
                    Nodes{leaf("id", WriteNumber(bundle.signed_pre_key_id, 3)), leaf("value", bundle.signed_pre_key),
                          leaf("signature", bundle.signature)}});
    return keys;
  }

 private:
  std::deque<MessageAction> queue_;
  bool running_ = false;
};

}  // namespace medidesk::gateway::wa::testing
