#include "gateway/wa/aes256.h"

#include <openssl/evp.h>

#include <cstdlib>
#include <memory>

#include "base/status.h"

namespace medidesk::gateway::wa {
namespace {

void Require(bool condition) {
  if (!condition) std::abort();
}

using Cipher = std::unique_ptr<EVP_CIPHER_CTX, decltype(&EVP_CIPHER_CTX_free)>;

Cipher NewCipher() {
  Cipher cipher(EVP_CIPHER_CTX_new(), EVP_CIPHER_CTX_free);
  Require(cipher != nullptr);
  return cipher;
}

}  // namespace

Bytes SealGcm(AesKey key, GcmNonce nonce, ByteView plaintext) {
  const Cipher cipher = NewCipher();
  Bytes sealed(plaintext.size() + kGcmTagSize);
  int size = 0;
  int rest = 0;
  Require(EVP_EncryptInit_ex(cipher.get(), EVP_aes_256_gcm(), nullptr, key.data(), nonce.data()) == 1 &&
          EVP_EncryptUpdate(cipher.get(), sealed.data(), &size, plaintext.data(), static_cast<int>(plaintext.size())) ==
              1 &&
          EVP_EncryptFinal_ex(cipher.get(), sealed.data() + size, &rest) == 1 &&
          EVP_CIPHER_CTX_ctrl(cipher.get(), EVP_CTRL_GCM_GET_TAG, kGcmTagSize, sealed.data() + plaintext.size()) == 1);
  return sealed;
}

absl::StatusOr<Bytes> OpenGcm(AesKey key, GcmNonce nonce, ByteView sealed) {
  if (sealed.size() < kGcmTagSize) return Error(absl::StatusCode::kUnauthenticated, "sealed bytes are cut short");
  const ByteView ciphertext = sealed.first(sealed.size() - kGcmTagSize);
  Bytes tag = ToBytes(sealed.last(kGcmTagSize));
  const Cipher cipher = NewCipher();
  Bytes plaintext(ciphertext.size());
  int size = 0;
  int rest = 0;
  Require(EVP_DecryptInit_ex(cipher.get(), EVP_aes_256_gcm(), nullptr, key.data(), nonce.data()) == 1 &&
          EVP_DecryptUpdate(cipher.get(), plaintext.data(), &size, ciphertext.data(),
                            static_cast<int>(ciphertext.size())) == 1 &&
          EVP_CIPHER_CTX_ctrl(cipher.get(), EVP_CTRL_GCM_SET_TAG, kGcmTagSize, tag.data()) == 1);
  if (EVP_DecryptFinal_ex(cipher.get(), plaintext.data() + size, &rest) != 1) {
    return Error(absl::StatusCode::kUnauthenticated, "sealed bytes do not open with this key");
  }
  return plaintext;
}

Bytes ApplyCtr(AesKey key, CtrBlock initial, ByteView data) {
  const Cipher cipher = NewCipher();
  Bytes out(data.size());
  int size = 0;
  Require(EVP_EncryptInit_ex(cipher.get(), EVP_aes_256_ctr(), nullptr, key.data(), initial.data()) == 1 &&
          EVP_EncryptUpdate(cipher.get(), out.data(), &size, data.data(), static_cast<int>(data.size())) == 1);
  return out;
}

}  // namespace medidesk::gateway::wa
