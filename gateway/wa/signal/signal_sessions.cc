#include "gateway/wa/signal/signal_sessions.h"

#include <signal/group_cipher.h>
#include <signal/group_session_builder.h>
#include <signal/protocol.h>
#include <signal/sender_key.h>
#include <signal/sender_key_state.h>
#include <signal/session_builder.h>
#include <signal/session_cipher.h>
#include <signal/session_state.h>

#include <algorithm>
#include <cstdlib>
#include <map>
#include <utility>

#include "base/status.h"
#include "gateway/wa/pre_keys.h"
#include "gateway/wa/signal/signal_crypto.h"
#include "gateway/wa/signal_address.h"

namespace medidesk::gateway::wa {
namespace {

constexpr std::size_t kMaxMessage = 2u << 20;  // bytes of one ciphertext
constexpr int kRecordMissing = -10'001;        // of our stores: load it and try again

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
template <class T>
using Freed = std::unique_ptr<T, void (*)(T*)>;

ByteView ContentOf(const signal_buffer* buffer) {
  return {signal_buffer_const_data(buffer), signal_buffer_len(buffer)};
}

Ref<ec_public_key> PublicKey(const Key32& key) {
  const TypedKey32 typed = TypedKey(key);
  ec_public_key* raw = nullptr;
  Require(curve_decode_point(&raw, typed.data(), typed.size(), nullptr) == SG_SUCCESS);
  return Ref<ec_public_key>(raw);
}

RecordName NumberedName(RecordKind kind, std::uint32_t id) { return {.kind = kind, .key = std::to_string(id)}; }

// An address as the library holds it: it keeps pointers, so this must outlive whatever is made with it.
struct Address {
  explicit Address(const Jid& device) : name(SignalAddressName(device)) {
    address = {.name = name.c_str(), .name_len = name.size(), .device_id = device.device};
  }
  Address(const Address&) = delete;
  Address& operator=(const Address&) = delete;

  std::string name;
  signal_protocol_address address;
};

struct GroupAddress {
  GroupAddress(const Jid& group, const Jid& author) : group_id(group.ToString()), sender(author) {
    name = {.group_id = group_id.c_str(), .group_id_len = group_id.size(), .sender = sender.address};
  }

  std::string group_id;
  Address sender;
  signal_protocol_sender_key_name name;
};

std::string KeyOf(const signal_protocol_address& address) {
  return std::string(address.name, address.name_len) + "." + std::to_string(address.device_id);
}

std::string KeyOf(const signal_protocol_sender_key_name& name) {
  return std::string(name.group_id, name.group_id_len) + "/" + KeyOf(name.sender);
}

DecryptOutcome OutcomeOf(int code) {
  if (code >= 0) return DecryptOutcome::kDecrypted;
  switch (code) {
    case kRecordMissing:
      return DecryptOutcome::kMissing;
    case SG_ERR_DUPLICATE_MESSAGE:
      return DecryptOutcome::kDuplicate;
    case SG_ERR_NO_SESSION:
      return DecryptOutcome::kNoSession;
    case SG_ERR_INVALID_KEY_ID:
      return DecryptOutcome::kUnknownKey;
    case SG_ERR_INVALID_MESSAGE:
    case SG_ERR_INVALID_MAC:
      return DecryptOutcome::kBadMac;
    case SG_ERR_INVALID_KEY:
      return DecryptOutcome::kInvalidKey;
    case SG_ERR_INVALID_PROTO_BUF:
    case SG_ERR_INVALID_VERSION:
    case SG_ERR_LEGACY_MESSAGE:
    case SG_ERR_INVAL:
      return DecryptOutcome::kMalformed;
    default:
      return DecryptOutcome::kInternalError;
  }
}

absl::Status StatusOf(int code) {
  switch (OutcomeOf(code)) {
    case DecryptOutcome::kDecrypted:
      return absl::OkStatus();
    case DecryptOutcome::kMissing:
      return Error(absl::StatusCode::kUnavailable, "Signal records are not loaded yet");
    case DecryptOutcome::kNoSession:
      return Error(absl::StatusCode::kNotFound, "there is no Signal session with this device");
    case DecryptOutcome::kInternalError:
      return Error(absl::StatusCode::kInternal, "a stored Signal record is not readable");
    default:
      return Error(absl::StatusCode::kInvalidArgument, "a peer's key or message is not valid");
  }
}

}  // namespace

int RetryErrorCode(DecryptOutcome outcome) {
  switch (outcome) {
    case DecryptOutcome::kNoSession:
      return 1;
    case DecryptOutcome::kInvalidKey:
      return 2;
    case DecryptOutcome::kUnknownKey:
      return 3;
    case DecryptOutcome::kMalformed:
      return 4;
    case DecryptOutcome::kBadMac:
      return 7;
    default:
      return 0;
  }
}

bool operator==(const PreKeyBundle& a, const PreKeyBundle& b) {
  const auto same_one_time = [&] {
    if (a.one_time.has_value() != b.one_time.has_value()) return false;
    return !a.one_time || (a.one_time->id == b.one_time->id && a.one_time->key == b.one_time->key);
  };
  return a.registration_id == b.registration_id && a.identity == b.identity &&
         a.signed_pre_key_id == b.signed_pre_key_id && a.signed_pre_key == b.signed_pre_key &&
         a.signature == b.signature && same_one_time();
}

// ---- The library's side: its context, and stores over the workspace -----------------------------

// Writes of one operation lie in `writes` until it has succeeded.
struct SignalSessions::Library {
  Library(Workspace& workspace, const KeyPair& identity, std::uint32_t registration_id, Entropy entropy)
      : workspace(workspace), identity(identity), registration_id(registration_id), entropy(std::move(entropy)) {
    crypto = SignalCrypto(this->entropy);
    Require(signal_context_create(&context, this) == SG_SUCCESS);
    Require(signal_context_set_crypto_provider(context, &crypto) == SG_SUCCESS);
    Require(signal_protocol_store_context_create(&store, context) == SG_SUCCESS);
    SetSessionStore();
    SetPreKeyStores();
    SetIdentityStore();
    SetSenderKeyStore();
  }
  ~Library() {
    signal_protocol_store_context_destroy(store);
    signal_context_destroy(context);
  }

  static Library& Of(void* user_data) { return *static_cast<Library*>(user_data); }

  void SetSessionStore() {
    signal_protocol_session_store sessions{};
    sessions.user_data = this;
    sessions.load_session_func = [](signal_buffer** record, signal_buffer**, const signal_protocol_address* address,
                                    void* self) {
      return Of(self).Load(RecordKind::kSession, KeyOf(*address), record);
    };
    sessions.get_sub_device_sessions_func = [](signal_int_list**, const char*, std::size_t, void*) {
      return SG_ERR_UNKNOWN;
    };
    sessions.store_session_func = [](const signal_protocol_address* address, std::uint8_t* record, std::size_t size,
                                     std::uint8_t*, std::size_t, void* self) {
      return Of(self).StoreSession(KeyOf(*address), {record, size});
    };
    sessions.contains_session_func = [](const signal_protocol_address* address, void* self) {
      return Of(self).Contains(RecordKind::kSession, KeyOf(*address));
    };
    sessions.delete_session_func = [](const signal_protocol_address* address, void* self) {
      Of(self).writes[{RecordKind::kSession, KeyOf(*address)}] = std::nullopt;
      return 1;
    };
    sessions.delete_all_sessions_func = [](const char*, std::size_t, void*) { return SG_ERR_UNKNOWN; };
    Require(signal_protocol_store_context_set_session_store(store, &sessions) == SG_SUCCESS);
  }

  void SetPreKeyStores() {
    signal_protocol_pre_key_store pre_keys{};
    pre_keys.user_data = this;
    pre_keys.load_pre_key = [](signal_buffer** record, std::uint32_t id, void* self) {
      const int found = Of(self).Load(RecordKind::kPreKey, std::to_string(id), record);
      return found == 0 ? SG_ERR_INVALID_KEY_ID : found < 0 ? found : SG_SUCCESS;
    };
    pre_keys.store_pre_key = [](std::uint32_t, std::uint8_t*, std::size_t, void*) { return SG_ERR_UNKNOWN; };
    pre_keys.contains_pre_key = [](std::uint32_t id, void* self) {
      return Of(self).Contains(RecordKind::kPreKey, std::to_string(id));
    };
    pre_keys.remove_pre_key = [](std::uint32_t id, void* self) {
      Of(self).writes[{RecordKind::kPreKey, std::to_string(id)}] = std::nullopt;
      return SG_SUCCESS;
    };
    Require(signal_protocol_store_context_set_pre_key_store(store, &pre_keys) == SG_SUCCESS);

    signal_protocol_signed_pre_key_store signed_pre_keys{};
    signed_pre_keys.user_data = this;
    signed_pre_keys.load_signed_pre_key = [](signal_buffer** record, std::uint32_t id, void* self) {
      const int found = Of(self).Load(RecordKind::kSignedPreKey, std::to_string(id), record);
      return found == 0 ? SG_ERR_INVALID_KEY_ID : found < 0 ? found : SG_SUCCESS;
    };
    signed_pre_keys.store_signed_pre_key = pre_keys.store_pre_key;
    signed_pre_keys.contains_signed_pre_key = [](std::uint32_t id, void* self) {
      return Of(self).Contains(RecordKind::kSignedPreKey, std::to_string(id));
    };
    signed_pre_keys.remove_signed_pre_key = [](std::uint32_t, void*) { return SG_SUCCESS; };
    Require(signal_protocol_store_context_set_signed_pre_key_store(store, &signed_pre_keys) == SG_SUCCESS);
  }

  void SetIdentityStore() {
    signal_protocol_identity_key_store identities{};
    identities.user_data = this;
    identities.get_identity_key_pair = [](signal_buffer** public_data, signal_buffer** private_data, void* self) {
      const KeyPair& pair = Of(self).identity;
      const TypedKey32 typed = TypedKey(pair.public_key);
      *public_data = signal_buffer_create(typed.data(), typed.size());
      *private_data = signal_buffer_create(pair.private_key.data(), pair.private_key.size());
      return *public_data == nullptr || *private_data == nullptr ? SG_ERR_NOMEM : SG_SUCCESS;
    };
    identities.get_local_registration_id = [](void* self, std::uint32_t* id) {
      *id = Of(self).registration_id;
      return SG_SUCCESS;
    };
    identities.save_identity = [](const signal_protocol_address* address, std::uint8_t* key, std::size_t size,
                                  void* self) {
      auto& slot = Of(self).writes[{RecordKind::kIdentity, KeyOf(*address)}];
      if (key == nullptr) {
        slot = std::nullopt;
      } else {
        slot = Bytes(key, key + size);
      }
      return SG_SUCCESS;
    };
    identities.is_trusted_identity = [](const signal_protocol_address*, std::uint8_t*, std::size_t, void*) {
      return 1;
    };
    Require(signal_protocol_store_context_set_identity_key_store(store, &identities) == SG_SUCCESS);
  }

  void SetSenderKeyStore() {
    signal_protocol_sender_key_store sender_keys{};
    sender_keys.user_data = this;
    sender_keys.store_sender_key = [](const signal_protocol_sender_key_name* name, std::uint8_t* record,
                                      std::size_t size, std::uint8_t*, std::size_t, void* self) {
      // Grown out of all bounds by its author, it is of no use: a new distribution message starts afresh.
      auto& slot = Of(self).writes[{RecordKind::kSenderKey, KeyOf(*name)}];
      if (size > kMaxRecord) {
        slot = std::nullopt;
      } else {
        slot = Bytes(record, record + size);
      }
      return SG_SUCCESS;
    };
    sender_keys.load_sender_key = [](signal_buffer** record, signal_buffer**,
                                     const signal_protocol_sender_key_name* name, void* self) {
      return Of(self).Load(RecordKind::kSenderKey, KeyOf(*name), record);
    };
    Require(signal_protocol_store_context_set_sender_key_store(store, &sender_keys) == SG_SUCCESS);
  }

  // nullptr: none, or missing when `missing` says so.
  const Bytes* Find(RecordKind kind, const std::string& key, bool& missing) {
    missing = false;
    if (const auto written = writes.find({kind, key}); written != writes.end()) {
      return written->second ? &*written->second : nullptr;
    }
    const RecordName name{.kind = kind, .key = key};
    const Bytes* found = workspace.Get(name);
    missing = found == nullptr && !workspace.Knows(name);
    return found;
  }

  // 1 found, 0 not, negative an error.
  int Load(RecordKind kind, const std::string& key, signal_buffer** record) {
    bool missing = false;
    const Bytes* found = Find(kind, key, missing);
    if (missing) return kRecordMissing;
    if (found == nullptr) return 0;
    *record = signal_buffer_create(found->data(), found->size());
    return *record == nullptr ? SG_ERR_NOMEM : 1;
  }

  int Contains(RecordKind kind, const std::string& key) {
    bool missing = false;
    const Bytes* found = Find(kind, key, missing);
    return missing ? kRecordMissing : found != nullptr ? 1 : 0;
  }

  int StoreSession(const std::string& key, ByteView record) {
    auto& slot = writes[{RecordKind::kSession, key}];
    slot = ToBytes(record);
    if (record.size() > kMaxRecord) slot = OnlyCurrentState(record);
    return SG_SUCCESS;
  }

  // nullopt when even that is too large: the next message of the peer then asks for a new session.
  std::optional<Bytes> OnlyCurrentState(ByteView bytes) const {
    session_record* raw = nullptr;
    if (session_record_deserialize(&raw, bytes.data(), bytes.size(), context) != SG_SUCCESS) return std::nullopt;
    const Ref<session_record> whole(raw);
    session_record* raw_cut = nullptr;
    if (session_record_create(&raw_cut, session_record_get_state(whole.get()), context) != SG_SUCCESS) {
      return std::nullopt;
    }
    const Ref<session_record> cut(raw_cut);
    signal_buffer* raw_buffer = nullptr;
    if (session_record_serialize(&raw_buffer, cut.get()) != SG_SUCCESS) return std::nullopt;
    const Buffer buffer(raw_buffer, signal_buffer_bzero_free);
    if (signal_buffer_len(buffer.get()) > kMaxRecord) return std::nullopt;
    return ToBytes(ContentOf(buffer.get()));
  }

  // Ends an operation: what it wrote counts only after success. Hands the code on.
  int End(int code) {
    if (code >= 0) {
      for (auto& [name, value] : writes) {
        const RecordName record{.kind = name.first, .key = name.second};
        if (value) {
          workspace.Put(record, *std::move(value));
        } else {
          workspace.Erase(record);
        }
      }
    }
    writes.clear();
    return code;
  }

  Freed<session_cipher> Cipher(const Address& address) {
    session_cipher* raw = nullptr;
    Require(session_cipher_create(&raw, store, &address.address, context) == SG_SUCCESS);
    return {raw, session_cipher_free};
  }

  // The current state of a stored session; nullptr without one.
  Ref<session_record> Session(const Jid& device) {
    const Bytes* bytes = workspace.Get(SessionName(device));
    session_record* raw = nullptr;
    if (bytes == nullptr || session_record_deserialize(&raw, bytes->data(), bytes->size(), context) != SG_SUCCESS) {
      return nullptr;
    }
    return Ref<session_record>(raw);
  }

  Workspace& workspace;
  KeyPair identity;
  std::uint32_t registration_id;
  Entropy entropy;
  signal_crypto_provider crypto{};
  signal_context* context = nullptr;
  signal_protocol_store_context* store = nullptr;
  std::map<std::pair<RecordKind, std::string>, std::optional<Bytes>> writes;
};

SignalSessions::SignalSessions(Workspace& workspace, const KeyPair& identity, std::uint32_t registration_id,
                               Entropy entropy)
    : library_(std::make_unique<Library>(workspace, identity, registration_id, std::move(entropy))) {}

SignalSessions::~SignalSessions() = default;

// ---- Records ------------------------------------------------------------------------------------

RecordName SignalSessions::SessionName(const Jid& device) {
  return {.kind = RecordKind::kSession, .key = SignalAddressKey(device)};
}

RecordName SignalSessions::IdentityName(const Jid& device) {
  return {.kind = RecordKind::kIdentity, .key = SignalAddressKey(device)};
}

RecordName SignalSessions::SenderKeyName(const Jid& group, const Jid& author) {
  return {.kind = RecordKind::kSenderKey, .key = group.ToString() + "/" + SignalAddressKey(author)};
}

std::vector<RecordName> SignalSessions::NamesOf(const Jid& device, bool pre_key_message, ByteView message) const {
  std::vector<RecordName> names = {SessionName(device), IdentityName(device)};
  if (!pre_key_message || message.empty() || message.size() > kMaxMessage) return names;
  pre_key_signal_message* raw = nullptr;
  if (pre_key_signal_message_deserialize(&raw, message.data(), message.size(), library_->context) != SG_SUCCESS) {
    return names;
  }
  const Ref<pre_key_signal_message> header(raw);
  if (pre_key_signal_message_has_pre_key_id(raw)) {
    names.push_back(NumberedName(RecordKind::kPreKey, pre_key_signal_message_get_pre_key_id(raw)));
  }
  names.push_back(NumberedName(RecordKind::kSignedPreKey, pre_key_signal_message_get_signed_pre_key_id(raw)));
  return names;
}

// ---- Pairwise -----------------------------------------------------------------------------------

Decrypted SignalSessions::Decrypt(const Jid& device, bool pre_key_message, ByteView message) {
  if (message.empty() || message.size() > kMaxMessage) return {.outcome = DecryptOutcome::kMalformed};
  const Address address(device);
  signal_buffer* plaintext = nullptr;
  int code = SG_SUCCESS;
  if (pre_key_message) {
    pre_key_signal_message* raw = nullptr;
    code = pre_key_signal_message_deserialize(&raw, message.data(), message.size(), library_->context);
    const Ref<pre_key_signal_message> parsed(raw);
    if (code == SG_SUCCESS) {
      const auto cipher = library_->Cipher(address);
      code = session_cipher_decrypt_pre_key_signal_message(cipher.get(), raw, nullptr, &plaintext);
    }
  } else {
    signal_message* raw = nullptr;
    code = signal_message_deserialize(&raw, message.data(), message.size(), library_->context);
    const Ref<signal_message> parsed(raw);
    if (code == SG_SUCCESS) {
      const auto cipher = library_->Cipher(address);
      code = session_cipher_decrypt_signal_message(cipher.get(), raw, nullptr, &plaintext);
    }
  }
  const Buffer buffer(plaintext, signal_buffer_bzero_free);
  Decrypted result{.outcome = OutcomeOf(library_->End(code))};
  if (code >= 0 && plaintext != nullptr) result.plaintext = ToBytes(ContentOf(plaintext));
  return result;
}

absl::StatusOr<Encrypted> SignalSessions::Encrypt(const Jid& device, ByteView padded) {
  const Address address(device);
  const int found = signal_protocol_session_contains_session(library_->store, &address.address);
  if (found <= 0) return StatusOf(found == 0 ? SG_ERR_NO_SESSION : found);
  const auto cipher = library_->Cipher(address);
  ciphertext_message* raw = nullptr;
  const int code = library_->End(session_cipher_encrypt(cipher.get(), padded.data(), padded.size(), &raw));
  const Ref<ciphertext_message> message(raw);
  if (code < 0) return StatusOf(code);
  return Encrypted{.pre_key = ciphertext_message_get_type(raw) == CIPHERTEXT_PREKEY_TYPE,
                   .bytes = ToBytes(ContentOf(ciphertext_message_get_serialized(raw)))};
}

bool SignalSessions::HasSession(const Jid& device) { return library_->workspace.Get(SessionName(device)) != nullptr; }

absl::Status SignalSessions::StartSession(const Jid& device, const PreKeyBundle& bundle) {
  // The library takes id 0 for "none" in some places, and so do others.
  if (bundle.one_time && (bundle.one_time->id == 0 || bundle.one_time->id > kMaxPreKeyId)) {
    return Error(absl::StatusCode::kInvalidArgument, "a peer's key or message is not valid");
  }
  const Ref<ec_public_key> identity = PublicKey(bundle.identity);
  const Ref<ec_public_key> signed_pre_key = PublicKey(bundle.signed_pre_key);
  const Ref<ec_public_key> one_time = bundle.one_time ? PublicKey(bundle.one_time->key) : nullptr;
  session_pre_key_bundle* raw = nullptr;
  Require(session_pre_key_bundle_create(&raw, bundle.registration_id, device.device,
                                        bundle.one_time ? bundle.one_time->id : 0, one_time.get(),
                                        bundle.signed_pre_key_id, signed_pre_key.get(), bundle.signature.data(),
                                        bundle.signature.size(), identity.get()) == SG_SUCCESS);
  const Ref<session_pre_key_bundle> made(raw);
  const Address address(device);
  session_builder* raw_builder = nullptr;
  Require(session_builder_create(&raw_builder, library_->store, &address.address, library_->context) == SG_SUCCESS);
  const Freed<session_builder> builder(raw_builder, session_builder_free);
  return StatusOf(library_->End(session_builder_process_pre_key_bundle(raw_builder, raw)));
}

void SignalSessions::EndSession(const Jid& device) { library_->workspace.Erase(SessionName(device)); }

void SignalSessions::ForgetDevice(const Jid& device) {
  EndSession(device);
  library_->workspace.Erase(IdentityName(device));
}

void SignalSessions::MoveSession(const Jid& from, const Jid& to) {
  Workspace& workspace = library_->workspace;
  const Bytes* session = workspace.Get(SessionName(from));
  const Bytes* identity = workspace.Get(IdentityName(from));
  if (session == nullptr) return;
  if (workspace.Get(SessionName(to)) == nullptr) {
    const Bytes moved = *session;
    std::optional<Bytes> known;
    if (identity != nullptr) known = *identity;
    workspace.Put(SessionName(to), moved);
    if (known) workspace.Put(IdentityName(to), *std::move(known));
  }
  ForgetDevice(from);
}

std::uint32_t SignalSessions::RemoteRegistrationId(const Jid& device) {
  const Ref<session_record> record = library_->Session(device);
  return record == nullptr ? 0 : session_state_get_remote_registration_id(session_record_get_state(record.get()));
}

Bytes SignalSessions::BaseKey(const Jid& device) {
  const Ref<session_record> record = library_->Session(device);
  if (record == nullptr) return {};
  const ec_public_key* key = session_state_get_alice_base_key(session_record_get_state(record.get()));
  signal_buffer* raw = nullptr;
  if (key == nullptr || ec_public_key_serialize(&raw, key) != SG_SUCCESS) return {};
  const Buffer buffer(raw, signal_buffer_bzero_free);
  return ToBytes(ContentOf(raw));
}

// ---- Groups -------------------------------------------------------------------------------------

absl::Status SignalSessions::InstallSenderKey(const Jid& group, const Jid& author, ByteView distribution_message) {
  if (distribution_message.empty() || distribution_message.size() > kMaxMessage) return StatusOf(SG_ERR_INVAL);
  sender_key_distribution_message* raw = nullptr;
  const int parsed = sender_key_distribution_message_deserialize(&raw, distribution_message.data(),
                                                                 distribution_message.size(), library_->context);
  if (parsed != SG_SUCCESS) return StatusOf(parsed);
  const Ref<sender_key_distribution_message> message(raw);

  // The same key once more would put a second, later state in front: what was sent in between would look repeated.
  if (const Bytes* stored = library_->workspace.Get(SenderKeyName(group, author)); stored != nullptr) {
    sender_key_record* raw_record = nullptr;
    if (sender_key_record_deserialize(&raw_record, stored->data(), stored->size(), library_->context) == SG_SUCCESS) {
      const Ref<sender_key_record> record(raw_record);
      sender_key_state* state = nullptr;
      if (sender_key_record_get_sender_key_state_by_id(raw_record, &state,
                                                       sender_key_distribution_message_get_id(raw)) == SG_SUCCESS &&
          ec_public_key_compare(sender_key_state_get_signing_key_public(state),
                                sender_key_distribution_message_get_signature_key(raw)) == 0) {
        return absl::OkStatus();
      }
    }
  }
  group_session_builder* raw_builder = nullptr;
  Require(group_session_builder_create(&raw_builder, library_->store, library_->context) == SG_SUCCESS);
  const Freed<group_session_builder> builder(raw_builder, group_session_builder_free);
  const GroupAddress address(group, author);
  return StatusOf(library_->End(group_session_builder_process_session(raw_builder, &address.name, raw)));
}

Decrypted SignalSessions::DecryptGroup(const Jid& group, const Jid& author, ByteView message) {
  if (message.empty() || message.size() > kMaxMessage) return {.outcome = DecryptOutcome::kMalformed};
  sender_key_message* raw = nullptr;
  int code = sender_key_message_deserialize(&raw, message.data(), message.size(), library_->context);
  const Ref<sender_key_message> parsed(raw);
  signal_buffer* plaintext = nullptr;
  if (code == SG_SUCCESS) {
    const GroupAddress address(group, author);
    group_cipher* raw_cipher = nullptr;
    Require(group_cipher_create(&raw_cipher, library_->store, &address.name, library_->context) == SG_SUCCESS);
    const Freed<group_cipher> cipher(raw_cipher, group_cipher_free);
    code = group_cipher_decrypt(raw_cipher, raw, nullptr, &plaintext);
  }
  const Buffer buffer(plaintext, signal_buffer_bzero_free);
  Decrypted result{.outcome = OutcomeOf(library_->End(code))};
  if (code >= 0 && plaintext != nullptr) result.plaintext = ToBytes(ContentOf(plaintext));
  return result;
}

absl::StatusOr<Bytes> SignalSessions::MakeSenderKey(const Jid& group, const Jid& own_device) {
  group_session_builder* raw_builder = nullptr;
  Require(group_session_builder_create(&raw_builder, library_->store, library_->context) == SG_SUCCESS);
  const Freed<group_session_builder> builder(raw_builder, group_session_builder_free);
  const GroupAddress address(group, own_device);
  sender_key_distribution_message* raw = nullptr;
  const int code = library_->End(group_session_builder_create_session(raw_builder, &raw, &address.name));
  const Ref<sender_key_distribution_message> message(raw);
  if (code < 0) return StatusOf(code);
  return ToBytes(ContentOf(ciphertext_message_get_serialized(reinterpret_cast<ciphertext_message*>(raw))));
}

absl::StatusOr<Bytes> SignalSessions::EncryptGroup(const Jid& group, const Jid& own_device, ByteView padded) {
  const GroupAddress address(group, own_device);
  group_cipher* raw_cipher = nullptr;
  Require(group_cipher_create(&raw_cipher, library_->store, &address.name, library_->context) == SG_SUCCESS);
  const Freed<group_cipher> cipher(raw_cipher, group_cipher_free);
  ciphertext_message* raw = nullptr;
  const int code = library_->End(group_cipher_encrypt(raw_cipher, padded.data(), padded.size(), &raw));
  const Ref<ciphertext_message> message(raw);
  if (code < 0) return StatusOf(code);
  return ToBytes(ContentOf(ciphertext_message_get_serialized(raw)));
}

}  // namespace medidesk::gateway::wa
