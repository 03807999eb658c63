#include "tests/sim/whatsapp/curve.h"

#include <signal/curve.h>
#include <signal/signal_protocol.h>

#include <algorithm>
#include <cstdlib>
#include <memory>

#include "tests/sim/whatsapp/crypto.h"

namespace medidesk::whatsapp_sim {
namespace {

struct Unref {
  template <typename T>
  void operator()(T* object) const {
    signal_type_unref(reinterpret_cast<signal_type_base*>(object));
  }
};
using PublicKey = std::unique_ptr<ec_public_key, Unref>;
using PrivateKey = std::unique_ptr<ec_private_key, Unref>;

struct FreeBuffer {
  void operator()(signal_buffer* buffer) const { signal_buffer_free(buffer); }
};
using Buffer = std::unique_ptr<signal_buffer, FreeBuffer>;

// Only memory or a broken build can make these calls fail on keys of the right size.
void Check(int result) {
  if (result < 0) std::abort();
}

// Keys and signatures want random bytes alone, but the library takes no provider with gaps: the rest fails.
signal_crypto_provider RandomnessAlone() {
  signal_crypto_provider provider{};
  provider.random_func = [](std::uint8_t* data, std::size_t size, void*) {
    RandomFill({data, size});
    return 0;
  };
  provider.hmac_sha256_init_func = [](void**, const std::uint8_t*, std::size_t, void*) { return -1; };
  provider.hmac_sha256_update_func = [](void*, const std::uint8_t*, std::size_t, void*) { return -1; };
  provider.hmac_sha256_final_func = [](void*, signal_buffer**, void*) { return -1; };
  provider.hmac_sha256_cleanup_func = [](void*, void*) {};
  provider.sha512_digest_init_func = [](void**, void*) { return -1; };
  provider.sha512_digest_update_func = [](void*, const std::uint8_t*, std::size_t, void*) { return -1; };
  provider.sha512_digest_final_func = [](void*, signal_buffer**, void*) { return -1; };
  provider.sha512_digest_cleanup_func = [](void*, void*) {};
  provider.encrypt_func = [](signal_buffer**, int, const std::uint8_t*, std::size_t, const std::uint8_t*, std::size_t,
                             const std::uint8_t*, std::size_t, void*) { return -1; };
  provider.decrypt_func = provider.encrypt_func;
  return provider;
}

signal_context* Context() {
  static signal_context* const context = [] {
    signal_context* created = nullptr;
    Check(signal_context_create(&created, nullptr));
    const signal_crypto_provider provider = RandomnessAlone();
    Check(signal_context_set_crypto_provider(created, &provider));
    return created;
  }();
  return context;
}

PrivateKey Private(Key key) {
  key[0] &= 248;
  key[31] = static_cast<std::uint8_t>((key[31] & 127) | 64);
  ec_private_key* decoded = nullptr;
  Check(curve_decode_private_point(&decoded, key.data(), key.size(), Context()));
  return PrivateKey(decoded);
}

PublicKey Public(const Key& key) {
  std::array<std::uint8_t, 33> typed{5};
  std::copy(key.begin(), key.end(), typed.begin() + 1);
  ec_public_key* decoded = nullptr;
  Check(curve_decode_point(&decoded, typed.data(), typed.size(), Context()));
  return PublicKey(decoded);
}

}  // namespace

KeyPair NewKeyPair() {
  Key private_key;
  RandomFill(private_key);
  return KeyPairOf(private_key);
}

KeyPair KeyPairOf(const Key& private_key) {
  const PrivateKey secret = Private(private_key);
  ec_public_key* made = nullptr;
  Check(curve_generate_public_key(&made, secret.get()));
  const PublicKey point(made);
  signal_buffer* serialized = nullptr;
  Check(ec_public_key_serialize(&serialized, point.get()));
  const Buffer buffer(serialized);
  KeyPair pair{.private_key = private_key};
  std::copy_n(signal_buffer_data(buffer.get()) + 1, pair.public_key.size(), pair.public_key.begin());
  return pair;
}

absl::StatusOr<Key> Agree(const Key& private_key, const Key& public_key) {
  const PrivateKey secret = Private(private_key);
  const PublicKey point = Public(public_key);
  std::uint8_t* shared = nullptr;
  const int size = curve_calculate_agreement(&shared, point.get(), secret.get());
  Key key{};
  if (size != static_cast<int>(key.size())) std::abort();
  std::copy_n(shared, key.size(), key.begin());
  std::free(shared);
  if (key == Key{}) return Error(absl::StatusCode::kInvalidArgument, "the public key gives an all-zero secret");
  return key;
}

Bytes Sign(const Key& private_key, View message) {
  const PrivateKey secret = Private(private_key);
  signal_buffer* signature = nullptr;
  Check(curve_calculate_signature(Context(), &signature, secret.get(), message.data(), message.size()));
  const Buffer buffer(signature);
  const std::uint8_t* data = signal_buffer_data(buffer.get());
  return Bytes(data, data + signal_buffer_len(buffer.get()));
}

bool Verify(const Key& public_key, View message, View signature) {
  const PublicKey point = Public(public_key);
  return signature.size() == 64 &&
         curve_verify_signature(point.get(), message.data(), message.size(), signature.data(), signature.size()) == 1;
}

}  // namespace medidesk::whatsapp_sim
