#include "tests/sim/whatsapp/crypto.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>

#include <algorithm>
#include <cstdlib>
#include <utility>

namespace medidesk::whatsapp_sim {
namespace {

void Check(bool worked) {
  if (!worked) std::abort();
}

struct FreeCipher {
  void operator()(EVP_CIPHER_CTX* context) const { EVP_CIPHER_CTX_free(context); }
};
using Cipher = std::unique_ptr<EVP_CIPHER_CTX, FreeCipher>;

Cipher NewCipher() {
  Cipher cipher(EVP_CIPHER_CTX_new());
  Check(cipher != nullptr);
  return cipher;
}

Bytes Digest(const EVP_MD* kind, std::initializer_list<View> parts) {
  const std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context(EVP_MD_CTX_new(), &EVP_MD_CTX_free);
  Check(context != nullptr && EVP_DigestInit_ex(context.get(), kind, nullptr) == 1);
  for (const View part : parts) Check(EVP_DigestUpdate(context.get(), part.data(), part.size()) == 1);
  Bytes digest(EVP_MAX_MD_SIZE);
  unsigned size = 0;
  Check(EVP_DigestFinal_ex(context.get(), digest.data(), &size) == 1);
  digest.resize(size);
  return digest;
}

// Appends ciphertext and tag to `out`; the cipher has its key and IV.
void SealWith(EVP_CIPHER_CTX* cipher, View aad, View plain, Bytes& out) {
  const std::size_t start = out.size();
  out.resize(start + plain.size() + kGcmTag);
  int size = 0;
  if (!aad.empty()) Check(EVP_EncryptUpdate(cipher, nullptr, &size, aad.data(), static_cast<int>(aad.size())) == 1);
  if (!plain.empty()) {
    Check(EVP_EncryptUpdate(cipher, out.data() + start, &size, plain.data(), static_cast<int>(plain.size())) == 1);
  }
  Check(EVP_EncryptFinal_ex(cipher, out.data() + start + plain.size(), &size) == 1);
  Check(EVP_CIPHER_CTX_ctrl(cipher, EVP_CTRL_GCM_GET_TAG, kGcmTag, out.data() + start + plain.size()) == 1);
}

std::optional<Bytes> OpenWith(EVP_CIPHER_CTX* cipher, View aad, View sealed) {
  if (sealed.size() < kGcmTag) return std::nullopt;
  Bytes plain(sealed.size() - kGcmTag);
  Bytes tag(sealed.end() - kGcmTag, sealed.end());
  int size = 0;
  if (!aad.empty()) Check(EVP_DecryptUpdate(cipher, nullptr, &size, aad.data(), static_cast<int>(aad.size())) == 1);
  if (!plain.empty()) {
    Check(EVP_DecryptUpdate(cipher, plain.data(), &size, sealed.data(), static_cast<int>(plain.size())) == 1);
  }
  Check(EVP_CIPHER_CTX_ctrl(cipher, EVP_CTRL_GCM_SET_TAG, kGcmTag, tag.data()) == 1);
  std::uint8_t none = 0;
  if (EVP_DecryptFinal_ex(cipher, &none, &size) != 1) return std::nullopt;
  return plain;
}

}  // namespace

void RandomFill(std::span<std::uint8_t> bytes) { Check(RAND_bytes(bytes.data(), static_cast<int>(bytes.size())) == 1); }

Bytes RandomBytes(std::size_t size) {
  Bytes bytes(size);
  RandomFill(bytes);
  return bytes;
}

Key Sha256(std::initializer_list<View> parts) { return *KeyFrom(Digest(EVP_sha256(), parts)); }
Bytes Sha1(std::initializer_list<View> parts) { return Digest(EVP_sha1(), parts); }

Key HmacSha256(View key, View message) {
  Key mac{};
  unsigned size = 0;
  Check(HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()), message.data(), message.size(), mac.data(),
             &size) != nullptr);
  return mac;
}

bool SameBytes(View a, View b) { return a.size() == b.size() && CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0; }

Bytes Hkdf(View input, View salt, std::string_view info, std::size_t size) {
  const Key no_salt{};
  const Key secret = HmacSha256(salt.empty() ? View(no_salt) : salt, input);
  Bytes out, block;
  for (std::uint8_t counter = 1; out.size() < size; ++counter) {
    const std::uint8_t last[] = {counter};
    const Key next = HmacSha256(secret, Join({block, ViewOf(info), last}));
    block.assign(next.begin(), next.end());
    out.insert(out.end(), block.begin(), block.end());
  }
  out.resize(size);
  return out;
}

Key Pbkdf2(std::string_view password, View salt, int iterations) {
  Key key{};
  Check(PKCS5_PBKDF2_HMAC(password.data(), static_cast<int>(password.size()), salt.data(),
                          static_cast<int>(salt.size()), iterations, EVP_sha256(), static_cast<int>(key.size()),
                          key.data()) == 1);
  return key;
}

Bytes GcmSeal(const Key& key, View iv, View aad, View plain) {
  Check(iv.size() == 12);
  const Cipher cipher = NewCipher();
  Check(EVP_EncryptInit_ex(cipher.get(), EVP_aes_256_gcm(), nullptr, key.data(), iv.data()) == 1);
  Bytes out;
  SealWith(cipher.get(), aad, plain, out);
  return out;
}

std::optional<Bytes> GcmOpen(const Key& key, View iv, View aad, View sealed) {
  if (iv.size() != 12) return std::nullopt;
  const Cipher cipher = NewCipher();
  Check(EVP_DecryptInit_ex(cipher.get(), EVP_aes_256_gcm(), nullptr, key.data(), iv.data()) == 1);
  return OpenWith(cipher.get(), aad, sealed);
}

Bytes AesCtr(const Key& key, View iv, View bytes) {
  Check(iv.size() == 16);
  const Cipher cipher = NewCipher();
  Check(EVP_EncryptInit_ex(cipher.get(), EVP_aes_256_ctr(), nullptr, key.data(), iv.data()) == 1);
  Bytes out(bytes.size());
  int size = 0;
  Check(EVP_EncryptUpdate(cipher.get(), out.data(), &size, bytes.data(), static_cast<int>(bytes.size())) == 1);
  return out;
}

struct GcmStream::State {
  Key key;
  Cipher cipher = NewCipher();
  std::uint32_t counter = 0;
  bool keyed = false;

  std::array<std::uint8_t, 12> NextIv() {
    std::array<std::uint8_t, 12> iv{};
    for (int i = 0; i < 4; ++i) iv[static_cast<std::size_t>(11 - i)] = static_cast<std::uint8_t>(counter >> (8 * i));
    ++counter;
    return iv;
  }
};

GcmStream::GcmStream(const Key& key) : state_(std::make_unique<State>()) { state_->key = key; }
GcmStream::~GcmStream() = default;
GcmStream::GcmStream(GcmStream&&) noexcept = default;
GcmStream& GcmStream::operator=(GcmStream&&) noexcept = default;

// The key schedule is made once; after that only the IV changes.
void GcmStream::Seal(View plain, Bytes& out) {
  const auto iv = state_->NextIv();
  const bool first = !std::exchange(state_->keyed, true);
  Check(EVP_EncryptInit_ex(state_->cipher.get(), first ? EVP_aes_256_gcm() : nullptr, nullptr,
                           first ? state_->key.data() : nullptr, iv.data()) == 1);
  SealWith(state_->cipher.get(), {}, plain, out);
}

std::optional<Bytes> GcmStream::Open(View sealed) {
  const auto iv = state_->NextIv();
  const bool first = !std::exchange(state_->keyed, true);
  Check(EVP_DecryptInit_ex(state_->cipher.get(), first ? EVP_aes_256_gcm() : nullptr, nullptr,
                           first ? state_->key.data() : nullptr, iv.data()) == 1);
  return OpenWith(state_->cipher.get(), {}, sealed);
}

}  // namespace medidesk::whatsapp_sim
