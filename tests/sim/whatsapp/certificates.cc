#include "tests/sim/whatsapp/certificates.h"

#include <algorithm>
#include <string>

#include "tests/sim/whatsapp/crypto.h"
#include "tests/sim/whatsapp/wire.pb.h"

namespace medidesk::whatsapp_sim {
namespace {

constexpr std::int64_t kDay = 86'400, kHour = 3'600;  // seconds
constexpr std::uint32_t kIntermediateSerial = 5, kLeafSerial = 9;

constexpr std::array<std::string_view, 14> kNames = {"none",
                                                     "wrong_root",
                                                     "bad_intermediate_signature",
                                                     "bad_leaf_signature",
                                                     "short_signature",
                                                     "issuer_not_root",
                                                     "wrong_issuer_serial",
                                                     "wrong_leaf_key",
                                                     "expired_leaf",
                                                     "expired_intermediate",
                                                     "leaf_not_yet_valid",
                                                     "no_intermediate",
                                                     "no_leaf_details",
                                                     "garbage"};

struct Details {
  std::uint32_t serial, issuer_serial;
  Key key;
  std::int64_t not_before, not_after;
};

void Fill(NoiseCertificate& certificate, const Details& details, const Key& issuer) {
  CertDetails message;
  message.set_serial(details.serial);
  message.set_issuer_serial(details.issuer_serial);  // a 0 is written: Baileys takes an absent one for none
  message.set_key(details.key.data(), details.key.size());
  message.set_not_before(static_cast<std::uint64_t>(details.not_before));
  message.set_not_after(static_cast<std::uint64_t>(details.not_after));
  certificate.set_details(message.SerializeAsString());
  certificate.set_signature(std::string(TextOf(Sign(issuer, ViewOf(certificate.details())))));
}

void TurnABit(std::string& bytes) { bytes[7] = static_cast<char>(bytes[7] ^ 1); }

}  // namespace

std::optional<ChainForgery> ChainForgeryFrom(std::string_view name) {
  const auto* found = std::find(kNames.begin(), kNames.end(), name);
  if (found == kNames.end()) return std::nullopt;
  return static_cast<ChainForgery>(found - kNames.begin());
}

std::span<const std::string_view> ChainForgeryNames() { return kNames; }

CertificateAuthority::CertificateAuthority() = default;

Bytes CertificateAuthority::Chain(ChainForgery forgery, std::int64_t now) {
  if (forgery == ChainForgery::kNone && !kept_.empty() && now - kept_at_ < kHour && now >= kept_at_) return kept_;
  if (forgery == ChainForgery::kGarbage) return RandomBytes(200);

  Details intermediate{kIntermediateSerial, 0, intermediate_.public_key, now - kDay, now + kDay};
  Details leaf{kLeafSerial, kIntermediateSerial, server_.public_key, now - kDay, now + kDay};
  Key root = root_.private_key;
  switch (forgery) {
    case ChainForgery::kWrongRoot:
      root = NewKeyPair().private_key;
      break;
    case ChainForgery::kIssuerNotRoot:
      intermediate.issuer_serial = 3;
      break;
    case ChainForgery::kWrongIssuerSerial:
      leaf.issuer_serial = kIntermediateSerial + 1;
      break;
    case ChainForgery::kWrongLeafKey:
      leaf.key = NewKeyPair().public_key;
      break;
    case ChainForgery::kExpiredLeaf:
      leaf.not_after = now - kHour;
      break;
    case ChainForgery::kExpiredIntermediate:
      intermediate.not_after = now - kHour;
      break;
    case ChainForgery::kLeafNotYetValid:
      leaf.not_before = now + kHour;
      break;
    default:
      break;
  }
  CertChain chain;
  Fill(*chain.mutable_intermediate(), intermediate, root);
  Fill(*chain.mutable_leaf(), leaf, intermediate_.private_key);
  switch (forgery) {
    case ChainForgery::kBadIntermediateSignature:
      TurnABit(*chain.mutable_intermediate()->mutable_signature());
      break;
    case ChainForgery::kBadLeafSignature:
      TurnABit(*chain.mutable_leaf()->mutable_signature());
      break;
    case ChainForgery::kShortSignature:
      chain.mutable_leaf()->mutable_signature()->pop_back();
      break;
    case ChainForgery::kNoIntermediate:
      chain.clear_intermediate();
      break;
    case ChainForgery::kNoLeafDetails:
      chain.mutable_leaf()->clear_details();
      break;
    default:
      break;
  }
  const std::string text = chain.SerializeAsString();
  Bytes bytes(text.begin(), text.end());
  if (forgery == ChainForgery::kNone) {
    kept_ = bytes;
    kept_at_ = now;
  }
  return bytes;
}

}  // namespace medidesk::whatsapp_sim
