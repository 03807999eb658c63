#include "gateway/device/sealing_keys.h"

#include <openssl/evp.h>
#include <openssl/rand.h>

#include <algorithm>
#include <cstdlib>
#include <memory>
#include <optional>

#include "base/status.h"
#include "gateway/wa/byte_writer.h"
#include "gateway/wa/key_derivation.h"

namespace medidesk::gateway {
namespace {

using wa::AsBytes;
using wa::Bytes;
using wa::ByteView;

constexpr std::uint8_t kVersion = 1;
constexpr std::size_t kIdSize = 4, kNonceSize = 12, kTagSize = 16, kHeaderSize = 1 + kIdSize + kNonceSize;
constexpr std::size_t kMaxKeys = 8;
static_assert(SealingKeys::kOverhead == kHeaderSize + kTagSize);

absl::Status NoKey(std::string_view what) {
  std::string text("MEDIDESK_MASTER_KEY: ");
  text += what;
  text += "; WhatsApp keys are sealed under 32 bytes in base64, as `openssl rand -base64 32` makes them";
  return Error(absl::StatusCode::kInvalidArgument, text);
}

absl::Status Damaged() {
  return Error(absl::StatusCode::kInvalidArgument, "a sealed record is damaged, or not the one it is stored as");
}

std::optional<std::array<std::uint8_t, 32>> FromBase64(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\n')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\n' || text.back() == '\r')) text.remove_suffix(1);
  if (text.size() != 44 || text[43] != '=' || text[42] == '=') return std::nullopt;
  std::array<unsigned char, 33> bytes;
  const int size = EVP_DecodeBlock(bytes.data(), reinterpret_cast<const unsigned char*>(text.data()), 44);
  if (size != 33) return std::nullopt;
  std::array<std::uint8_t, 32> key;
  std::copy_n(bytes.begin(), 32, key.begin());
  return key;
}

using CipherContext = std::unique_ptr<EVP_CIPHER_CTX, decltype(&EVP_CIPHER_CTX_free)>;
CipherContext NewContext() { return {EVP_CIPHER_CTX_new(), &EVP_CIPHER_CTX_free}; }
void Require(bool held) {
  if (!held) std::abort();  // libcrypto is broken: nothing can be sealed
}

// The key of one owner under one master key.
Bytes OwnerKey(ByteView master, std::string_view owner) {
  return wa::HkdfSha256(master, AsBytes(owner), AsBytes("medidesk sealed record"), 32);
}

// What is authenticated beside the text: our header and the context.
Bytes Associated(ByteView header, ByteView context) { return wa::Join({header, context}); }

Bytes Context(const SealedName& name) {
  Bytes bytes;
  wa::ByteWriter out(bytes);
  out.U32(static_cast<std::uint32_t>(name.record.kind));
  out.U32(static_cast<std::uint32_t>(name.record.key.size()));
  out.Append(AsBytes(name.record.key));
  const auto revision = static_cast<std::uint64_t>(name.revision);
  out.U32(static_cast<std::uint32_t>(revision >> 32));
  out.U32(static_cast<std::uint32_t>(revision));
  return bytes;
}

}  // namespace

absl::StatusOr<SealingKeys> SealingKeys::Parse(std::string_view master_keys, wa::Entropy entropy) {
  if (master_keys.empty()) return NoKey("is not set");
  SealingKeys keys(std::move(entropy));
  for (std::size_t at = 0; at <= master_keys.size();) {
    const std::size_t end = std::min(master_keys.find(',', at), master_keys.size());
    const auto secret = FromBase64(master_keys.substr(at, end - at));
    if (!secret) return NoKey(keys.keys_.empty() ? "is no such key" : "one of the older keys is no such key");
    if (keys.keys_.size() == kMaxKeys) return NoKey("holds more than 8 keys");
    MasterKey& key = keys.keys_.emplace_back();
    key.secret = *secret;
    const Bytes id = wa::HkdfSha256(key.secret, {}, AsBytes("medidesk key id"), kIdSize);
    std::copy(id.begin(), id.end(), key.id.begin());
    at = end + 1;
  }
  return keys;
}

Bytes SealingKeys::Seal(const SealedName& name, ByteView plain) const {
  return SealUnder(name.number_id, Context(name), plain);
}
absl::StatusOr<Bytes> SealingKeys::Open(const SealedName& name, ByteView sealed) const {
  return OpenUnder(name.number_id, Context(name), sealed);
}
Bytes SealingKeys::SealFile(std::string_view purpose, ByteView plain) const {
  return SealUnder("file", AsBytes(purpose), plain);
}
absl::StatusOr<Bytes> SealingKeys::OpenFile(std::string_view purpose, ByteView sealed) const {
  return OpenUnder("file", AsBytes(purpose), sealed);
}

bool SealingKeys::NeedsResealing(ByteView sealed) const {
  return sealed.size() >= kOverhead && sealed[0] == kVersion &&
         !std::equal(keys_.front().id.begin(), keys_.front().id.end(), sealed.begin() + 1);
}

Bytes SealingKeys::SealUnder(std::string_view owner, ByteView context, ByteView plain) const {
  const MasterKey& master = keys_.front();
  const auto nonce = wa::RandomArray<kNonceSize>(entropy_);
  Bytes sealed;
  sealed.reserve(plain.size() + kOverhead);
  wa::ByteWriter out(sealed);
  out.U8(kVersion);
  out.Append(master.id);
  out.Append(nonce);
  const Bytes associated = Associated(sealed, context);
  sealed.resize(kHeaderSize + plain.size() + kTagSize);

  const Bytes key = OwnerKey(master.secret, owner);
  const CipherContext cipher = NewContext();
  int size = 0;
  std::uint8_t* const text = sealed.data() + kHeaderSize;
  Require(EVP_EncryptInit_ex(cipher.get(), EVP_aes_256_gcm(), nullptr, key.data(), nonce.data()) == 1);
  Require(EVP_EncryptUpdate(cipher.get(), nullptr, &size, associated.data(), static_cast<int>(associated.size())) == 1);
  if (!plain.empty()) {
    Require(EVP_EncryptUpdate(cipher.get(), text, &size, plain.data(), static_cast<int>(plain.size())) == 1);
  }
  Require(EVP_EncryptFinal_ex(cipher.get(), text + plain.size(), &size) == 1);
  Require(EVP_CIPHER_CTX_ctrl(cipher.get(), EVP_CTRL_GCM_GET_TAG, kTagSize, text + plain.size()) == 1);
  return sealed;
}

absl::StatusOr<Bytes> SealingKeys::OpenUnder(std::string_view owner, ByteView context, ByteView sealed) const {
  if (sealed.size() < kOverhead || sealed.size() > (64u << 20)) return Damaged();
  if (sealed[0] != kVersion) {
    return Error(absl::StatusCode::kInvalidArgument, "a sealed record has a form that this version does not know");
  }
  const auto master = std::find_if(keys_.begin(), keys_.end(), [&](const MasterKey& key) {
    return std::equal(key.id.begin(), key.id.end(), sealed.begin() + 1);
  });
  if (master == keys_.end()) {
    return Error(absl::StatusCode::kFailedPrecondition,
                 "MEDIDESK_MASTER_KEY is not the key that sealed this device; give that one, or add it after a comma");
  }
  const ByteView header = sealed.first(kHeaderSize), nonce = header.subspan(1 + kIdSize);
  const ByteView text = sealed.subspan(kHeaderSize, sealed.size() - kOverhead);
  Bytes tag = wa::ToBytes(sealed.last(kTagSize));
  const Bytes associated = Associated(header, context), key = OwnerKey(master->secret, owner);
  const CipherContext cipher = NewContext();
  Bytes plain(text.size());
  int size = 0;
  std::uint8_t end[kTagSize];
  Require(EVP_DecryptInit_ex(cipher.get(), EVP_aes_256_gcm(), nullptr, key.data(), nonce.data()) == 1);
  Require(EVP_DecryptUpdate(cipher.get(), nullptr, &size, associated.data(), static_cast<int>(associated.size())) == 1);
  if (!text.empty()) {
    Require(EVP_DecryptUpdate(cipher.get(), plain.data(), &size, text.data(), static_cast<int>(text.size())) == 1);
  }
  Require(EVP_CIPHER_CTX_ctrl(cipher.get(), EVP_CTRL_GCM_SET_TAG, kTagSize, tag.data()) == 1);
  if (EVP_DecryptFinal_ex(cipher.get(), end, &size) != 1) return Damaged();
  return plain;
}

wa::Entropy SystemEntropy() {
  return [](std::span<std::uint8_t> bytes) { Require(RAND_bytes(bytes.data(), static_cast<int>(bytes.size())) == 1); };
}

}  // namespace medidesk::gateway
