#include "gateway/wa/noise_symmetric_state.h"

#include <openssl/crypto.h>

#include <algorithm>
#include <cstdlib>
#include <tuple>

#include "base/status.h"
#include "gateway/wa/key_derivation.h"
#include "gateway/wa/noise_cipher.h"

namespace medidesk::gateway::wa {
namespace {

std::pair<Key32, Key32> TwoKeys(const Key32& chaining_key, ByteView secret) {
  Bytes both = HkdfSha256(secret, chaining_key, {}, 64);
  std::pair<Key32, Key32> keys;
  std::copy_n(both.begin(), 32, keys.first.begin());
  std::copy_n(both.begin() + 32, 32, keys.second.begin());
  OPENSSL_cleanse(both.data(), both.size());
  return keys;
}

}  // namespace

NoiseSymmetricState::NoiseSymmetricState(std::string_view protocol_name) {
  if (protocol_name.size() > hash_.size()) std::abort();
  std::copy(protocol_name.begin(), protocol_name.end(), hash_.begin());
  chaining_key_ = key_ = hash_;
}

NoiseSymmetricState::~NoiseSymmetricState() {
  OPENSSL_cleanse(chaining_key_.data(), chaining_key_.size());
  OPENSSL_cleanse(key_.data(), key_.size());
}

void NoiseSymmetricState::MixHash(ByteView data) { hash_ = Sha256(Join({hash_, data})); }

void NoiseSymmetricState::MixKey(const Key32& secret) {
  std::tie(chaining_key_, key_) = TwoKeys(chaining_key_, secret);
  counter_ = 0;
}

Bytes NoiseSymmetricState::EncryptAndHash(ByteView plaintext) {
  NoiseCipher cipher(key_, counter_);
  Bytes sealed;
  // A handshake has a handful of messages; the counter's end is out of reach.
  if (!cipher.Seal(plaintext, hash_, sealed).ok()) std::abort();
  counter_ = cipher.counter();
  MixHash(sealed);
  return sealed;
}

absl::StatusOr<Bytes> NoiseSymmetricState::DecryptAndHash(ByteView sealed) {
  NoiseCipher cipher(key_, counter_);
  MD_ASSIGN_OR_RETURN(Bytes plaintext, cipher.Open(sealed, hash_));
  counter_ = cipher.counter();
  MixHash(sealed);
  return plaintext;
}

std::pair<Key32, Key32> NoiseSymmetricState::Split() const { return TwoKeys(chaining_key_, {}); }

}  // namespace medidesk::gateway::wa
