// One connection to the simulated server, from its first byte to its end, without the socket: the connection header,
// the handshake, then stanzas. Linking is `Pairing`, what a linked device may ask is in World::router.
//
// Not thread-safe; calls come from the simulator's one thread. `world` and `link` outlive it.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "gateway/wa/frame_codec.h"
#include "gateway/wa/node.h"
#include "tests/sim/whatsapp/link.h"
#include "tests/sim/whatsapp/noise_responder.h"
#include "tests/sim/whatsapp/world.h"

namespace medidesk::whatsapp_sim {

class Pairing;

class Session {
 public:
  // `target`: the path of the WebSocket's request.
  Session(World& world, Link& link, std::string target);
  ~Session();
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  // From the connection.
  void OnMessage(View message);  // a binary WebSocket message
  void OnClosed();               // it ended; nothing may be written any more

  // For those who answer stanzas. After End or Close nothing is sent any more.
  void Send(const gateway::wa::Node& node);
  void Answer(const gateway::wa::Node& request);  // an empty result
  void Answer(const gateway::wa::Node& request, gateway::wa::Node child);
  void AnswerError(const gateway::wa::Node& request, int code, std::string_view text);
  // Sends it as the last one and closes a little later.
  void End(const gateway::wa::Node& last);
  // Writes the client's mistake to the log and closes.
  void Problem(std::string_view what);
  void Close(Link::How how, std::string_view why, int status = 1000);
  void Log(std::string event, std::string detail = {});

  // The faults ordered for this moment strike. True when the client is to hear nothing else of this step.
  bool Struck(Fault::At at, const gateway::wa::Node* iq = nullptr);
  // True as for Struck.
  bool Apply(const Fault& fault, const gateway::wa::Node* iq = nullptr);

  // Who the connection is, as far as it is known.
  void SetWho(std::string_view phone, int device) {
    phone_ = phone;
    device_number_ = device;
  }
  // Between passive and active; deliveries wait while passive.
  void BecomeActive();
  // The device was forgotten.
  void LoseDevice();

  std::string NextId();  // of a stanza of the server's own
  World& world() { return world_; }
  Link& link() { return link_; }
  std::uint64_t id() const { return id_; }
  Account* account() { return account_; }
  Device* device() { return device_; }
  Pairing* pairing() { return pairing_.get(); }
  const Key& noise_key() const { return noise_key_; }
  std::string_view phone() const { return phone_; }
  int device_number() const { return device_number_; }
  const std::string& target() const { return target_; }
  const std::string& version() const { return version_; }
  const Bytes& routing_info() const { return routing_info_; }
  AdvForgery adv_forgery() const { return adv_forgery_; }
  std::string_view state() const;
  std::uint64_t pongs() const { return pongs_; }
  std::uint64_t stanzas_in() const { return stanzas_in_; }
  bool open() const { return !closed_ && !ending_; }

 private:
  enum class State { kIntro, kHello, kFinish, kPairing, kLoggedIn };

  bool OnIntro();  // false: more bytes are needed
  void OnFrame(View frame);
  void OnClientHello(View frame);
  void OnClientFinish(View frame);
  void OnLogin(bool passive);
  void OnStanza(const gateway::wa::Node& stanza);
  void SendFrame(View payload);
  void SendBytes(View node_bytes);  // sealed into a frame
  void SendRaw(Bytes message);      // as it is
  void Refuse(std::int64_t code, const std::vector<gateway::wa::Attribute>& attributes);
  void PingLater();

  World& world_;
  Link& link_;
  const std::string target_;
  std::uint64_t id_ = 0;
  State state_ = State::kIntro;
  Bytes intro_;
  gateway::wa::FrameDecoder frames_;
  std::optional<NoiseResponder> noise_;
  std::optional<NoiseTransport> transport_;
  std::unique_ptr<Pairing> pairing_;
  Account* account_ = nullptr;
  Device* device_ = nullptr;
  Key noise_key_{};
  std::string phone_, version_, close_reason_ = "client";
  Bytes routing_info_;
  std::uint64_t last_id_ = 1000, pongs_ = 0, stanzas_in_ = 0;
  int device_number_ = 0;
  bool closed_ = false, ending_ = false, silent_ = false, no_pong_ = false, compress_ = false;
  std::size_t split_ = 0;
  ChainForgery chain_forgery_ = ChainForgery::kNone;
  AdvForgery adv_forgery_ = AdvForgery::kNone;
  std::string hello_how_;
};

}  // namespace medidesk::whatsapp_sim
