#include "gateway/wa/signal/signal_crypto.h"

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/params.h>

#include <array>
#include <cstdint>
#include <memory>

namespace medidesk::gateway::wa {
namespace {

using MacContext = std::unique_ptr<EVP_MAC_CTX, decltype(&EVP_MAC_CTX_free)>;
using CipherContext = std::unique_ptr<EVP_CIPHER_CTX, decltype(&EVP_CIPHER_CTX_free)>;

constexpr std::size_t kBlock = 16;
constexpr std::size_t kMaxText = 64u << 20;  // bytes; far below where OpenSSL's int lengths end

int Random(std::uint8_t* data, std::size_t size, void* user_data) {
  (*static_cast<const Entropy*>(user_data))({data, size});
  return SG_SUCCESS;
}

int HmacInit(void** context, const std::uint8_t* key, std::size_t size, void*) {
  // Fetched once: a look-up for every MAC costs more than the MAC.
  static EVP_MAC* const mac = EVP_MAC_fetch(nullptr, "HMAC", nullptr);
  if (mac == nullptr) return SG_ERR_UNKNOWN;
  MacContext made(EVP_MAC_CTX_new(mac), EVP_MAC_CTX_free);
  char digest[] = "SHA256";
  const OSSL_PARAM parameters[] = {OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
                                   OSSL_PARAM_construct_end()};
  if (made == nullptr || EVP_MAC_init(made.get(), key, size, parameters) != 1) return SG_ERR_UNKNOWN;
  *context = made.release();
  return SG_SUCCESS;
}

int HmacUpdate(void* context, const std::uint8_t* data, std::size_t size, void*) {
  return EVP_MAC_update(static_cast<EVP_MAC_CTX*>(context), data, size) == 1 ? SG_SUCCESS : SG_ERR_UNKNOWN;
}

int HmacFinal(void* context, signal_buffer** output, void*) {
  std::array<std::uint8_t, 32> digest;
  std::size_t size = 0;
  if (EVP_MAC_final(static_cast<EVP_MAC_CTX*>(context), digest.data(), &size, digest.size()) != 1) {
    return SG_ERR_UNKNOWN;
  }
  *output = signal_buffer_create(digest.data(), size);
  return *output == nullptr ? SG_ERR_NOMEM : SG_SUCCESS;
}

void HmacCleanup(void* context, void*) { EVP_MAC_CTX_free(static_cast<EVP_MAC_CTX*>(context)); }

int DigestInit(void** context, void*) {
  EVP_MD_CTX* made = EVP_MD_CTX_new();
  if (made == nullptr || EVP_DigestInit_ex(made, EVP_sha512(), nullptr) != 1) {
    EVP_MD_CTX_free(made);
    return SG_ERR_UNKNOWN;
  }
  *context = made;
  return SG_SUCCESS;
}

int DigestUpdate(void* context, const std::uint8_t* data, std::size_t size, void*) {
  return EVP_DigestUpdate(static_cast<EVP_MD_CTX*>(context), data, size) == 1 ? SG_SUCCESS : SG_ERR_UNKNOWN;
}

// The context is used again afterwards.
int DigestFinal(void* context, signal_buffer** output, void*) {
  auto* const digest = static_cast<EVP_MD_CTX*>(context);
  std::array<std::uint8_t, EVP_MAX_MD_SIZE> bytes;
  unsigned size = 0;
  if (EVP_DigestFinal_ex(digest, bytes.data(), &size) != 1 || EVP_DigestInit_ex(digest, EVP_sha512(), nullptr) != 1) {
    return SG_ERR_UNKNOWN;
  }
  *output = signal_buffer_create(bytes.data(), size);
  return *output == nullptr ? SG_ERR_NOMEM : SG_SUCCESS;
}

void DigestCleanup(void* context, void*) { EVP_MD_CTX_free(static_cast<EVP_MD_CTX*>(context)); }

// AES-256-CBC with padding; counter mode is of session version 2, which WhatsApp never spoke.
int Crypt(bool encrypt, signal_buffer** output, int cipher, const std::uint8_t* key, std::size_t key_size,
          const std::uint8_t* iv, std::size_t iv_size, const std::uint8_t* text, std::size_t text_size) {
  if (cipher != SG_CIPHER_AES_CBC_PKCS5 || key_size != 32 || iv_size != kBlock || text_size > kMaxText) {
    return SG_ERR_INVAL;
  }
  const CipherContext context(EVP_CIPHER_CTX_new(), EVP_CIPHER_CTX_free);
  if (context == nullptr ||
      EVP_CipherInit_ex(context.get(), EVP_aes_256_cbc(), nullptr, key, iv, encrypt ? 1 : 0) != 1) {
    return SG_ERR_UNKNOWN;
  }
  signal_buffer* const buffer = signal_buffer_alloc(text_size + kBlock);
  if (buffer == nullptr) return SG_ERR_NOMEM;
  int size = 0, rest = 0;
  if (EVP_CipherUpdate(context.get(), signal_buffer_data(buffer), &size, text, static_cast<int>(text_size)) != 1 ||
      EVP_CipherFinal_ex(context.get(), signal_buffer_data(buffer) + size, &rest) != 1) {
    signal_buffer_bzero_free(buffer);
    return SG_ERR_UNKNOWN;
  }
  *output = signal_buffer_create(signal_buffer_const_data(buffer), static_cast<std::size_t>(size + rest));
  signal_buffer_bzero_free(buffer);
  return *output == nullptr ? SG_ERR_NOMEM : SG_SUCCESS;
}

int Encrypt(signal_buffer** output, int cipher, const std::uint8_t* key, std::size_t key_size, const std::uint8_t* iv,
            std::size_t iv_size, const std::uint8_t* text, std::size_t text_size, void*) {
  return Crypt(true, output, cipher, key, key_size, iv, iv_size, text, text_size);
}

int Decrypt(signal_buffer** output, int cipher, const std::uint8_t* key, std::size_t key_size, const std::uint8_t* iv,
            std::size_t iv_size, const std::uint8_t* text, std::size_t text_size, void*) {
  return Crypt(false, output, cipher, key, key_size, iv, iv_size, text, text_size);
}

}  // namespace

signal_crypto_provider SignalCrypto(const Entropy& entropy) {
  signal_crypto_provider provider{};
  provider.user_data = const_cast<Entropy*>(&entropy);
  provider.random_func = Random;
  provider.hmac_sha256_init_func = HmacInit;
  provider.hmac_sha256_update_func = HmacUpdate;
  provider.hmac_sha256_final_func = HmacFinal;
  provider.hmac_sha256_cleanup_func = HmacCleanup;
  provider.sha512_digest_init_func = DigestInit;
  provider.sha512_digest_update_func = DigestUpdate;
  provider.sha512_digest_final_func = DigestFinal;
  provider.sha512_digest_cleanup_func = DigestCleanup;
  provider.encrypt_func = Encrypt;
  provider.decrypt_func = Decrypt;
  return provider;
}

}  // namespace medidesk::gateway::wa
