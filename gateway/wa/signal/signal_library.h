// libsignal-protocol-c's side of SignalSessions: its context, and its stores over the workspace. For the files of this
// folder alone.
#pragma once

#include <signal/session_cipher.h>
#include <signal/signal_protocol.h>

#include <cstdlib>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "gateway/wa/device_credentials.h"
#include "gateway/wa/entropy.h"
#include "gateway/wa/jid.h"
#include "gateway/wa/signal/workspace.h"

namespace medidesk::gateway::wa {

inline constexpr int kRecordMissing = -10'001;  // of our stores: load it and try again

// What can only fail without memory.
inline void Require(bool condition) {
  if (!condition) std::abort();
}

template <class T>
struct SignalUnref {
  void operator()(T* object) const { signal_type_unref(reinterpret_cast<signal_type_base*>(object)); }
};
template <class T>
using SignalRef = std::unique_ptr<T, SignalUnref<T>>;
using SignalBuffer = std::unique_ptr<signal_buffer, decltype(&signal_buffer_bzero_free)>;
template <class T>
using SignalFreed = std::unique_ptr<T, void (*)(T*)>;

inline ByteView ContentOf(const signal_buffer* buffer) {
  return {signal_buffer_const_data(buffer), signal_buffer_len(buffer)};
}

// An address as the library holds it: it keeps pointers, so this must outlive whatever is made with it.
struct SignalAddress {
  explicit SignalAddress(const Jid& device);
  SignalAddress(const SignalAddress&) = delete;
  SignalAddress& operator=(const SignalAddress&) = delete;

  std::string name;
  signal_protocol_address address;
};

struct SignalGroupAddress {
  SignalGroupAddress(const Jid& group, const Jid& author);

  std::string group_id;
  SignalAddress sender;
  signal_protocol_sender_key_name name;
};

// One for a device. Writes of one operation lie apart until it has succeeded.
class SignalLibrary {
 public:
  SignalLibrary(Workspace& workspace, const KeyPair& identity, std::uint32_t registration_id, Entropy entropy,
                std::size_t max_record);
  ~SignalLibrary();
  SignalLibrary(const SignalLibrary&) = delete;
  SignalLibrary& operator=(const SignalLibrary&) = delete;

  // Ends an operation: what it wrote counts only after success. Hands the code on.
  int End(int code);

  SignalFreed<session_cipher> Cipher(const SignalAddress& address);
  // A stored session; nullptr without one, or when it is missing or broken.
  SignalRef<session_record> Session(const RecordName& name);

  Workspace& workspace;
  signal_context* context = nullptr;
  signal_protocol_store_context* store = nullptr;

 private:
  static SignalLibrary& Of(void* user_data) { return *static_cast<SignalLibrary*>(user_data); }
  void SetSessionStore();
  void SetPreKeyStores();
  void SetIdentityStore();
  void SetSenderKeyStore();

  // nullptr: none, or missing when `missing` says so.
  const Bytes* Find(RecordKind kind, const std::string& key, bool& missing);
  // 1 found, 0 not, negative an error.
  int Load(RecordKind kind, const std::string& key, signal_buffer** record);
  int Contains(RecordKind kind, const std::string& key);
  int StoreSession(const std::string& key, ByteView record);
  // nullopt when even that is too large: the next message of the peer then asks for a new session.
  std::optional<Bytes> OnlyCurrentState(ByteView bytes) const;

  const KeyPair identity_;
  const std::uint32_t registration_id_;
  const Entropy entropy_;
  const std::size_t max_record_;  // bytes
  signal_crypto_provider crypto_{};
  std::map<std::pair<RecordKind, std::string>, std::optional<Bytes>> writes_;
};

}  // namespace medidesk::gateway::wa
