// Hashes, key derivation and ciphers of the protocol, through OpenSSL. Thread-safe but for GcmStream.
// A failure of OpenSSL itself ends the process.
#pragma once

#include <cstddef>
#include <initializer_list>
#include <memory>
#include <optional>

#include "tests/sim/whatsapp/bytes.h"

namespace medidesk::whatsapp_sim {

void RandomFill(std::span<std::uint8_t> bytes);
Bytes RandomBytes(std::size_t size);

Key Sha256(std::initializer_list<View> parts);
Bytes Sha1(std::initializer_list<View> parts);
Key HmacSha256(View key, View message);
bool SameBytes(View a, View b);  // in constant time

// HKDF-SHA256 (RFC 5869); an empty salt is 32 zero bytes.
Bytes Hkdf(View input, View salt, std::string_view info, std::size_t size);
// PBKDF2-HMAC-SHA256.
Key Pbkdf2(std::string_view password, View salt, int iterations);

constexpr std::size_t kGcmTag = 16;  // bytes, behind the ciphertext
Bytes GcmSeal(const Key& key, View iv, View aad, View plain);
// nullopt when it does not authenticate.
std::optional<Bytes> GcmOpen(const Key& key, View iv, View aad, View sealed);

Bytes AesCtr(const Key& key, View iv, View bytes);

// One direction of a Noise transport: AES-256-GCM with 8 zero bytes and a counter as IV, no AAD.
class GcmStream {
 public:
  explicit GcmStream(const Key& key);
  ~GcmStream();
  GcmStream(GcmStream&&) noexcept;
  GcmStream& operator=(GcmStream&&) noexcept;

  // Appends ciphertext and tag.
  void Seal(View plain, Bytes& out);
  std::optional<Bytes> Open(View sealed);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace medidesk::whatsapp_sim
