#include "gateway/wa/messages/message_stanza.h"

#include <algorithm>

#include "gateway/wa/messages/address_book.h"
#include "gateway/wa/utf8.h"

namespace medidesk::gateway::wa {
namespace {

constexpr std::size_t kMaxIdSize = 256;    // bytes
constexpr std::size_t kMaxPushName = 200;  // bytes
constexpr std::size_t kMaxEncrypted = 8;
constexpr std::uint64_t kMaxTime = 32'503'680'000;  // the year 3000

// Numbers of WhatsApp's own assistants.
bool IsBotNumber(std::string_view user) {
  return (user.starts_with("1313555") && user.size() == 11) || (user.starts_with("131655500") && user.size() == 11);
}

bool IsPerson(const Jid& jid) {
  const Jid plain = PlainAccount(jid);
  if (plain.user.empty() || plain.user == "0" || IsBotNumber(plain.user)) return false;
  return plain.server == kUserServer || plain.server == kLidServer;
}

std::optional<Jid> FirstJid(const Node& node, std::initializer_list<std::string_view> names) {
  for (const std::string_view name : names) {
    if (auto jid = node.AttrJid(name)) return PlainAccount(*jid);
  }
  return std::nullopt;
}

void ReadPair(const Node& node, MessageStanza& stanza) {
  if (stanza.origin == StanzaOrigin::kPerson) {
    stanza.phone = FirstJid(node, {"sender_pn"});
    stanza.lid = FirstJid(node, {"sender_lid"});
  } else {
    stanza.phone = FirstJid(node, {"peer_recipient_pn", "recipient_pn"});
    stanza.lid = FirstJid(node, {"peer_recipient_lid", "recipient_lid"});
  }
  (stanza.chat.server == kLidServer ? stanza.lid : stanza.phone) = stanza.chat;
}

}  // namespace

MessageStanza ReadMessageStanza(const Node& node, const MessageHost& host) {
  MessageStanza stanza;
  stanza.id = node.Attr("id");
  stanza.time = static_cast<std::int64_t>(std::min(node.AttrNumber("t").value_or(0), kMaxTime));
  stanza.offline = node.HasAttr("offline");
  const std::string_view name = node.Attr("notify");
  stanza.push_name = ReplaceInvalidUtf8(AsBytes(name.substr(0, kMaxPushName)));
  stanza.hidden = node.HasAttr("edit");
  stanza.says_text = node.Attr("type") == "text" || node.Attr("type") == "media";
  const auto from = node.AttrJid("from");
  if (!from || stanza.id.empty() || stanza.id.size() > kMaxIdSize) return stanza;
  stanza.from = *from;
  if (!IsPerson(*from) || from->agent != 0) return stanza;

  const auto recipient = node.AttrJid("recipient");
  if (!host.IsOwn(PlainAccount(*from))) {
    if (recipient) return stanza;  // malformed
    stanza.origin = StanzaOrigin::kPerson;
    stanza.chat = PlainAccount(*from);
  } else if (node.Attr("category") == "peer") {
    stanza.origin = StanzaOrigin::kOwnPeer;
    stanza.chat = PlainAccount(*from);
  } else {
    stanza.chat = PlainAccount(recipient.value_or(*from));
    if (!IsPerson(stanza.chat)) return stanza;  // our phone in a group
    stanza.origin = StanzaOrigin::kOwnDevice;
  }
  if (stanza.origin != StanzaOrigin::kOwnPeer) ReadPair(node, stanza);

  for (const Node& child : node.Children()) {
    if (child.tag == "unavailable") {
      stanza.unavailable = true;
      stanza.unavailable_type = child.Attr("type");
    }
    if (child.tag != "enc" || stanza.encrypted.size() >= kMaxEncrypted) continue;
    if (child.Attr("decrypt-fail") == "hide") stanza.hidden = true;
    const std::string_view type = child.Attr("type");
    if ((type != "pkmsg" && type != "msg") || (child.HasAttr("v") && child.Attr("v") != "2")) continue;
    stanza.encrypted.push_back(
        {.pre_key = type == "pkmsg",
         .bytes = child.ContentBytes(),
         .count = static_cast<int>(std::min<std::uint64_t>(child.AttrNumber("count").value_or(0), 100))});
  }
  return stanza;
}

}  // namespace medidesk::gateway::wa
