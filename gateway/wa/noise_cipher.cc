#include "gateway/wa/noise_cipher.h"

#include <fmt/format.h>
#include <openssl/crypto.h>

#include <array>
#include <cstdlib>
#include <limits>

#include "base/status.h"

namespace medidesk::gateway::wa {
namespace {

// What can only fail without memory or with a broken libcrypto.
void Require(bool condition) {
  if (!condition) std::abort();
}

}  // namespace

NoiseCipher::NoiseCipher(const Key32& key, std::uint64_t counter)
    : key_(key), counter_(counter), context_(EVP_CIPHER_CTX_new()) {
  Require(context_ != nullptr);
}

NoiseCipher::~NoiseCipher() { OPENSSL_cleanse(key_.data(), key_.size()); }

absl::Status NoiseCipher::Begin(Use use, ByteView associated) {
  if (counter_ > std::numeric_limits<std::uint32_t>::max()) {
    return Error(absl::StatusCode::kResourceExhausted, "noise cipher: the counter is used up, connect anew");
  }
  const int encrypt = use == Use::kSeal ? 1 : 0;
  // The key's schedule is kept from message to message.
  if (use_ != use) {
    Require(EVP_CipherInit_ex(context_.get(), EVP_aes_256_gcm(), nullptr, key_.data(), nullptr, encrypt) == 1);
    use_ = use;
  }
  std::array<std::uint8_t, 12> nonce{};
  for (int i = 0; i < 4; ++i) nonce[11 - i] = static_cast<std::uint8_t>(counter_ >> 8 * i);
  Require(EVP_CipherInit_ex(context_.get(), nullptr, nullptr, nullptr, nonce.data(), encrypt) == 1);
  int size = 0;
  if (!associated.empty()) {
    Require(EVP_CipherUpdate(context_.get(), nullptr, &size, associated.data(), static_cast<int>(associated.size())) ==
            1);
  }
  return absl::OkStatus();
}

absl::Status NoiseCipher::Seal(ByteView plaintext, ByteView associated, Bytes& out) {
  MD_RETURN_IF_ERROR(Begin(Use::kSeal, associated));
  const std::size_t start = out.size();
  out.resize(start + plaintext.size() + kNoiseTagSize);
  std::uint8_t* const ciphertext = out.data() + start;
  int size = 0;
  if (!plaintext.empty()) {
    Require(EVP_CipherUpdate(context_.get(), ciphertext, &size, plaintext.data(), static_cast<int>(plaintext.size())) ==
            1);
  }
  std::uint8_t* const tag = ciphertext + plaintext.size();
  Require(EVP_CipherFinal_ex(context_.get(), tag, &size) == 1);
  Require(EVP_CIPHER_CTX_ctrl(context_.get(), EVP_CTRL_GCM_GET_TAG, static_cast<int>(kNoiseTagSize), tag) == 1);
  ++counter_;
  return absl::OkStatus();
}

absl::StatusOr<Bytes> NoiseCipher::Open(ByteView sealed, ByteView associated) {
  if (sealed.size() < kNoiseTagSize) {
    return Error(absl::StatusCode::kInvalidArgument,
                 fmt::format("noise cipher: message {} is cut short at byte {}", counter_, sealed.size()));
  }
  MD_RETURN_IF_ERROR(Begin(Use::kOpen, associated));
  const ByteView ciphertext = sealed.first(sealed.size() - kNoiseTagSize);
  const ByteView tag = sealed.last(kNoiseTagSize);
  Bytes plaintext(ciphertext.size());
  int size = 0;
  if (!ciphertext.empty()) {
    Require(EVP_CipherUpdate(context_.get(), plaintext.data(), &size, ciphertext.data(),
                             static_cast<int>(ciphertext.size())) == 1);
  }
  Require(EVP_CIPHER_CTX_ctrl(context_.get(), EVP_CTRL_GCM_SET_TAG, static_cast<int>(kNoiseTagSize),
                              const_cast<std::uint8_t*>(tag.data())) == 1);
  std::uint8_t none = 0;
  if (EVP_CipherFinal_ex(context_.get(), &none, &size) != 1) {
    return Error(absl::StatusCode::kUnauthenticated,
                 fmt::format("noise cipher: message {} of {} bytes does not authenticate", counter_, sealed.size()));
  }
  ++counter_;
  return plaintext;
}

}  // namespace medidesk::gateway::wa
