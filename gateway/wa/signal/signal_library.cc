#include "gateway/wa/signal/signal_library.h"

#include <signal/session_state.h>

#include "gateway/wa/signal/signal_crypto.h"
#include "gateway/wa/signal_address.h"

namespace medidesk::gateway::wa {
namespace {

std::string KeyOf(const signal_protocol_address& address) {
  return std::string(address.name, address.name_len) + "." + std::to_string(address.device_id);
}

std::string KeyOf(const signal_protocol_sender_key_name& name) {
  return std::string(name.group_id, name.group_id_len) + "/" + KeyOf(name.sender);
}

}  // namespace

SignalAddress::SignalAddress(const Jid& device) : name(SignalAddressName(device)) {
  address = {.name = name.c_str(), .name_len = name.size(), .device_id = device.device};
}

SignalGroupAddress::SignalGroupAddress(const Jid& group, const Jid& author)
    : group_id(group.ToString()), sender(author) {
  name = {.group_id = group_id.c_str(), .group_id_len = group_id.size(), .sender = sender.address};
}

SignalLibrary::SignalLibrary(Workspace& workspace, const KeyPair& identity, std::uint32_t registration_id,
                             Entropy entropy, std::size_t max_record)
    : workspace(workspace),
      identity_(identity),
      registration_id_(registration_id),
      entropy_(std::move(entropy)),
      max_record_(max_record) {
  crypto_ = SignalCrypto(entropy_);
  Require(signal_context_create(&context, this) == SG_SUCCESS);
  Require(signal_context_set_crypto_provider(context, &crypto_) == SG_SUCCESS);
  Require(signal_protocol_store_context_create(&store, context) == SG_SUCCESS);
  SetSessionStore();
  SetPreKeyStores();
  SetIdentityStore();
  SetSenderKeyStore();
}

SignalLibrary::~SignalLibrary() {
  signal_protocol_store_context_destroy(store);
  signal_context_destroy(context);
}

// ---- Stores -------------------------------------------------------------------------------------

void SignalLibrary::SetSessionStore() {
  signal_protocol_session_store sessions{};
  sessions.user_data = this;
  sessions.load_session_func = [](signal_buffer** record, signal_buffer**, const signal_protocol_address* address,
                                  void* self) { return Of(self).Load(RecordKind::kSession, KeyOf(*address), record); };
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
    Of(self).writes_[{RecordKind::kSession, KeyOf(*address)}] = std::nullopt;
    return 1;
  };
  sessions.delete_all_sessions_func = [](const char*, std::size_t, void*) { return SG_ERR_UNKNOWN; };
  Require(signal_protocol_store_context_set_session_store(store, &sessions) == SG_SUCCESS);
}

void SignalLibrary::SetPreKeyStores() {
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
    Of(self).writes_[{RecordKind::kPreKey, std::to_string(id)}] = std::nullopt;
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

void SignalLibrary::SetIdentityStore() {
  signal_protocol_identity_key_store identities{};
  identities.user_data = this;
  identities.get_identity_key_pair = [](signal_buffer** public_data, signal_buffer** private_data, void* self) {
    const KeyPair& pair = Of(self).identity_;
    const TypedKey32 typed = TypedKey(pair.public_key);
    *public_data = signal_buffer_create(typed.data(), typed.size());
    *private_data = signal_buffer_create(pair.private_key.data(), pair.private_key.size());
    return *public_data == nullptr || *private_data == nullptr ? SG_ERR_NOMEM : SG_SUCCESS;
  };
  identities.get_local_registration_id = [](void* self, std::uint32_t* id) {
    *id = Of(self).registration_id_;
    return SG_SUCCESS;
  };
  identities.save_identity = [](const signal_protocol_address* address, std::uint8_t* key, std::size_t size,
                                void* self) {
    auto& slot = Of(self).writes_[{RecordKind::kIdentity, KeyOf(*address)}];
    if (key == nullptr) {
      slot = std::nullopt;
    } else {
      slot = Bytes(key, key + size);
    }
    return SG_SUCCESS;
  };
  identities.is_trusted_identity = [](const signal_protocol_address*, std::uint8_t*, std::size_t, void*) { return 1; };
  Require(signal_protocol_store_context_set_identity_key_store(store, &identities) == SG_SUCCESS);
}

void SignalLibrary::SetSenderKeyStore() {
  signal_protocol_sender_key_store sender_keys{};
  sender_keys.user_data = this;
  sender_keys.store_sender_key = [](const signal_protocol_sender_key_name* name, std::uint8_t* record, std::size_t size,
                                    std::uint8_t*, std::size_t, void* self) {
    // Grown out of all bounds by its author, it is of no use: a new distribution message starts afresh.
    auto& slot = Of(self).writes_[{RecordKind::kSenderKey, KeyOf(*name)}];
    if (size > Of(self).max_record_) {
      slot = std::nullopt;
    } else {
      slot = Bytes(record, record + size);
    }
    return SG_SUCCESS;
  };
  sender_keys.load_sender_key = [](signal_buffer** record, signal_buffer**, const signal_protocol_sender_key_name* name,
                                   void* self) { return Of(self).Load(RecordKind::kSenderKey, KeyOf(*name), record); };
  Require(signal_protocol_store_context_set_sender_key_store(store, &sender_keys) == SG_SUCCESS);
}

const Bytes* SignalLibrary::Find(RecordKind kind, const std::string& key, bool& missing) {
  missing = false;
  if (const auto written = writes_.find({kind, key}); written != writes_.end()) {
    return written->second ? &*written->second : nullptr;
  }
  const RecordName name{.kind = kind, .key = key};
  const Bytes* found = workspace.Get(name);
  missing = found == nullptr && !workspace.Knows(name);
  return found;
}

int SignalLibrary::Load(RecordKind kind, const std::string& key, signal_buffer** record) {
  bool missing = false;
  const Bytes* found = Find(kind, key, missing);
  if (missing) return kRecordMissing;
  if (found == nullptr) return 0;
  *record = signal_buffer_create(found->data(), found->size());
  return *record == nullptr ? SG_ERR_NOMEM : 1;
}

int SignalLibrary::Contains(RecordKind kind, const std::string& key) {
  bool missing = false;
  const Bytes* found = Find(kind, key, missing);
  return missing ? kRecordMissing : found != nullptr ? 1 : 0;
}

int SignalLibrary::StoreSession(const std::string& key, ByteView record) {
  auto& slot = writes_[{RecordKind::kSession, key}];
  slot = ToBytes(record);
  if (record.size() > max_record_) slot = OnlyCurrentState(record);
  return SG_SUCCESS;
}

std::optional<Bytes> SignalLibrary::OnlyCurrentState(ByteView bytes) const {
  session_record* raw = nullptr;
  if (session_record_deserialize(&raw, bytes.data(), bytes.size(), context) != SG_SUCCESS) return std::nullopt;
  const SignalRef<session_record> whole(raw);
  session_record* raw_cut = nullptr;
  if (session_record_create(&raw_cut, session_record_get_state(whole.get()), context) != SG_SUCCESS) {
    return std::nullopt;
  }
  const SignalRef<session_record> cut(raw_cut);
  signal_buffer* raw_buffer = nullptr;
  if (session_record_serialize(&raw_buffer, cut.get()) != SG_SUCCESS) return std::nullopt;
  const SignalBuffer buffer(raw_buffer, signal_buffer_bzero_free);
  if (signal_buffer_len(buffer.get()) > max_record_) return std::nullopt;
  return ToBytes(ContentOf(buffer.get()));
}

int SignalLibrary::End(int code) {
  if (code >= 0) {
    for (auto& [name, value] : writes_) {
      const RecordName record{.kind = name.first, .key = name.second};
      if (value) {
        workspace.Put(record, *std::move(value));
      } else {
        workspace.Erase(record);
      }
    }
  }
  writes_.clear();
  return code;
}

SignalFreed<session_cipher> SignalLibrary::Cipher(const SignalAddress& address) {
  session_cipher* raw = nullptr;
  Require(session_cipher_create(&raw, store, &address.address, context) == SG_SUCCESS);
  return {raw, session_cipher_free};
}

SignalRef<session_record> SignalLibrary::Session(const RecordName& name) {
  const Bytes* bytes = workspace.Get(name);
  session_record* raw = nullptr;
  if (bytes == nullptr || session_record_deserialize(&raw, bytes->data(), bytes->size(), context) != SG_SUCCESS) {
    return nullptr;
  }
  return SignalRef<session_record>(raw);
}

}  // namespace medidesk::gateway::wa
