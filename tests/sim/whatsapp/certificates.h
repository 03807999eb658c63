// The simulator's own certificate authority: root, intermediate and the server's static key, and the chain that a
// handshake carries. Chains can be forged in the ways a client must see through.
#pragma once

#include <optional>
#include <span>
#include <string_view>

#include "tests/sim/whatsapp/bytes.h"
#include "tests/sim/whatsapp/curve.h"

namespace medidesk::whatsapp_sim {

enum class ChainForgery {
  kNone,
  kWrongRoot,                 // the whole chain under another root
  kBadIntermediateSignature,  // one bit of it turned
  kBadLeafSignature,
  kShortSignature,     // of the leaf: 63 bytes
  kIssuerNotRoot,      // the intermediate names another issuer than the root, 0
  kWrongIssuerSerial,  // the leaf names another issuer than the intermediate
  kWrongLeafKey,       // a leaf for another static key than the handshake's
  kExpiredLeaf,
  kExpiredIntermediate,
  kLeafNotYetValid,
  kNoIntermediate,
  kNoLeafDetails,
  kGarbage,  // no protobuf at all
};

// Names as in the enum, in snake case without the k: "wrong_root".
std::optional<ChainForgery> ChainForgeryFrom(std::string_view name);
std::span<const std::string_view> ChainForgeryNames();

class CertificateAuthority {
 public:
  // Fresh keys.
  CertificateAuthority();

  const Key& root_key() const { return root_.public_key; }
  const KeyPair& server_key() const { return server_; }

  // The serialized chain, valid for a day around `now` (Unix seconds). Chains that are not forged are kept and
  // handed out again for an hour: signing is the slow part of a handshake.
  Bytes Chain(ChainForgery forgery, std::int64_t now);

 private:
  KeyPair root_ = NewKeyPair();
  KeyPair intermediate_ = NewKeyPair();
  KeyPair server_ = NewKeyPair();
  Bytes kept_;
  std::int64_t kept_at_ = 0;
};

}  // namespace medidesk::whatsapp_sim
