#include "gateway/wa/messages/iq_peers.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/status.h"

namespace medidesk::gateway::wa {
namespace {

constexpr std::uint16_t kHostedDevice = 99;
constexpr std::size_t kMaxAccounts = 64, kMaxDevices = 128;

ByteView ContentOf(const Node& parent, std::string_view tag) {
  const Node* child = parent.Child(tag);
  return child == nullptr ? ByteView() : child->ContentBytes();
}

std::optional<Key32> ReadKey(const Node& parent, std::string_view tag) {
  const auto key = ToKey(ContentOf(parent, tag));
  return key.ok() ? std::optional(*key) : std::nullopt;
}

// The children of the first <list> of an answer, wherever the protocol has wrapped it.
std::span<const Node> ListOf(const Node& answer, std::string_view wrapper) {
  const Node* parent = wrapper.empty() ? &answer : answer.Child(wrapper);
  const Node* list = parent == nullptr ? nullptr : parent->Child("list");
  return list == nullptr ? std::span<const Node>() : list->Children();
}

void ReadDevices(const Node& user, DeviceListRequest::Account& account) {
  const Node* devices = user.Child("devices");
  if (devices == nullptr || devices->Child("error") != nullptr) return;
  const Node* list = devices->Child("device-list");
  if (list == nullptr) return;
  account.known = true;
  if (const Node* indexes = devices->Child("key-index-list")) {
    account.list.timestamp = indexes->AttrNumber("ts").value_or(0);
  }
  for (const Node& device : list->Children()) {
    const auto id = device.AttrNumber("id");
    if (device.tag != "device" || !id || *id > 255 || account.list.devices.size() >= kMaxDevices) continue;
    const auto index = device.AttrNumber("key-index");
    if (*id == kHostedDevice || device.Attr("is_hosted") == "true" || (*id != 0 && !index)) continue;
    Jid jid = account.jid.WithoutDevice();
    jid.device = static_cast<std::uint16_t>(*id);
    account.list.devices.push_back(std::move(jid));
    if (*id != 0) account.list.key_indexes.push_back(static_cast<std::uint32_t>(*index));
  }
}

}  // namespace

std::optional<std::uint32_t> ReadNumber(ByteView bytes) {
  if (bytes.empty() || bytes.size() > 4) return std::nullopt;
  std::uint32_t number = 0;
  for (const std::uint8_t byte : bytes) number = number << 8 | byte;
  return number;
}

Bytes WriteNumber(std::uint32_t number, int size) {
  Bytes bytes;
  for (int shift = 8 * (size - 1); shift >= 0; shift -= 8) bytes.push_back(static_cast<std::uint8_t>(number >> shift));
  return bytes;
}

std::optional<PreKeyBundle> ReadBundle(const Node& keys, const Node& outer) {
  const Node* signed_key = keys.Child("skey");
  const auto registration = ReadNumber(ContentOf(outer, "registration"));
  const auto identity = ReadKey(keys, "identity");
  if (signed_key == nullptr || !registration || !identity) return std::nullopt;
  const auto signed_id = ReadNumber(ContentOf(*signed_key, "id"));
  const auto signed_value = ReadKey(*signed_key, "value");
  const ByteView signature = ContentOf(*signed_key, "signature");
  PreKeyBundle bundle{.registration_id = *registration, .identity = *identity};
  if (!signed_id || !signed_value || signature.size() != bundle.signature.size()) return std::nullopt;
  bundle.signed_pre_key_id = *signed_id;
  bundle.signed_pre_key = *signed_value;
  std::copy(signature.begin(), signature.end(), bundle.signature.begin());
  if (const Node* key = keys.Child("key")) {
    const auto id = ReadNumber(ContentOf(*key, "id"));
    const auto value = ReadKey(*key, "value");
    if (!id || !value) return std::nullopt;
    bundle.one_time = {.id = *id, .key = *value};
  }
  return bundle;
}

// ---- Devices ------------------------------------------------------------------------------------

Node DeviceListRequest::Build(std::string_view id) const {
  Nodes users;
  for (const Jid& account : accounts) users.push_back({"user", {{"jid", account.WithoutDevice()}}, {}});
  Nodes query{{"devices", {{"version", "2"}}, {}}, {"lid", {}, {}}};
  Nodes parts{{"query", {}, std::move(query)}, {"list", {}, std::move(users)}};
  Node usync{"usync",
             {{"sid", id}, {"mode", "query"}, {"last", "true"}, {"index", "0"}, {"context", "message"}},
             std::move(parts)};
  return ServerIq(id, "get", "usync", std::move(usync));
}

absl::StatusOr<DeviceListRequest::Response> DeviceListRequest::Parse(const Node& answer) {
  const Node* usync = answer.Child("usync");
  if (usync == nullptr) return Error(absl::StatusCode::kInvalidArgument, "a list of devices has no <usync>");
  const Node* result = usync->Child("result");
  const Node* devices = result == nullptr ? nullptr : result->Child("devices");
  const bool failed = devices != nullptr && devices->Child("error") != nullptr;
  Response accounts;
  for (const Node& user : ListOf(answer, "usync")) {
    const auto jid = user.AttrJid("jid");
    if (user.tag != "user" || !jid || jid->user.empty() || accounts.size() >= kMaxAccounts) continue;
    Account account{.jid = jid->WithoutDevice()};
    if (const Node* lid = user.Child("lid"); lid != nullptr) {
      if (auto known = lid->AttrJid("val"); known && known->IsLid() && !known->user.empty()) account.lid = *known;
    }
    if (!failed) ReadDevices(user, account);
    accounts.push_back(std::move(account));
  }
  return accounts;
}

// ---- Keys ---------------------------------------------------------------------------------------

Node PreKeyBundleRequest::Build(std::string_view id) const {
  Nodes users;
  for (const Jid& device : devices) {
    Node user{"user", {{"jid", device}}, {}};
    if (new_identity) user.SetAttr({"reason", "identity"});
    users.push_back(std::move(user));
  }
  return ServerIq(id, "get", "encrypt", {"key", {}, std::move(users)});
}

absl::StatusOr<PreKeyBundleRequest::Response> PreKeyBundleRequest::Parse(const Node& answer) {
  if (answer.Child("list") == nullptr) return Error(absl::StatusCode::kInvalidArgument, "keys come without a <list>");
  Response bundles;
  for (const Node& user : ListOf(answer, "")) {
    const auto jid = user.AttrJid("jid");
    if (user.tag != "user" || !jid || bundles.size() >= kMaxDevices * 2) continue;
    const Node* keys = user.Child("keys");
    bundles.push_back({.device = *jid, .bundle = ReadBundle(keys == nullptr ? user : *keys, user)});
  }
  return bundles;
}

// ---- Tokens -------------------------------------------------------------------------------------

Node GiveTokenRequest::Build(std::string_view id) const {
  Node token{"token", {{"jid", contact}, {"t", fmt::format("{}", time)}, {"type", "trusted_contact"}}, {}};
  return ServerIq(id, "set", "privacy", {"tokens", {}, Nodes{std::move(token)}});
}

}  // namespace medidesk::gateway::wa
