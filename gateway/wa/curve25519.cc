#include "gateway/wa/curve25519.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <signal/curve.h>
#include <signal/signal_protocol.h>

#include <algorithm>
#include <cstdlib>
#include <memory>

#include "base/status.h"

namespace medidesk::gateway::wa {
namespace {

using Pkey = std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)>;
using PkeyContext = std::unique_ptr<EVP_PKEY_CTX, decltype(&EVP_PKEY_CTX_free)>;

// What can only fail without memory or with a broken libcrypto.
void Require(bool condition) {
  if (!condition) std::abort();
}

Pkey PrivateKey(const Key32& key) {
  Pkey pkey(EVP_PKEY_new_raw_private_key(EVP_PKEY_X25519, nullptr, key.data(), key.size()), EVP_PKEY_free);
  Require(pkey != nullptr);
  return pkey;
}

template <class T>
struct Unref {
  void operator()(T* object) const { signal_type_unref(reinterpret_cast<signal_type_base*>(object)); }
};
using PublicPoint = std::unique_ptr<ec_public_key, Unref<ec_public_key>>;
using PrivatePoint = std::unique_ptr<ec_private_key, Unref<ec_private_key>>;

int FillRandom(std::uint8_t* data, std::size_t size, void* user_data) {
  (*static_cast<const Entropy*>(user_data))({data, size});
  return 0;
}

// A provider must be complete; signing asks for nothing but randomness.
signal_crypto_provider ProviderOf(const Entropy& entropy) {
  signal_crypto_provider provider{};
  provider.user_data = const_cast<Entropy*>(&entropy);
  provider.random_func = FillRandom;
  provider.hmac_sha256_init_func = [](void**, const std::uint8_t*, std::size_t, void*) { return SG_ERR_UNKNOWN; };
  provider.hmac_sha256_update_func = [](void*, const std::uint8_t*, std::size_t, void*) { return SG_ERR_UNKNOWN; };
  provider.hmac_sha256_final_func = [](void*, signal_buffer**, void*) { return SG_ERR_UNKNOWN; };
  provider.hmac_sha256_cleanup_func = [](void*, void*) {};
  provider.sha512_digest_init_func = [](void**, void*) { return SG_ERR_UNKNOWN; };
  provider.sha512_digest_update_func = [](void*, const std::uint8_t*, std::size_t, void*) { return SG_ERR_UNKNOWN; };
  provider.sha512_digest_final_func = [](void*, signal_buffer**, void*) { return SG_ERR_UNKNOWN; };
  provider.sha512_digest_cleanup_func = [](void*, void*) {};
  provider.encrypt_func = [](signal_buffer**, int, const std::uint8_t*, std::size_t, const std::uint8_t*, std::size_t,
                             const std::uint8_t*, std::size_t, void*) { return SG_ERR_UNKNOWN; };
  provider.decrypt_func = provider.encrypt_func;
  return provider;
}

// Whether a little-endian number is below another; neither is secret.
bool Below(ByteView number, ByteView bound) {
  return std::lexicographical_compare(number.rbegin(), number.rend(), bound.rbegin(), bound.rend());
}

// The order of the group, 2^252 + 27742317777372353535851937790883648493.
constexpr Key32 kOrder = {0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7,
                          0xa2, 0xde, 0xf9, 0xde, 0x14, 0,    0,    0,    0,    0,    0,
                          0,    0,    0,    0,    0,    0,    0,    0,    0,    0x10};

// p - 1 = 2^255 - 20: the one public key that is no point of the Edwards curve.
constexpr Key32 kNoPoint = {0xec, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
                            0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
                            0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f};

}  // namespace

KeyPair KeyPair::Of(const Key32& private_key) {
  KeyPair pair{.private_key = private_key};
  // OpenSSL clamps on its own; the signature code does not.
  pair.private_key[0] &= 248;
  pair.private_key[31] &= 127;
  pair.private_key[31] |= 64;
  std::size_t size = pair.public_key.size();
  Require(EVP_PKEY_get_raw_public_key(PrivateKey(pair.private_key).get(), pair.public_key.data(), &size) == 1);
  return pair;
}

absl::StatusOr<Key32> Agree(const Key32& private_key, const Key32& public_key) {
  const Pkey mine = PrivateKey(private_key);
  const Pkey theirs(EVP_PKEY_new_raw_public_key(EVP_PKEY_X25519, nullptr, public_key.data(), public_key.size()),
                    EVP_PKEY_free);
  const PkeyContext context(EVP_PKEY_CTX_new(mine.get(), nullptr), EVP_PKEY_CTX_free);
  Require(theirs != nullptr && context != nullptr && EVP_PKEY_derive_init(context.get()) == 1);
  Key32 secret{};
  std::size_t size = secret.size();
  // OpenSSL refuses a secret of all zeros by itself.
  if (EVP_PKEY_derive_set_peer(context.get(), theirs.get()) != 1 ||
      EVP_PKEY_derive(context.get(), secret.data(), &size) != 1 || size != secret.size()) {
    return Error(absl::StatusCode::kInvalidArgument, "the peer's public key is on no secret: refused");
  }
  return secret;
}

Signature Sign(const Key32& private_key, ByteView message, const Entropy& entropy) {
  signal_context* raw_context = nullptr;
  Require(signal_context_create(&raw_context, nullptr) == 0);
  const std::unique_ptr<signal_context, decltype(&signal_context_destroy)> context(raw_context, signal_context_destroy);
  const signal_crypto_provider provider = ProviderOf(entropy);
  Require(signal_context_set_crypto_provider(context.get(), &provider) == 0);

  const Key32 clamped = KeyPair::Of(private_key).private_key;
  ec_private_key* raw_key = nullptr;
  Require(curve_decode_private_point(&raw_key, clamped.data(), clamped.size(), context.get()) == 0);
  const PrivatePoint key(raw_key);
  signal_buffer* raw_signature = nullptr;
  Require(curve_calculate_signature(context.get(), &raw_signature, key.get(), message.data(), message.size()) == 0);
  const std::unique_ptr<signal_buffer, decltype(&signal_buffer_free)> buffer(raw_signature, signal_buffer_free);
  Signature signature{};
  Require(signal_buffer_len(buffer.get()) == signature.size());
  std::copy_n(signal_buffer_data(buffer.get()), signature.size(), signature.begin());
  return signature;
}

bool Verify(ByteView public_key, ByteView message, ByteView signature) {
  if (public_key.size() != 32 || signature.size() != 64) return false;
  // libsignal lets these two pass: a second signature could be made from a first, and a key that is none would count.
  Key32 scalar;
  std::copy_n(signature.begin() + 32, scalar.size(), scalar.begin());
  scalar[31] &= 0x7f;  // the top bit is the sign of the key
  if (!Below(scalar, kOrder)) return false;
  Key32 point;
  std::copy_n(public_key.begin(), point.size(), point.begin());
  point[31] &= 0x7f;
  if (point == kNoPoint) return false;

  std::array<std::uint8_t, 33> serialized{5};
  std::copy(public_key.begin(), public_key.end(), serialized.begin() + 1);
  ec_public_key* raw_key = nullptr;
  if (curve_decode_point(&raw_key, serialized.data(), serialized.size(), nullptr) != 0) return false;
  const PublicPoint key(raw_key);
  return curve_verify_signature(key.get(), message.data(), message.size(), signature.data(), signature.size()) == 1;
}

absl::StatusOr<Key32> ToKey(ByteView bytes) {
  Key32 key{};
  if (bytes.size() != key.size()) {
    return Error(absl::StatusCode::kInvalidArgument, "a key must have 32 bytes");
  }
  std::copy(bytes.begin(), bytes.end(), key.begin());
  return key;
}

}  // namespace medidesk::gateway::wa
