// A hostile server behind a good handshake: bytes and nodes into a session that links, and into one that logs in.
//
// The first byte chooses the session and whether the rest comes as raw frames, as plaintexts of frames, or as a script
// that also lets time pass and the store answer. Whatever comes, the session must not crash, store keys of a link that
// nobody vouched for, or ask for its timer without an end.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "gateway/wa/frame_codec.h"
#include "gateway/wa/node_codec.h"
#include "gateway/wa/session.h"
#include "gateway/wa/testing/noise_server.h"
#include "gateway/wa/testing/sample_device.h"

namespace wa = medidesk::gateway::wa;

namespace {

class Driver {
 public:
  explicit Driver(bool link) {
    wa::SessionOptions options;
    options.root_key = wa::testing::ChainSpec{}.root.public_key;
    static const wa::DeviceCredentials device = wa::testing::LinkedDevice();
    session_ = link ? wa::Session::Link(options, {}, wa::testing::ScriptedEntropy()).value()
                    : wa::Session::Login(options, device, {.next_pre_key_id = 5, .first_unuploaded_pre_key_id = 5},
                                         wa::testing::ScriptedEntropy())
                          .value();
    Run(session_->Start(now_));
  }

  void Feed(wa::ByteView bytes) { Run(session_->OnBytes(now_, connection_, bytes)); }
  void FeedPlaintext(wa::ByteView plaintext) {
    if (!transport_) return;
    wa::Bytes frame;
    if (transport_->SealFrame(plaintext, frame).ok()) Feed(frame);
  }
  void Say(const wa::Node& node) {
    if (const auto bytes = wa::EncodeNode(node); bytes.ok()) FeedPlaintext(*bytes);
  }
  void Pass(std::chrono::milliseconds time) {
    now_.steady += time;
    now_.wall += time;
    Run(session_->OnTime(now_));
  }
  // One node out of a few bytes: what is near to something that a session reads.
  void SayNear(std::uint8_t which, wa::ByteView rest) {
    const wa::Bytes content = wa::ToBytes(rest);
    const std::string text(wa::AsText(rest));
    const wa::Jid server = wa::Jid::Server();
    const auto child = [&](const char* tag) { return wa::Nodes{{tag, {{"type", text}, {"value", text}}, content}}; };
    switch (which % 12) {
      case 0:
        return Say({"success", {{"t", text}, {"lid", text}}, {}});
      case 1:
        return Say(
            {"iq", {{"from", server}, {"type", "set"}, {"id", text}}, wa::Nodes{{"pair-device", {}, child("ref")}}});
      case 2:
        return Say({"iq",
                    {{"from", server}, {"type", "set"}, {"id", "1"}},
                    wa::Nodes{{"pair-success",
                               {},
                               wa::Nodes{{"device-identity", {}, content},
                                         {"device", {{"jid", "15550001111:7@s.whatsapp.net"}}, {}}}}}});
      case 3:
        return Say({"iq", {{"from", server}, {"type", "result"}, {"id", last_id_}}, child("count")});
      case 4:
        return Say({"iq",
                    {{"from", server}, {"type", "error"}, {"id", last_id_}},
                    wa::Nodes{{"error", {{"code", text}}, {}}}});
      case 5:
        return Say({"notification",
                    {{"from", server}, {"type", "passkey_prologue_request"}, {"id", "2"}},
                    child("passkey_request_options")});
      case 6:
        return Say({"notification",
                    {{"from", server}, {"type", "crsc_continuation"}, {"id", "3"}},
                    child("primary_ephemeral_identity")});
      case 7:
        return Say({"ib", {{"from", server}}, child("dirty")});
      case 8:
        return Say({"ib", {}, wa::Nodes{{"edge_routing", {}, child("routing_info")}}});
      case 9:
        return Say({"notification", {{"from", server}, {"type", "encrypt"}, {"id", text}}, child("count")});
      case 10:
        return Say({"message", {{"from", text}, {"id", text}, {"participant", text}}, child("enc")});
      default:
        return Say({"stream:error", {{"code", text}}, child("conflict")});
    }
  }
  bool stored_link() const { return stored_link_; }

 private:
  void Run(wa::Actions actions) {
    std::vector<std::uint64_t> commits;
    std::vector<std::uint64_t> loads;
    for (wa::Action& action : actions) {
      if (const auto* connect = std::get_if<wa::Connect>(&action)) {
        connection_ = connect->connection;
        transport_.reset();
        pending_connect_ = true;
      } else if (const auto* send = std::get_if<wa::SendBytes>(&action)) {
        OnSent(send->bytes);
      } else if (const auto* commit = std::get_if<wa::Commit>(&action)) {
        stored_link_ |= commit->linked.has_value();
        commits.push_back(commit->commit);
      } else if (const auto* load = std::get_if<wa::LoadRecords>(&action)) {
        loads.push_back(load->request);
      }
    }
    for (const auto commit : commits) Run(session_->OnCommitted(now_, commit, absl::OkStatus()));
    for (const auto load : loads) Run(session_->OnLoaded(now_, load, std::vector<wa::Record>{}));
    if (std::exchange(pending_connect_, false) && ++connects_ < 8) Run(session_->OnConnected(now_, connection_));
  }
  void OnSent(const wa::Bytes& bytes) {
    if (transport_) {
      const auto opened = transport_->OpenFrame(wa::ByteView(bytes).subspan(wa::kFrameHeaderSize));
      if (const auto node = wa::DecodeNode(opened.value()); node.ok()) last_id_ = node->Attr("id");
      return;
    }
    if (bytes[0] == 'W' || bytes[0] == 'E') {
      server_.emplace();
      // Behind the connection header; routing info of any length may stand before it.
      wa::ByteView rest = bytes;
      if (bytes[0] == 'E') rest = rest.subspan(7 + (rest[4] << 16 | rest[5] << 8 | rest[6]));
      const wa::Bytes hello =
          server_->Answer(rest.subspan(wa::kConnectionHeader.size() + wa::kFrameHeaderSize), Chain());
      wa::Bytes frame;
      if (!wa::AppendFrame(hello, frame).ok()) __builtin_trap();
      now_.steady += std::chrono::milliseconds(1);
      hello_ = std::move(frame);
      return;
    }
    transport_.emplace(std::move(server_->ReadFinish(wa::ByteView(bytes).subspan(wa::kFrameHeaderSize)).transport));
  }
  static wa::ByteView Chain() {
    static const std::string chain = wa::testing::MakeChain({}).SerializeAsString();
    return wa::AsBytes(chain);
  }

 public:
  // The server's hello, when the session waits for it.
  void Shake() {
    if (const auto hello = std::exchange(hello_, {}); !hello.empty()) Feed(hello);
  }

 private:
  std::unique_ptr<wa::Session> session_;
  wa::Moment now_{.steady = wa::Time(std::chrono::hours(1)), .wall = wa::WallTime(std::chrono::seconds(3000))};
  std::uint64_t connection_ = 0;
  bool pending_connect_ = false;
  int connects_ = 0;
  bool stored_link_ = false;
  std::optional<wa::testing::NoiseServer> server_;
  std::optional<wa::NoiseTransport> transport_;
  wa::Bytes hello_;
  std::string last_id_ = "0";
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::uint8_t mode = data[0];
  wa::ByteView rest(data + 1, size - 1);
  Driver driver((mode & 1) != 0);
  driver.Shake();
  if ((mode & 6) == 0) {
    driver.Feed(rest);
  } else if ((mode & 6) == 2) {
    if ((mode & 8) != 0) driver.SayNear(0, wa::AsBytes("3600"));
    driver.FeedPlaintext(rest);
  } else {
    for (int i = 0; i < 64 && rest.size() >= 2; ++i) {
      driver.Shake();
      const std::uint8_t what = rest[0];
      const std::size_t length = std::min<std::size_t>(rest[1], rest.size() - 2);
      const wa::ByteView argument = rest.subspan(2, length);
      rest = rest.subspan(2 + length);
      if (what >= 240) {
        driver.Pass(std::chrono::seconds(what - 239));
      } else if (what >= 200) {
        driver.FeedPlaintext(argument);
      } else {
        driver.SayNear(what, argument);
      }
    }
  }
  if (driver.stored_link()) __builtin_trap();  // no fuzzer can sign for an account
  return 0;
}
