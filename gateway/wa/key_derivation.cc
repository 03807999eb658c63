#include "gateway/wa/key_derivation.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/kdf.h>
#include <openssl/params.h>

#include <cstdlib>
#include <memory>

namespace medidesk::gateway::wa {
namespace {

void Require(bool condition) {
  if (!condition) std::abort();
}

template <std::size_t kSize>
std::array<std::uint8_t, kSize> Hash(const EVP_MD* algorithm, ByteView data) {
  std::array<std::uint8_t, kSize> digest{};
  unsigned int size = 0;
  Require(EVP_Digest(data.data(), data.size(), digest.data(), &size, algorithm, nullptr) == 1 && size == kSize);
  return digest;
}

}  // namespace

Digest32 Sha256(ByteView data) { return Hash<32>(EVP_sha256(), data); }
std::array<std::uint8_t, 20> Sha1(ByteView data) { return Hash<20>(EVP_sha1(), data); }
std::array<std::uint8_t, 16> Md5(ByteView data) { return Hash<16>(EVP_md5(), data); }

Digest32 HmacSha256(ByteView key, ByteView data) {
  Digest32 mac{};
  unsigned int size = 0;
  const std::uint8_t empty = 0;  // HMAC() takes a null key for "the key as before"
  Require(HMAC(EVP_sha256(), key.empty() ? &empty : key.data(), static_cast<int>(key.size()), data.data(), data.size(),
               mac.data(), &size) != nullptr &&
          size == mac.size());
  return mac;
}

Bytes HkdfSha256(ByteView secret, ByteView salt, ByteView info, std::size_t size) {
  const std::unique_ptr<EVP_KDF, decltype(&EVP_KDF_free)> kdf(EVP_KDF_fetch(nullptr, OSSL_KDF_NAME_HKDF, nullptr),
                                                              EVP_KDF_free);
  Require(kdf != nullptr);
  const std::unique_ptr<EVP_KDF_CTX, decltype(&EVP_KDF_CTX_free)> context(EVP_KDF_CTX_new(kdf.get()), EVP_KDF_CTX_free);
  Require(context != nullptr);
  char digest[] = "SHA256";
  static constexpr std::uint8_t kEmpty = 0;  // a null pointer would be an absent parameter
  const auto octets = [](const char* name, ByteView bytes) {
    return OSSL_PARAM_construct_octet_string(name, const_cast<std::uint8_t*>(bytes.empty() ? &kEmpty : bytes.data()),
                                             bytes.size());
  };
  static constexpr std::array<std::uint8_t, 32> kNoSalt{};
  const OSSL_PARAM parameters[] = {
      OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, digest, 0),
      octets(OSSL_KDF_PARAM_KEY, secret),
      octets(OSSL_KDF_PARAM_SALT, salt.empty() ? ByteView(kNoSalt) : salt),
      octets(OSSL_KDF_PARAM_INFO, info),
      OSSL_PARAM_construct_end(),
  };
  Bytes key(size);
  Require(EVP_KDF_derive(context.get(), key.data(), key.size(), parameters) == 1);
  return key;
}

Digest32 Pbkdf2Sha256(ByteView password, ByteView salt, int iterations) {
  Digest32 key{};
  Require(PKCS5_PBKDF2_HMAC(AsText(password).data(), static_cast<int>(password.size()), salt.data(),
                            static_cast<int>(salt.size()), iterations, EVP_sha256(), static_cast<int>(key.size()),
                            key.data()) == 1);
  return key;
}

bool SameSecret(ByteView a, ByteView b) {
  return a.size() == b.size() && CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

Bytes Join(std::initializer_list<ByteView> parts) {
  Bytes joined;
  for (const ByteView part : parts) joined.insert(joined.end(), part.begin(), part.end());
  return joined;
}

}  // namespace medidesk::gateway::wa
