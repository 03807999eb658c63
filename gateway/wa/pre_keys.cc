#include "gateway/wa/pre_keys.h"

#include <signal/curve.h>
#include <signal/session_pre_key.h>
#include <signal/signal_protocol.h>

#include <cstdlib>
#include <memory>
#include <string>

#include "base/status.h"

namespace medidesk::gateway::wa {
namespace {

void Require(bool condition) {
  if (!condition) std::abort();
}

template <class T>
struct Unref {
  void operator()(T* object) const { signal_type_unref(reinterpret_cast<signal_type_base*>(object)); }
};
template <class T>
using Ref = std::unique_ptr<T, Unref<T>>;

using Buffer = std::unique_ptr<signal_buffer, decltype(&signal_buffer_bzero_free)>;

Ref<ec_key_pair> SignalPair(const KeyPair& pair) {
  const TypedKey32 typed = TypedKey(pair.public_key);
  ec_public_key* raw_public = nullptr;
  Require(curve_decode_point(&raw_public, typed.data(), typed.size(), nullptr) == 0);
  const Ref<ec_public_key> public_key(raw_public);
  ec_private_key* raw_private = nullptr;
  Require(curve_decode_private_point(&raw_private, pair.private_key.data(), pair.private_key.size(), nullptr) == 0);
  const Ref<ec_private_key> private_key(raw_private);
  ec_key_pair* raw_pair = nullptr;
  Require(ec_key_pair_create(&raw_pair, public_key.get(), private_key.get()) == 0);
  return Ref<ec_key_pair>(raw_pair);
}

Bytes Content(signal_buffer* raw) {
  const Buffer buffer(raw, signal_buffer_bzero_free);
  const std::uint8_t* data = signal_buffer_const_data(buffer.get());
  return Bytes(data, data + signal_buffer_len(buffer.get()));
}

}  // namespace

std::uint32_t PreKeysWanted(std::uint64_t server_count) {
  if (server_count == 0) return kFirstPreKeyBatch;
  return server_count < kLowPreKeyCount ? kPreKeyBatch : 0;
}

std::uint32_t PreKeyIdAfter(std::uint32_t id, std::uint32_t steps) {
  return static_cast<std::uint32_t>((std::uint64_t{id} - 1 + steps) % kMaxPreKeyId) + 1;
}

std::uint32_t PreKeyIdsBetween(std::uint32_t first, std::uint32_t end) {
  return end >= first ? end - first : end + kMaxPreKeyId - first;
}

RecordName PreKeyName(std::uint32_t id) { return {.kind = RecordKind::kPreKey, .key = std::to_string(id)}; }

Record PreKey::ToRecord() const {
  const Ref<ec_key_pair> signal_pair = SignalPair(pair);
  session_pre_key* raw = nullptr;
  Require(session_pre_key_create(&raw, id, signal_pair.get()) == 0);
  const Ref<session_pre_key> key(raw);
  signal_buffer* buffer = nullptr;
  Require(session_pre_key_serialize(&buffer, key.get()) == 0);
  return {.name = PreKeyName(id), .value = Content(buffer)};
}

absl::StatusOr<PreKey> PreKey::Parse(ByteView record) {
  const absl::Status broken = Error(absl::StatusCode::kInvalidArgument, "a stored pre-key is not readable");
  session_pre_key* raw = nullptr;
  if (session_pre_key_deserialize(&raw, record.data(), record.size(), nullptr) != 0) return broken;
  const Ref<session_pre_key> key(raw);
  signal_buffer* buffer = nullptr;
  const ec_key_pair* pair = session_pre_key_get_key_pair(key.get());
  if (ec_private_key_serialize(&buffer, ec_key_pair_get_private(pair)) != 0) return broken;
  MD_ASSIGN_OR_RETURN(const Key32 private_key, ToKey(Content(buffer)));
  return PreKey{.id = session_pre_key_get_id(key.get()), .pair = KeyPair::Of(private_key)};
}

std::vector<PreKey> GeneratePreKeys(std::uint32_t first_id, std::uint32_t count, const Entropy& entropy) {
  std::vector<PreKey> keys;
  keys.reserve(count);
  for (std::uint32_t i = 0; i < count; ++i) {
    keys.push_back({.id = PreKeyIdAfter(first_id, i), .pair = KeyPair::Generate(entropy)});
  }
  return keys;
}

Record SignedPreKeyRecord(const SignedPreKey& key, std::chrono::system_clock::time_point made) {
  const Ref<ec_key_pair> pair = SignalPair(key.pair);
  const auto millis = std::chrono::duration_cast<std::chrono::milliseconds>(made.time_since_epoch()).count();
  session_signed_pre_key* raw = nullptr;
  Require(session_signed_pre_key_create(&raw, key.id, static_cast<std::uint64_t>(millis), pair.get(),
                                        key.signature.data(), key.signature.size()) == 0);
  const Ref<session_signed_pre_key> record(raw);
  signal_buffer* buffer = nullptr;
  Require(session_signed_pre_key_serialize(&buffer, record.get()) == 0);
  return {.name = {.kind = RecordKind::kSignedPreKey, .key = std::to_string(key.id)}, .value = Content(buffer)};
}

}  // namespace medidesk::gateway::wa
