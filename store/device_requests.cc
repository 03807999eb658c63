#include "store/device_requests.h"

#include <fmt/format.h>
#include <openssl/sha.h>

#include <algorithm>
#include <array>

#include "base/phone_number.h"
#include "base/rpc/error_details.h"
#include "base/uuid.h"
#include "store/clean_text.h"
#include "store/number_rows.h"
#include "store/turn_rows.h"

namespace medidesk::store {
namespace {

constexpr std::size_t kMaxBatchBytes = 3u << 20, kMaxSealedBytes = 512u << 10, kMaxKeyBytes = 200;
constexpr int kMaxOperations = 500;
constexpr std::string_view kLower = "abcdefghijklmnopqrstuvwxyz", kUpper = "ABCDEFGHIJKLMNOPQRSTUVWXYZ",
                           kDigits = "0123456789";

bool Made(std::string_view text, std::size_t min, std::size_t max, std::string_view others, bool upper = true) {
  return text.size() >= min && text.size() <= max && std::all_of(text.begin(), text.end(), [&](char c) {
           return kLower.find(c) != std::string_view::npos || kDigits.find(c) != std::string_view::npos ||
                  (upper && kUpper.find(c) != std::string_view::npos) || others.find(c) != std::string_view::npos;
         });
}
bool IsE164(const std::string& text) {
  const auto phone = PhoneNumber::Parse(text);
  return phone && phone->E164() == text;
}
bool IsLid(std::string_view text) {
  return !text.empty() && text.size() <= 32 && text.find_first_not_of(kDigits) == std::string_view::npos;
}
// Text for a column: without NUL, bounded. (A protobuf string is valid UTF-8.)
bool Storable(const std::string& text, std::size_t max) {
  return text.size() <= max && text.find('\0') == std::string::npos;
}

template <class Field>
absl::Status Id(const Field& field, const std::string& id) {
  return IsUuid(id) ? absl::OkStatus() : rpc::InvalidField(field, "expected a UUID");
}
template <class Field>
absl::Status Code(const Field& field, const std::string& code) {
  return Made(code, 0, 64, "_:.-") ? absl::OkStatus()
                                   : rpc::InvalidField(field, "at most 64 letters, digits and _ : . -");
}
bool IsKind(v1::DeviceStateKind kind) {
  return kind != v1::DEVICE_STATE_KIND_UNSPECIFIED && v1::DeviceStateKind_IsValid(kind);
}

absl::Status CheckName(std::string_view field, v1::DeviceStateKind kind, const std::string& key) {
  if (!IsKind(kind)) return rpc::InvalidField(field, "kind: expected a known one");
  if (key.empty() || !Storable(key, kMaxKeyBytes)) return rpc::InvalidField(field, "key: expected 1 to 200 bytes");
  return absl::OkStatus();
}

absl::Status CheckContact(const v1::PhoneContact& contact, bool both) {
  const bool phone = !contact.phone().empty(), lid = !contact.lid().empty();
  if (both ? !(phone && lid) : !(phone || lid))
    return rpc::InvalidField("contact", both ? "phone and lid are needed" : "phone or lid is needed");
  if (phone && !IsE164(contact.phone())) return rpc::InvalidField("contact.phone", "expected E.164 with +");
  if (lid && !IsLid(contact.lid())) return rpc::InvalidField("contact.lid", "expected 1 to 32 digits");
  return absl::OkStatus();
}

absl::Status CheckAccept(const v1::AcceptOperation& accept) {
  MD_RETURN_IF_ERROR(Id("accept.message_id", accept.message_id()));
  MD_RETURN_IF_ERROR(CheckContact(accept.contact(), /*both=*/false));
  const auto is_id = [](const std::string& id) { return !id.empty() && id.size() <= 256; };
  if (!is_id(accept.whatsapp_message_id()))
    return rpc::InvalidField("accept.whatsapp_message_id", "expected 1 to 256 bytes");
  if (ToText(accept.kind()).empty()) return rpc::InvalidField("accept.kind", "expected a known kind");
  const bool targets = accept.kind() == v1::INBOUND_KIND_EDIT || accept.kind() == v1::INBOUND_KIND_DELETION ||
                       accept.kind() == v1::INBOUND_KIND_REACTION;
  if (targets && !is_id(accept.target_whatsapp_message_id())) {
    return rpc::InvalidField("accept.target_whatsapp_message_id", "needed for this kind");
  }
  if (accept.target_whatsapp_message_id().size() > 256) {
    return rpc::InvalidField("accept.target_whatsapp_message_id", "at most 256 bytes");
  }
  const bool has_words = accept.kind() == v1::INBOUND_KIND_TEXT || accept.kind() == v1::INBOUND_KIND_UNREADABLE;
  if (has_words && accept.text().empty()) return rpc::InvalidField("accept.text", "must not be empty");
  // The year 2100: beyond what to_timestamp and the ages can be asked.
  if (!accept.has_message_time() || accept.message_time().seconds() < 0 ||
      accept.message_time().seconds() > 4'102'444'800 || accept.message_time().nanos() < 0 ||
      accept.message_time().nanos() > 999'999'999) {
    return rpc::InvalidField("accept.message_time", "expected a time");
  }
  if (std::abs(accept.server_offset().seconds()) > 10LL * 365 * 86'400)
    return rpc::InvalidField("accept.server_offset", "too large");
  MD_RETURN_IF_ERROR(Code("accept.verdict.family", accept.verdict().family()));
  MD_RETURN_IF_ERROR(Code("accept.turn_verdict.family", accept.turn_verdict().family()));
  if (!accept.trace_id().empty() && !Made(accept.trace_id(), 32, 32, "", /*upper=*/false)) {
    return rpc::InvalidField("accept.trace_id", "expected 32 lower-case hex digits");
  }
  if (!accept.has_fixed_reply()) {
    if (!accept.fixed_reply_id().empty()) return rpc::InvalidField("accept.fixed_reply_id", "needs a fixed_reply");
    return absl::OkStatus();
  }
  if (accept.from_me()) return rpc::InvalidField("accept.fixed_reply", "answers a patient only");
  if (ToText(accept.fixed_reply().kind()).empty())
    return rpc::InvalidField("accept.fixed_reply.kind", "expected a known kind");
  if (accept.fixed_reply().text().empty()) return rpc::InvalidField("accept.fixed_reply.text", "must not be empty");
  return Id("accept.fixed_reply_id", accept.fixed_reply_id());
}

absl::Status CheckPart(const v1::CommitOutboundOperation& part) {
  MD_RETURN_IF_ERROR(Id("commit_outbound.reply_id", part.reply_id()));
  if (part.part_count() < 1 || part.part_count() > 3)
    return rpc::InvalidField("commit_outbound.part_count", "expected 1 to 3");
  if (part.part() < 0 || part.part() >= part.part_count())
    return rpc::InvalidField("commit_outbound.part", "expected less than part_count");
  if (part.stanza_id() != StanzaId(part.reply_id(), part.part())) {
    return rpc::InvalidField("commit_outbound.stanza_id", "is not that of this reply and part");
  }
  return absl::OkStatus();
}

absl::Status CheckMark(const v1::MarkDeliveryOperation& mark) {
  if (mark.stanza_id().empty() || !Storable(mark.stanza_id(), 256))
    return rpc::InvalidField("mark_delivery.stanza_id", "expected 1 to 256 bytes");
  switch (mark.state()) {
    case v1::PART_STATE_SENT:
    case v1::PART_STATE_DELIVERED:
    case v1::PART_STATE_READ:
    case v1::PART_STATE_FAILED:
    case v1::PART_STATE_UNKNOWN:
      return Code("mark_delivery.failure", mark.failure());
    default:
      return rpc::InvalidField("mark_delivery.state", "expected SENT, DELIVERED, READ, FAILED or UNKNOWN");
  }
}

absl::Status CheckDelete(const v1::DeleteDeviceStateOperation& remove) {
  if (!IsKind(remove.kind())) return rpc::InvalidField("delete_device_state.kind", "expected a known kind");
  const int named = !remove.key().empty() + !remove.key_prefix().empty() + remove.all();
  if (named != 1) return rpc::InvalidField("delete_device_state", "expected one of key, key_prefix and all");
  if (!Storable(remove.key(), kMaxKeyBytes) || !Storable(remove.key_prefix(), kMaxKeyBytes)) {
    return rpc::InvalidField("delete_device_state.key", "at most 200 bytes");
  }
  return absl::OkStatus();
}

absl::Status CheckState(const v1::SetNumberStateOperation& state) {
  if (!v1::NumberState_IsValid(state.state()) || !v1::SendState_IsValid(state.send_state())) {
    return rpc::InvalidField("set_number_state.state", "expected a known state");
  }
  MD_RETURN_IF_ERROR(Code("set_number_state.state_reason", state.state_reason()));
  if (!state.phone().empty() && !IsE164(state.phone()))
    return rpc::InvalidField("set_number_state.phone", "expected E.164 with +");
  if (!Made(state.device_jid(), 0, 128, "@.:_-"))
    return rpc::InvalidField("set_number_state.device_jid", "expected a JID");
  if (!Made(state.platform(), 0, 64, "_.- "))
    return rpc::InvalidField("set_number_state.platform", "at most 64 letters and digits");
  if (state.linked() && state.unlinked())
    return rpc::InvalidField("set_number_state.linked", "and unlinked exclude each other");
  if (state.linked() && state.device_jid().empty())
    return rpc::InvalidField("set_number_state.device_jid", "needed with linked");
  return absl::OkStatus();
}

absl::Status CheckOperation(const v1::Operation& operation) {
  switch (operation.operation_case()) {
    case v1::Operation::kAccept:
      return CheckAccept(operation.accept());
    case v1::Operation::kCommitOutbound:
      return CheckPart(operation.commit_outbound());
    case v1::Operation::kMarkDelivery:
      return CheckMark(operation.mark_delivery());
    case v1::Operation::kPutDeviceState: {
      const v1::DeviceRecord& record = operation.put_device_state().record();
      MD_RETURN_IF_ERROR(CheckName("put_device_state.record", record.kind(), record.key()));
      const bool fits = !record.sealed().empty() && record.sealed().size() <= kMaxSealedBytes;
      return fits ? absl::OkStatus()
                  : rpc::InvalidField("put_device_state.record.sealed", "expected 1 byte to 512 KiB");
    }
    case v1::Operation::kDeleteDeviceState:
      return CheckDelete(operation.delete_device_state());
    case v1::Operation::kSetNumberState:
      return CheckState(operation.set_number_state());
    case v1::Operation::kLearnContact:
      return CheckContact(operation.learn_contact().contact(), /*both=*/true);
    default:
      return rpc::InvalidField("operations", "an operation is missing or unknown");
  }
}

}  // namespace

std::string StanzaId(std::string_view reply_id, int part) {
  std::string bytes;
  int high = -1;
  for (const char c : reply_id) {
    if (c == '-') continue;
    const int digit = c >= 'a' ? c - 'a' + 10 : c >= 'A' ? c - 'A' + 10 : c - '0';
    if (high < 0) {
      high = digit;
    } else {
      bytes += static_cast<char>(high << 4 | digit);
      high = -1;
    }
  }
  bytes += static_cast<char>(part);
  std::array<unsigned char, SHA256_DIGEST_LENGTH> digest;
  SHA256(reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size(), digest.data());
  std::string id = "3EB0";
  for (int i = 0; i < 9; ++i) id += fmt::format("{:02X}", digest[static_cast<std::size_t>(i)]);
  return id;
}

absl::Status CheckGateway(const std::string& gateway_id, const std::string& instance_id) {
  if (!Made(gateway_id, 1, 64, "._-"))
    return rpc::InvalidField("gateway_id", "expected 1 to 64 letters, digits and . _ -");
  return Id("instance_id", instance_id);
}

absl::Status Check(const v1::HeartbeatRequest& request) {
  MD_RETURN_IF_ERROR(CheckGateway(request.gateway_id(), request.instance_id()));
  if (!Made(request.address(), 0, 256, ".:-_[]/")) return rpc::InvalidField("address", "expected host:port");
  if (!Made(request.version(), 0, 64, "._+-"))
    return rpc::InvalidField("version", "at most 64 letters, digits and . _ + -");
  if (request.free_capacity() < 0) return rpc::InvalidField("free_capacity", "expected 0 or more");
  if (request.sequence() < 0) return rpc::InvalidField("sequence", "expected 0 or more");
  return absl::OkStatus();
}

absl::Status Check(const v1::UpsertNumberRequest& request) {
  MD_RETURN_IF_ERROR(Id("commit_id", request.commit_id()));
  const v1::Number& number = request.number();
  const v1::Actor& actor = request.actor();
  const bool by_id = actor.kind() == v1::ACTOR_KIND_STAFF || actor.kind() == v1::ACTOR_KIND_TOKEN;
  const bool service = actor.kind() == v1::ACTOR_KIND_SERVICE && Made(actor.id(), 1, 16, "", /*upper=*/false);
  if (by_id) MD_RETURN_IF_ERROR(Id("actor.id", actor.id()));
  if (!by_id && !service && actor.kind() != v1::ACTOR_KIND_OPERATOR)
    return rpc::InvalidField("actor", "say who makes the change");
  const bool made = number.id().empty();
  if (!made) MD_RETURN_IF_ERROR(Id("number.id", number.id()));
  if (!made && request.update_mask().paths().empty()) return rpc::InvalidField("update_mask", "names what to change");
  bool named = made, phone = made && !number.phone().empty();
  for (const std::string& path : request.update_mask().paths()) {
    constexpr std::string_view kPaths[] = {"name", "phone", "enabled", "bot_enabled", "phone_auto_replies"};
    if (std::find(std::begin(kPaths), std::end(kPaths), path) == std::end(kPaths)) {
      return rpc::InvalidField("update_mask", "expected name, phone, enabled, bot_enabled or phone_auto_replies");
    }
    named = named || path == "name";
    phone = phone || (path == "phone" && !number.phone().empty());
  }
  if (named && !Made(number.name(), 1, 32, "-", /*upper=*/false)) {
    return rpc::InvalidField("number.name", "expected 1 to 32 of a-z, 0-9 and -");
  }
  if (phone && !IsE164(number.phone())) return rpc::InvalidField("number.phone", "expected E.164 with +");
  return Made(number.etag(), 0, 32, "") ? absl::OkStatus()
                                        : rpc::InvalidField("number.etag", "expected one that was read before");
}

absl::Status Check(const v1::LoadDeviceStateRequest& request) {
  MD_RETURN_IF_ERROR(Id("number_id", request.number_id()));
  if (request.lease_token() < 0) return rpc::InvalidField("lease_token", "expected 0 or a token");
  const auto open = [&](v1::DeviceStateKind kind) {
    return request.lease_token() != 0 || kind == v1::DEVICE_STATE_KIND_CREDENTIALS ||
           kind == v1::DEVICE_STATE_KIND_SETTING;
  };
  if (request.names_size() > 1000) return rpc::InvalidField("names", "at most 1,000");
  for (const v1::DeviceRecordName& name : request.names()) {
    MD_RETURN_IF_ERROR(CheckName("names", name.kind(), name.key()));
    if (!open(name.kind())) return rpc::InvalidField("names", "without a lease: CREDENTIALS and SETTING only");
  }
  if (request.names_size() > 0) {
    const bool alone = request.kind() == v1::DEVICE_STATE_KIND_UNSPECIFIED && request.page_token().empty();
    return alone ? absl::OkStatus() : rpc::InvalidField("names", "exclude kind and page_token");
  }
  if (!IsKind(request.kind())) return rpc::InvalidField("kind", "expected a known kind");
  if (!open(request.kind())) return rpc::InvalidField("kind", "without a lease: CREDENTIALS and SETTING only");
  if (request.page_size() < 0 || request.page_size() > 1000)
    return rpc::InvalidField("page_size", "expected 0 to 1,000");
  return Storable(request.page_token(), kMaxKeyBytes)
             ? absl::OkStatus()
             : rpc::InvalidField("page_token", "expected the token of a page that was read before");
}

absl::Status Check(const v1::CommitBatchRequest& request) {
  MD_RETURN_IF_ERROR(Id("number_id", request.number_id()));
  MD_RETURN_IF_ERROR(Id("commit_id", request.commit_id()));
  if (request.lease_token() < 1) return rpc::InvalidField("lease_token", "expected a token");
  if (request.first_revision() < 1) return rpc::InvalidField("first_revision", "expected 1 or more");
  if (request.operations_size() < 1 || request.operations_size() > kMaxOperations) {
    return rpc::InvalidField("operations", "expected 1 to 500");
  }
  if (request.ByteSizeLong() > kMaxBatchBytes) return rpc::InvalidField("operations", "at most 3 MiB together");
  for (const v1::Operation& operation : request.operations()) MD_RETURN_IF_ERROR(CheckOperation(operation));
  return absl::OkStatus();
}

}  // namespace medidesk::store
