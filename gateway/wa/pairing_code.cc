#include "gateway/wa/pairing_code.h"

#include <algorithm>

#include "base/status.h"
#include "gateway/wa/aes256.h"
#include "gateway/wa/key_derivation.h"

namespace medidesk::gateway::wa {
namespace {

constexpr std::string_view kAlphabet = "123456789ABCDEFGHJKLMNPQRSTVWXYZ";
constexpr int kIterations = 131'072;
constexpr std::size_t kSaltSize = 32;
constexpr std::size_t kBlockSize = 16;
constexpr std::string_view kBundleInfo = "link_code_pairing_key_bundle_encryption_key";
constexpr std::string_view kAdvInfo = "adv_secret";

Key32 KeyOf(const Bytes& derived) { return ToKey(derived).value(); }

}  // namespace

std::string EncodeCode(std::span<const std::uint8_t, 5> bytes) {
  std::uint64_t bits = 0;
  for (const std::uint8_t byte : bytes) bits = bits << 8 | byte;
  std::string code;
  for (int shift = 35; shift >= 0; shift -= 5) code.push_back(kAlphabet[bits >> shift & 31]);
  return code;
}

std::string DisplayCode(std::string_view code) {
  return std::string(code.substr(0, 4)).append("-").append(code.substr(4));
}

Bytes WrapKey(std::string_view code, const Key32& key, const Entropy& entropy) {
  const auto salt = RandomArray<kSaltSize>(entropy);
  const auto block = RandomArray<kBlockSize>(entropy);
  return Join({salt, block, ApplyCtr(Pbkdf2Sha256(AsBytes(code), salt, kIterations), block, key)});
}

absl::StatusOr<Key32> UnwrapKey(std::string_view code, ByteView wrapped) {
  if (wrapped.size() != kSaltSize + kBlockSize + 32) {
    return Error(absl::StatusCode::kInvalidArgument, "a wrapped key must have 80 bytes");
  }
  const Digest32 key = Pbkdf2Sha256(AsBytes(code), wrapped.first(kSaltSize), kIterations);
  return ToKey(ApplyCtr(key, wrapped.subspan<kSaltSize, kBlockSize>(), wrapped.last(32)));
}

absl::StatusOr<CodeBundle> MakeCodeBundle(const KeyPair& ephemeral, const Key32& phone_ephemeral,
                                          const KeyPair& identity, const Key32& phone_identity,
                                          const Entropy& entropy) {
  MD_ASSIGN_OR_RETURN(const Key32 ephemeral_shared, Agree(ephemeral.private_key, phone_ephemeral));
  MD_ASSIGN_OR_RETURN(const Key32 identity_shared, Agree(identity.private_key, phone_identity));
  const auto random = RandomArray<32>(entropy);
  const auto salt = RandomArray<kSaltSize>(entropy);
  const auto nonce = RandomArray<12>(entropy);
  const Key32 bundle_key = KeyOf(HkdfSha256(ephemeral_shared, salt, AsBytes(kBundleInfo), 32));
  const Bytes plaintext = Join({identity.public_key, phone_identity, random});
  CodeBundle bundle;
  bundle.wrapped = Join({salt, nonce, SealGcm(bundle_key, nonce, plaintext)});
  bundle.adv_secret = KeyOf(HkdfSha256(Join({ephemeral_shared, identity_shared, random}), {}, AsBytes(kAdvInfo), 32));
  return bundle;
}

bool IsLinkablePhone(std::string_view digits) {
  return digits.size() >= 7 && digits.size() <= 15 && digits.front() != '0' &&
         std::all_of(digits.begin(), digits.end(), [](char c) { return c >= '0' && c <= '9'; });
}

}  // namespace medidesk::gateway::wa
