// End-to-end encryption with the devices of other people and our own: Signal, through libsignal-protocol-c.
//
// The one place where that library is called for messages; none of its objects is seen outside. Its stores are the
// workspace's records, so an operation runs inside a step of the workspace:
//
//   workspace.Begin();  signal.Decrypt(..)  -> kMissing: Rollback, load workspace.TakeMissing(), again
//                                           -> kDecrypted, else: what a failure wrote is taken back here already
//
// A peer's identity is always accepted, and the newest stays: a re-installed phone must be able to write. Bytes of
// peers may be anything; they end in an outcome. Sessions that a hostile peer blows up are cut to their current state.
//
// Not thread-safe; `workspace` outlives it.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#include "gateway/wa/device_credentials.h"
#include "gateway/wa/jid.h"
#include "gateway/wa/signal/workspace.h"

namespace medidesk::gateway::wa {

enum class DecryptOutcome {
  kDecrypted,
  kMissing,       // records must be loaded first
  kDuplicate,     // decrypted before: nothing to do but to confirm it
  kNoSession,     // encrypted for a session that we do not have
  kUnknownKey,    // made with a pre-key that we do not have (any more)
  kBadMac,        // of no state of the session, or too far ahead
  kInvalidKey,    // a key that is none
  kMalformed,     // no such message
  kInternalError  // the library or a stored record is broken
};

// The code by which a retry receipt names the cause: 1, 3, 7, 2, 4, 0.
int RetryErrorCode(DecryptOutcome outcome);

struct Decrypted {
  DecryptOutcome outcome = DecryptOutcome::kInternalError;
  Bytes plaintext = {};  // still padded
};

struct Encrypted {
  bool pre_key = false;  // <enc type="pkmsg">: the first message of a session that the peer has not answered yet
  Bytes bytes;
};

// What the server hands out of a device that we have no session with, or a device of itself.
struct PreKeyBundle {
  std::uint32_t registration_id = 0;
  Key32 identity{};
  std::uint32_t signed_pre_key_id = 0;
  Key32 signed_pre_key{};
  Signature signature{};
  struct OneTime {
    std::uint32_t id = 0;
    Key32 key{};
  };
  std::optional<OneTime> one_time = {};  // absent when the server has run out

  friend bool operator==(const PreKeyBundle& a, const PreKeyBundle& b);
};

class SignalLibrary;

class SignalSessions {
 public:
  static constexpr std::size_t kMaxRecord = 256u << 10;  // bytes of one session

  SignalSessions(Workspace& workspace, const KeyPair& identity, std::uint32_t registration_id, Entropy entropy);
  ~SignalSessions();
  SignalSessions(const SignalSessions&) = delete;
  SignalSessions& operator=(const SignalSessions&) = delete;

  // ---- Records: what an operation reads, so that it can be loaded in one go ----
  static RecordName SessionName(const Jid& device);
  static RecordName IdentityName(const Jid& device);
  // Those of one message: session and identity, and of a pre-key message the two pre-keys that it names.
  std::vector<RecordName> NamesOf(const Jid& device, bool pre_key_message, ByteView message) const;

  // ---- Pairwise ----
  Decrypted Decrypt(const Jid& device, bool pre_key_message, ByteView message);
  // NOT_FOUND without a session, UNAVAILABLE when records are missing, INTERNAL for a broken record.
  absl::StatusOr<Encrypted> Encrypt(const Jid& device, ByteView padded);
  bool HasSession(const Jid& device);
  // Sets a session up, in front of any that is there. INVALID_ARGUMENT for a bad signature or key; UNAVAILABLE when
  // records are missing.
  absl::Status StartSession(const Jid& device, const PreKeyBundle& bundle);
  void EndSession(const Jid& device);
  // Forgets what a device was known by, too.
  void ForgetDevice(const Jid& device);
  // Puts session and identity of `from` under `to`, unless `to` has a session; `from` is gone afterwards.
  void MoveSession(const Jid& from, const Jid& to);
  // 0 without a session.
  std::uint32_t RemoteRegistrationId(const Jid& device);
  // Tells one session from the next with the same device; empty without one.
  Bytes BaseKey(const Jid& device);

  // ---- Groups ----
  static RecordName SenderKeyName(const Jid& group, const Jid& author);
  // Installs an author's key; INVALID_ARGUMENT for what is none.
  absl::Status InstallSenderKey(const Jid& group, const Jid& author, ByteView distribution_message);
  Decrypted DecryptGroup(const Jid& group, const Jid& author, ByteView message);
  // Ours, for the members of the group; made when there is none.
  absl::StatusOr<Bytes> MakeSenderKey(const Jid& group, const Jid& own_device);
  absl::StatusOr<Bytes> EncryptGroup(const Jid& group, const Jid& own_device, ByteView padded);

 private:
  std::unique_ptr<SignalLibrary> library_;
};

}  // namespace medidesk::gateway::wa
