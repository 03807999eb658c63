#include "gateway/wa/messages/notices.h"

#include <boost/json.hpp>

#include <algorithm>
#include <charconv>
#include <utility>

#include "gateway/wa/messages/contact_tokens.h"
#include "gateway/wa/messages/device_list.h"
#include "gateway/wa/messages/receiver.h"
#include "gateway/wa/stanza_ack.h"

namespace medidesk::gateway::wa {
namespace {

constexpr std::size_t kMaxIds = 1'000;       // of one receipt
constexpr std::size_t kMaxToken = 1'024;     // bytes
constexpr std::size_t kMaxJson = 64u << 10;  // bytes
constexpr std::chrono::seconds kUnknownLock{60};

// Ids of ours: 3EB0 and 18 hex digits. Others are those of the phone and its other companions.
bool MayBeOurs(std::string_view id) { return id.size() == 22 && id.starts_with("3EB0"); }

const boost::json::object* ObjectAt(const boost::json::value& value, std::initializer_list<std::string_view> path) {
  const boost::json::value* at = &value;
  for (const std::string_view name : path) {
    const auto* object = at->if_object();
    at = object == nullptr ? nullptr : object->if_contains(name);
    if (at == nullptr) return nullptr;
  }
  return at->if_object();
}

std::string TextAt(const boost::json::object& object, std::string_view name) {
  const auto* value = object.if_contains(name);
  const auto* text = value == nullptr ? nullptr : value->if_string();
  return text == nullptr || text->size() > 100 ? "" : std::string(*text);
}

std::optional<WallTime> TimeAt(const boost::json::object& object, std::string_view name) {
  const std::string text = TextAt(object, name);
  std::int64_t seconds = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), seconds);
  if (error != std::errc() || end != text.data() + text.size() || seconds <= 0 || seconds > 32'503'680'000) {
    return std::nullopt;
  }
  return FromUnix(seconds);
}

}  // namespace

std::optional<MessageEvent> AccountNewsOf(std::string_view name, std::string_view json, WallTime now) {
  if (json.size() > kMaxJson) return std::nullopt;
  boost::json::error_code error;
  const boost::json::value value = boost::json::parse({json.data(), json.size()}, error);
  if (error) return std::nullopt;
  if (name == "NotificationUserReachoutTimelockUpdate") {
    const auto* lock = ObjectAt(value, {"data", "xwa2_notify_account_reachout_timelock"});
    if (lock == nullptr) return std::nullopt;
    const auto* active = lock->if_contains("is_active");
    ReachoutLimited limited{.active = active != nullptr && active->is_bool() && active->get_bool(),
                            .ends = TimeAt(*lock, "time_enforcement_ends"),
                            .kind = TextAt(*lock, "enforcement_type")};
    if (!limited.active) limited.ends.reset();
    if (limited.active && !limited.ends) limited.ends = now + kUnknownLock;
    return limited;
  }
  if (name == "MessageCappingInfoNotification") {
    const auto* cap = ObjectAt(value, {"data", "xwa2_notify_new_chat_messages_capping_info_update"});
    if (cap == nullptr) return std::nullopt;
    return NewChatCap{.status = TextAt(*cap, "capping_status"), .ends = TimeAt(*cap, "cycle_end_timestamp")};
  }
  return std::nullopt;
}

// ---- Receipts -----------------------------------------------------------------------------------

void Notices::OnReceipt(const Node& receipt, Effects& effects) {
  const std::string_view type = receipt.Attr("type");
  if (type == "retry") return retries_.OnRequest(receipt, effects);
  if (const auto ack = AckOf(receipt, host_.own_jid())) effects.after.push_back(*ack);
  const auto from = receipt.AttrJid("from");
  const bool delivered = type.empty() || type == "inactive";
  const bool read = type == "read" || type == "played";
  if (!from || host_.IsOwn(PlainAccount(*from)) || (!delivered && !read)) return;
  const WallTime time = FromUnix(static_cast<std::int64_t>(std::min<std::uint64_t>(
      receipt.AttrNumber("t").value_or(static_cast<std::uint64_t>(host_.UnixNow())), 32'503'680'000)));
  const auto mark = [&](std::string_view id) {
    if (!MayBeOurs(id) || effects.marks.size() >= kMaxIds) return;
    effects.marks.push_back(
        {.stanza_id = std::string(id), .state = read ? DeliveryState::kRead : DeliveryState::kDelivered, .time = time});
  };
  mark(receipt.Attr("id"));
  if (const Node* list = receipt.Child("list")) {
    for (const Node& item : list->Children()) {
      if (item.Attr("id") != receipt.Attr("id")) mark(item.Attr("id"));
    }
  }
}

// ---- Notifications ------------------------------------------------------------------------------

void Notices::OnNotification(const Node& notification, Effects& effects) {
  if (const auto ack = AckOf(notification, host_.own_jid())) effects.after.push_back(*ack);
  const std::string_view type = notification.Attr("type");
  if (type == "encrypt") return OnIdentity(notification, effects);
  if (type == "devices") return OnDevices(notification, effects);
  if (type == "privacy_token") return OnToken(notification, effects);
  if (type == "account_sync" && notification.Child("devices") != nullptr) {
    DropDeviceList(host_.workspace(), book_.CanonicalAccount(host_.own_jid()));
  }
  if (type == "mex") OnAccount(notification, effects);
}

void Notices::OnIdentity(const Node& notification, Effects& effects) {
  const auto from = notification.AttrJid("from");
  if (!from || from->device != 0 || from->user.empty() || notification.Child("identity") == nullptr) return;
  const Jid person = PlainAccount(*from);
  if (host_.IsOwn(person)) return;
  const Jid account = book_.CanonicalAccount(person);
  std::vector<Jid> devices = ReadDeviceList(host_.workspace(), account).devices;
  devices.push_back(account);
  for (const Jid& device : devices) host_.signal().EndSession(device);
  DropDeviceList(host_.workspace(), account);
  effects.events.push_back(IdentityChanged{.chat = person});
  // The new phone has lost the trust that we gave the old one; within its time it is given again as it was.
  const Bytes* stored = host_.workspace().Get(ContactTokenName(account));
  const ContactToken token = stored == nullptr ? ContactToken{} : ContactToken::Parse(*stored);
  const ContactToken given{.token = {1}, .token_time = token.given_time};
  if (token.given_time == 0 || !given.ValidAt(host_.UnixNow())) return;
  effects.now.push_back([this, account, time = token.given_time] { sender_.GiveToken(account, time); });
}

void Notices::OnDevices(const Node& notification, Effects& effects) {
  const auto from = notification.AttrJid("from");
  if (!from || from->user.empty()) return;
  const Jid person = PlainAccount(*from);
  if (const auto lid = notification.AttrJid("lid")) book_.Learn(person, *lid, 0, effects);
  const Jid account = book_.CanonicalAccount(person);
  DropDeviceList(host_.workspace(), account);
  const Node* removed = notification.Child("remove");
  if (removed == nullptr) return;
  std::size_t count = 0;
  for (const Node& device : removed->Children()) {
    const auto jid = device.AttrJid("jid");
    if (device.tag != "device" || !jid || jid->device == 0 || ++count > 100) continue;
    if (book_.CanonicalAccount(*jid) == account) host_.signal().ForgetDevice(book_.Canonical(*jid));
  }
}

void Notices::OnToken(const Node& notification, Effects& effects) {
  const auto from = notification.AttrJid("from");
  const Node* tokens = notification.Child("tokens");
  if (!from || tokens == nullptr) return;
  const Jid person = PlainAccount(*from);
  if (host_.IsOwn(person) || person.user == "0" || person.user.empty()) return;
  const auto lid = notification.AttrJid("sender_lid");
  if (lid) book_.Learn(person, *lid, 0, effects);
  const RecordName name = ContactTokenName(book_.CanonicalAccount(lid ? *lid : person));
  for (const Node& one : tokens->Children()) {
    const auto time = one.AttrNumber("t");
    const ByteView bytes = one.ContentBytes();
    if (one.tag != "token" || one.Attr("type") != "trusted_contact" || !time || bytes.empty() ||
        bytes.size() > kMaxToken) {
      continue;
    }
    const Bytes* stored = host_.workspace().Get(name);
    ContactToken token = stored == nullptr ? ContactToken{} : ContactToken::Parse(*stored);
    if (static_cast<std::int64_t>(*time) < token.token_time) continue;
    token.token = ToBytes(bytes);
    token.token_time = static_cast<std::int64_t>(*time);
    host_.workspace().Put(name, token.Serialize());
  }
}

void Notices::OnAccount(const Node& notification, Effects& effects) {
  const auto from = notification.AttrJid("from");
  if (!from || !from->IsServer()) return;
  for (const Node& update : notification.Children()) {
    if (update.tag != "update") continue;
    auto news = AccountNewsOf(update.Attr("op_name"), update.ContentText(), host_.now().wall);
    if (news) effects.events.push_back(*std::move(news));
  }
}

std::optional<PeerTyping> Notices::TypingOf(const Node& chatstate) const {
  const auto from = chatstate.AttrJid("from");
  if (!from || from->user.empty()) return std::nullopt;
  const Jid chat = PlainAccount(*from);
  if ((chat.server != kUserServer && chat.server != kLidServer) || host_.IsOwn(chat)) return std::nullopt;
  return PeerTyping{.chat = chat, .composing = chatstate.Child("composing") != nullptr};
}

}  // namespace medidesk::gateway::wa
