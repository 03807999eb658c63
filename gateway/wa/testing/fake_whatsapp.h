// The server's side of one session, in memory: carries out the session's actions, speaks Noise and nodes, and keeps
// what the session did. Time is its own and moves when told to.
#pragma once

#include <gtest/gtest.h>

#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "gateway/wa/frame_codec.h"
#include "gateway/wa/node_codec.h"
#include "gateway/wa/session.h"
#include "gateway/wa/testing/noise_server.h"

namespace medidesk::gateway::wa::testing {

class FakeWhatsApp {
 public:
  static Moment Start() {
    return {.steady = Time(std::chrono::hours(1000)), .wall = WallTime(std::chrono::seconds(3'000))};
  }
  static SessionOptions Options() { return {.root_key = ChainSpec{}.root.public_key}; }

  // ---- The session's side ----
  void Run(Actions actions) {
    for (Action& action : actions) std::visit([this](auto& one) { Do(one); }, action);
    while (auto_commit && !commits.empty() && !committing_) {
      committing_ = true;
      const std::uint64_t id = commits.front().commit;
      commits.pop_front();
      committing_ = false;
      Run(session->OnCommitted(now, id, commit_status));
    }
  }
  void Advance(std::chrono::milliseconds by) {
    const Time until = now.steady + by;
    // Timers fire when they are due, in order; a hundred thousand of them is a loop without an end.
    for (int i = 0; i < 100'000 && wait && *wait <= until; ++i) {
      Set(std::max(*wait, now.steady));
      wait.reset();
      Run(session->OnTime(now));
    }
    EXPECT_TRUE(!wait || *wait > until) << "the session asks for OnTime without an end";
    Set(until);
    Run(session->OnTime(now));
  }

  // ---- The server's side ----
  void Accept() { Run(session->OnConnected(now, connection)); }
  // Answers the hello; false when the client sent none.
  bool Handshake(const ChainSpec& chain = {}) {
    Accept();
    if (!client_hello) return false;
    const Bytes hello = noise->Answer(*client_hello, AsBytes(MakeChain(chain).SerializeAsString()));
    Bytes frame;
    EXPECT_TRUE(AppendFrame(hello, frame).ok());
    Feed(frame);
    return transport.has_value();
  }
  void Feed(ByteView bytes) { Run(session->OnBytes(now, connection, bytes)); }
  void Say(const Node& node) {
    ASSERT_TRUE(transport.has_value());
    Bytes frame;
    ASSERT_TRUE(transport->SealFrame(EncodeNode(node).value(), frame).ok());
    Feed(frame);
  }
  void Drop(CloseCause cause = CloseCause::kLost) { Run(session->OnClosed(now, std::exchange(connection, 0), cause)); }
  void Answer(const Node& request, Nodes children = {}) {
    Node answer{"iq", {{"from", Jid::Server()}, {"type", "result"}, {"id", request.Attr("id")}}, {}};
    if (!children.empty()) answer.content = std::move(children);
    Say(answer);
  }
  void Refuse(const Node& request, const char* code) {
    Say({"iq",
         {{"from", Jid::Server()}, {"type", "error"}, {"id", request.Attr("id")}},
         Nodes{{"error", {{"code", code}}, {}}}});
  }
  // The oldest node not taken yet with this tag, and child when one is named.
  std::optional<Node> Take(std::string_view tag, std::string_view child = "") {
    for (auto it = sent.begin(); it != sent.end(); ++it) {
      if (it->tag != tag || (!child.empty() && it->Child(child) == nullptr)) continue;
      Node node = std::move(*it);
      sent.erase(it);
      return node;
    }
    return std::nullopt;
  }
  // A login up to the state kCatchingUp, with pre-keys on the server.
  void LogIn(const char* server_keys = "100") {
    ASSERT_TRUE(Handshake());
    Say({"success", {{"t", "3600"}, {"lid", *Jid::Parse("123456789012345:7@lid")}}, {}});
    const auto count = Take("iq", "count");
    ASSERT_TRUE(count.has_value());
    Answer(*count, {{"count", {{"value", server_keys}}, {}}});
    GoActive();
  }
  void GoActive() {
    const auto active = Take("iq", "active");
    ASSERT_TRUE(active.has_value());
    Answer(*active);
  }

  // The oldest event of this kind not taken yet.
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
  std::optional<StateChanged> LastState() const {
    for (auto it = events.rbegin(); it != events.rend(); ++it) {
      if (const auto* state = std::get_if<StateChanged>(&*it)) return *state;
    }
    return std::nullopt;
  }

  std::unique_ptr<Session> session;
  Moment now = Start();
  std::uint64_t connection = 0;  // the one that is open or being opened; 0: none
  int connects = 0;
  std::optional<Bytes> client_hello;
  Bytes first_bytes;  // of the connection
  Bytes noise_key;
  Bytes client_payload;
  std::unique_ptr<NoiseServer> noise;
  std::optional<NoiseTransport> transport;
  std::vector<Node> sent;
  std::vector<Event> events;
  std::optional<Time> wait;
  std::map<std::pair<int, std::string>, Bytes> records;
  std::deque<Commit> commits;  // not answered yet
  std::vector<Commit> all_commits;
  std::vector<LoadRecords> loads;
  bool auto_commit = true;
  absl::Status commit_status;

 private:
  void Set(Time time) {
    now.wall += std::chrono::duration_cast<WallTime::duration>(time - now.steady);
    now.steady = time;
  }
  void Do(Connect& connect) {
    EXPECT_EQ(connection, 0u) << "a second connection";
    connection = connect.connection;
    ++connects;
    client_hello.reset();
    transport.reset();
    noise = std::make_unique<NoiseServer>();
    decoder_ = FrameDecoder();
    header_done_ = false;
    sent.clear();
  }
  void Do(Close& close) {
    EXPECT_EQ(close.connection, connection);
    connection = 0;
  }
  void Do(SendBytes& send) {
    EXPECT_EQ(send.connection, connection);
    ByteView bytes = send.bytes;
    if (!header_done_) {
      header_done_ = true;
      first_bytes = send.bytes;
      if (bytes[0] == 0x45) bytes = bytes.subspan(7 + bytes[6]);  // short routing info in tests
      bytes = bytes.subspan(kConnectionHeader.size());
    }
    decoder_.Feed(bytes);
    for (;;) {
      const auto frame = decoder_.Next().value();
      if (!frame) return;
      if (transport) {
        sent.push_back(DecodeNode(transport->OpenFrame(*frame).value()).value());
      } else if (!client_hello) {
        client_hello = *frame;
      } else {
        auto client = noise->ReadFinish(*frame);
        noise_key = std::move(client.noise_key);
        client_payload = std::move(client.payload);
        transport.emplace(std::move(client.transport));
      }
    }
  }
  void Do(WaitUntil& until) { wait = until.time; }
  void Do(LoadRecords& load) { loads.push_back(std::move(load)); }
  void Do(Commit& commit) {
    EXPECT_LE(commit.changes.puts.size() + commit.changes.deletes.size(), 400u);
    all_commits.push_back(commit);
    if (commit_status.ok()) Apply(commit.changes);
    commits.push_back(std::move(commit));
  }
  void Do(Deliver& deliver) { events.push_back(std::move(deliver.event)); }

  void Apply(const RecordChanges& changes) {
    for (const RecordKind kind : changes.wipes) {
      std::erase_if(records, [kind](const auto& record) { return record.first.first == static_cast<int>(kind); });
    }
    for (const RecordName& name : changes.deletes) records.erase({static_cast<int>(name.kind), name.key});
    for (const Record& put : changes.puts) records[{static_cast<int>(put.name.kind), put.name.key}] = put.value;
  }

  FrameDecoder decoder_;
  bool header_done_ = false;
  bool committing_ = false;
};

}  // namespace medidesk::gateway::wa::testing
