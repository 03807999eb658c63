// Unrepeating bytes that are the same in every run, and a device for tests that holds all of its records in memory:
// what a step misses does not exist.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "gateway/wa/key_derivation.h"
#include "gateway/wa/pre_keys.h"
#include "gateway/wa/signal/signal_sessions.h"

namespace medidesk::gateway::wa::testing {

// Keys that repeat would make one ratchet look like another.
inline Entropy SeededEntropy(std::uint64_t seed) {
  struct State {
    std::uint64_t seed, block = 0;
    Digest32 bytes{};
    std::size_t used = sizeof bytes;
  };
  const auto state = std::make_shared<State>(State{.seed = seed});
  return [state](std::span<std::uint8_t> out) {
    for (std::uint8_t& byte : out) {
      if (state->used == state->bytes.size()) {
        const std::string text = std::to_string(state->seed) + "/" + std::to_string(state->block++);
        state->bytes = Sha256(AsBytes(text));
        state->used = 0;
      }
      byte = state->bytes[state->used++];
    }
  };
}

class SignalPeer {
 public:
  // Peers with different seeds have different keys.
  SignalPeer(Jid address, std::uint64_t seed)
      : address(std::move(address)),
        entropy(SeededEntropy(seed)),
        keys(DeviceCredentials::Generate(entropy)),
        signal(workspace, keys.identity, keys.registration_id, entropy) {
    Put(SignedPreKeyRecord(keys.signed_pre_key, {}));
  }

  // Runs an operation on `signal` as one step.
  template <class Function>
  auto Run(Function&& function) {
    for (;;) {
      workspace.Begin();
      auto result = function();
      const std::vector<RecordName> missing = workspace.TakeMissing();
      if (missing.empty()) {
        workspace.Keep();
        return result;
      }
      workspace.Rollback();
      workspace.Load(missing, {});
    }
  }
  Encrypted Encrypt(const Jid& to, ByteView padded) {
    return Run([&] { return signal.Encrypt(to, padded); }).value();
  }
  Decrypted Decrypt(const Jid& from, const Encrypted& message) {
    return Run([&] { return signal.Decrypt(from, message.pre_key, message.bytes); });
  }
  absl::Status Start(const Jid& with, const PreKeyBundle& bundle) {
    return Run([&] { return signal.StartSession(with, bundle); });
  }
  bool HasSession(const Jid& with) {
    return Run([&] { return signal.HasSession(with); });
  }

  // What a server would hand out of this device; a one-time key is used up.
  PreKeyBundle Bundle(bool one_time = true) {
    PreKeyBundle bundle{.registration_id = keys.registration_id,
                        .identity = keys.identity.public_key,
                        .signed_pre_key_id = keys.signed_pre_key.id,
                        .signed_pre_key = keys.signed_pre_key.pair.public_key,
                        .signature = keys.signed_pre_key.signature};
    if (!one_time) return bundle;
    const PreKey key{.id = ++last_pre_key, .pair = KeyPair::Generate(entropy)};
    Put(key.ToRecord());
    bundle.one_time = {.id = key.id, .key = key.pair.public_key};
    return bundle;
  }

  void Put(Record record) {
    const RecordName name = record.name;
    std::vector<Record> found;
    found.push_back(std::move(record));
    workspace.Load({&name, 1}, std::move(found));
  }

  const Jid address;
  Entropy entropy;
  DeviceCredentials keys;
  Workspace workspace;
  SignalSessions signal;
  std::uint32_t last_pre_key = 0;
};

}  // namespace medidesk::gateway::wa::testing
