#include "gateway/wa/signal/signal_sessions.h"

#include <signal/group_cipher.h>
#include <signal/group_session_builder.h>
#include <signal/protocol.h>
#include <signal/sender_key.h>
#include <signal/sender_key_state.h>
#include <signal/session_builder.h>
#include <signal/session_state.h>

#include <utility>

#include "base/status.h"
#include "gateway/wa/pre_keys.h"
#include "gateway/wa/signal/signal_library.h"
#include "gateway/wa/signal_address.h"

namespace medidesk::gateway::wa {
namespace {

constexpr std::size_t kMaxMessage = 2u << 20;  // bytes of one ciphertext

template <class T>
using Ref = SignalRef<T>;
template <class T>
using Freed = SignalFreed<T>;

Ref<ec_public_key> PublicKey(const Key32& key) {
  const TypedKey32 typed = TypedKey(key);
  ec_public_key* raw = nullptr;
  Require(curve_decode_point(&raw, typed.data(), typed.size(), nullptr) == SG_SUCCESS);
  return Ref<ec_public_key>(raw);
}

RecordName NumberedName(RecordKind kind, std::uint32_t id) { return {.kind = kind, .key = std::to_string(id)}; }

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

SignalSessions::SignalSessions(Workspace& workspace, const KeyPair& identity, std::uint32_t registration_id,
                               Entropy entropy)
    : library_(std::make_unique<SignalLibrary>(workspace, identity, registration_id, std::move(entropy), kMaxRecord)) {}

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
  const SignalAddress address(device);
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
  const SignalBuffer buffer(plaintext, signal_buffer_bzero_free);
  Decrypted result{.outcome = OutcomeOf(library_->End(code))};
  if (code >= 0 && plaintext != nullptr) result.plaintext = ToBytes(ContentOf(plaintext));
  return result;
}

absl::StatusOr<Encrypted> SignalSessions::Encrypt(const Jid& device, ByteView padded) {
  const SignalAddress address(device);
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
  const SignalAddress address(device);
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
  const Ref<session_record> record = library_->Session(SessionName(device));
  return record == nullptr ? 0 : session_state_get_remote_registration_id(session_record_get_state(record.get()));
}

Bytes SignalSessions::BaseKey(const Jid& device) {
  const Ref<session_record> record = library_->Session(SessionName(device));
  if (record == nullptr) return {};
  const ec_public_key* key = session_state_get_alice_base_key(session_record_get_state(record.get()));
  signal_buffer* raw = nullptr;
  if (key == nullptr || ec_public_key_serialize(&raw, key) != SG_SUCCESS) return {};
  const SignalBuffer buffer(raw, signal_buffer_bzero_free);
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
  const SignalGroupAddress address(group, author);
  return StatusOf(library_->End(group_session_builder_process_session(raw_builder, &address.name, raw)));
}

Decrypted SignalSessions::DecryptGroup(const Jid& group, const Jid& author, ByteView message) {
  if (message.empty() || message.size() > kMaxMessage) return {.outcome = DecryptOutcome::kMalformed};
  sender_key_message* raw = nullptr;
  int code = sender_key_message_deserialize(&raw, message.data(), message.size(), library_->context);
  const Ref<sender_key_message> parsed(raw);
  signal_buffer* plaintext = nullptr;
  if (code == SG_SUCCESS) {
    const SignalGroupAddress address(group, author);
    group_cipher* raw_cipher = nullptr;
    Require(group_cipher_create(&raw_cipher, library_->store, &address.name, library_->context) == SG_SUCCESS);
    const Freed<group_cipher> cipher(raw_cipher, group_cipher_free);
    code = group_cipher_decrypt(raw_cipher, raw, nullptr, &plaintext);
  }
  const SignalBuffer buffer(plaintext, signal_buffer_bzero_free);
  Decrypted result{.outcome = OutcomeOf(library_->End(code))};
  if (code >= 0 && plaintext != nullptr) result.plaintext = ToBytes(ContentOf(plaintext));
  return result;
}

absl::StatusOr<Bytes> SignalSessions::MakeSenderKey(const Jid& group, const Jid& own_device) {
  group_session_builder* raw_builder = nullptr;
  Require(group_session_builder_create(&raw_builder, library_->store, library_->context) == SG_SUCCESS);
  const Freed<group_session_builder> builder(raw_builder, group_session_builder_free);
  const SignalGroupAddress address(group, own_device);
  sender_key_distribution_message* raw = nullptr;
  const int code = library_->End(group_session_builder_create_session(raw_builder, &raw, &address.name));
  const Ref<sender_key_distribution_message> message(raw);
  if (code < 0) return StatusOf(code);
  return ToBytes(ContentOf(ciphertext_message_get_serialized(reinterpret_cast<ciphertext_message*>(raw))));
}

absl::StatusOr<Bytes> SignalSessions::EncryptGroup(const Jid& group, const Jid& own_device, ByteView padded) {
  const SignalGroupAddress address(group, own_device);
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
