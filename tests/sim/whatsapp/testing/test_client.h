// A client for the simulator's own tests: the initiator's half of the handshake, linking and stanzas, in memory. It
// does what it is told, right or wrong; nothing is checked but what a test asks for.
//
// Written for tests of the simulator only: the gateway's client is tested against the simulator, not against this.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "gateway/wa/frame_codec.h"
#include "gateway/wa/node.h"
#include "tests/sim/whatsapp/bytes.h"
#include "tests/sim/whatsapp/crypto.h"
#include "tests/sim/whatsapp/curve.h"
#include "tests/sim/whatsapp/phone.h"

namespace medidesk::whatsapp_sim::testing {

class TestClient {
 public:
  KeyPair noise = NewKeyPair();
  KeyPair identity = NewKeyPair();
  Key adv_secret = NewKeyPair().public_key;
  std::uint32_t version = 1'045'649'367;
  Bytes routing_info;  // sent when not empty

  // Each connection begins with it: header and ClientHello as one message.
  Bytes Hello();
  // Everything that the server wrote; whole frames are read off it.
  void Feed(View bytes) { frames_.Feed(bytes); }
  // ClientFinish for the ServerHello that was fed; nullopt when there is none or it does not open.
  std::optional<Bytes> FinishAsNew();
  std::optional<Bytes> FinishAsDevice(std::uint64_t username, std::uint32_t device, bool passive = true);
  // The certificate chain of that ServerHello.
  const Bytes& chain() const { return chain_; }
  const Key& server_key() const { return server_key_; }

  // The next stanza that was fed; nullopt when none is whole, or when a frame is broken (see broken()).
  std::optional<gateway::wa::Node> Next();
  bool broken() const { return broken_; }
  // A frame.
  Bytes Seal(const gateway::wa::Node& node);

  std::string Qr(std::string_view ref) const;
  // The answer to pair-success: the result with pair-device-sign; nullopt when the endorsement does not verify.
  std::optional<gateway::wa::Node> Sign(const gateway::wa::Node& pair_success) const;

 private:
  void MixHash(View bytes) { hash_ = Sha256({hash_, bytes}); }
  void MixKey(const Key& private_key, const Key& public_key);
  Bytes Encrypt(View plain);
  std::optional<Bytes> Decrypt(View sealed);
  std::optional<Bytes> Finish(View payload);

  KeyPair ephemeral_;
  Key hash_{}, chaining_key_{}, key_{}, server_key_{};
  std::uint8_t counter_ = 0;
  Bytes chain_;
  gateway::wa::FrameDecoder frames_;
  std::optional<GcmStream> to_server_, from_server_;
  bool broken_ = false;
};

}  // namespace medidesk::whatsapp_sim::testing
