#include "gateway/wa/messages/receiver.h"

#include <algorithm>
#include <utility>

#include "gateway/wa/inflate.h"
#include "gateway/wa/messages/contact_tokens.h"
#include "gateway/wa/messages/message_nodes.h"
#include "gateway/wa/messages/message_padding.h"
#include "gateway/wa/signal_address.h"
#include "gateway/wa/stanza_ack.h"
#include "whatsapp/history.pb.h"
#include "whatsapp/message_records.pb.h"

namespace medidesk::gateway::wa {
namespace {

constexpr std::size_t kMaxHistory = 16u << 20;  // bytes, unpacked
constexpr std::size_t kMaxPairs = 2'000;        // of one message
constexpr std::size_t kPairsPerStep = 50;       // each may move sessions: commits and look-ups stay small
constexpr std::size_t kMaxToken = 1'024;        // bytes

RecordName ChatSettingName(const Jid& account) {
  return {.kind = RecordKind::kChatSetting, .key = SignalAddressName(account)};
}

Jid PhoneJid(std::uint64_t number) { return {.user = std::to_string(number), .server = std::string(kUserServer)}; }
Jid LidJid(std::uint64_t number) { return {.user = std::to_string(number), .server = std::string(kLidServer)}; }

}  // namespace

RecordName TokenSaltName() { return {.kind = RecordKind::kSetting, .key = "nct_salt"}; }

RecordName ContactTokenName(const Jid& account) {
  return {.kind = RecordKind::kContactToken, .key = SignalAddressName(account)};
}

ChatExpiration ReadChatExpiration(Workspace& workspace, const Jid& account) {
  const auto record = ReadRecord<whatsapp::ChatSettingRecord>(workspace, ChatSettingName(account));
  return {.seconds = record.expiration(), .set = record.expiration_set()};
}

std::vector<RecordName> Receiver::NamesOf(const Node& node) {
  std::vector<RecordName> names;
  const MessageStanza stanza = ReadMessageStanza(node, host_);
  if (stanza.origin == StanzaOrigin::kForeign) return names;
  std::vector<Jid> devices = {stanza.from};
  if (stanza.from.IsLid()) {
    names.push_back({.kind = RecordKind::kLidMap, .key = "lid:" + stanza.from.user});
    if (stanza.phone) names.push_back({.kind = RecordKind::kLidMap, .key = "pn:" + stanza.phone->user});
  } else {
    names.push_back({.kind = RecordKind::kLidMap, .key = "pn:" + stanza.from.user});
    if (stanza.lid && stanza.origin == StanzaOrigin::kPerson) {
      names.push_back({.kind = RecordKind::kLidMap, .key = "lid:" + stanza.lid->user});
      Jid other = *stanza.lid;
      other.device = stanza.from.device;
      devices.push_back(std::move(other));
    }
  }
  for (const Jid& device : devices) {
    for (const Ciphertext& encrypted : stanza.encrypted) {
      auto more = host_.signal().NamesOf(device, encrypted.pre_key, encrypted.bytes);
      names.insert(names.end(), std::make_move_iterator(more.begin()), std::make_move_iterator(more.end()));
    }
  }
  return names;
}

void Receiver::OnMessage(const Node& node, Effects& effects) {
  const MessageStanza stanza = ReadMessageStanza(node, host_);
  if (stanza.origin == StanzaOrigin::kForeign) {
    if (const auto ack = AckOf(node, host_.own_jid())) effects.after.push_back(*ack);
    return;
  }
  book_.Learn(stanza.phone, stanza.lid, stanza.origin == StanzaOrigin::kPerson ? stanza.from.device : 0, effects);
  if (stanza.origin != StanzaOrigin::kPerson && stanza.from.device == 0) effects.events.push_back(OwnPhoneSeen{});

  if (stanza.encrypted.empty()) {
    const bool view_once = stanza.unavailable_type.starts_with("view_once");
    const bool on_phone = stanza.unavailable && !view_once && !stanza.unavailable_type.starts_with("bot") &&
                          !stanza.unavailable_type.starts_with("hosted");
    if (on_phone && stanza.origin != StanzaOrigin::kOwnPeer) return retries_.OnlyOnPhone(node, stanza, effects);
    if (view_once && stanza.origin == StanzaOrigin::kPerson) {
      InboundMessage inbound = InboundOf(stanza);
      inbound.kind = InboundKind::kUnreadable;
      inbound.text = "[view once message]";
      effects.inbound.push_back(std::move(inbound));
    }
    if (const auto ack = AckOf(node, host_.own_jid())) effects.after.push_back(*ack);
    return;
  }

  Bytes plaintext;
  const auto outcome = Open(stanza, plaintext);
  if (!outcome) return;
  if (*outcome == DecryptOutcome::kDuplicate) return Confirm(node, stanza, effects);
  if (*outcome != DecryptOutcome::kDecrypted) return retries_.Failed(node, stanza, *outcome, effects);
  retries_.Resolved(stanza.id, stanza.from, effects);
  OnContent(node, stanza, plaintext, effects);
}

std::optional<DecryptOutcome> Receiver::Open(const MessageStanza& stanza, Bytes& plaintext) {
  DecryptOutcome outcome = DecryptOutcome::kMalformed;
  for (const Ciphertext& encrypted : stanza.encrypted) {
    Decrypted decrypted = DecryptAny(stanza.from, encrypted);
    if (decrypted.outcome == DecryptOutcome::kMissing) return std::nullopt;
    outcome = decrypted.outcome;
    if (outcome == DecryptOutcome::kDecrypted) {
      plaintext = std::move(decrypted.plaintext);
      return outcome;
    }
  }
  return outcome;
}

// A session may still lie under the address by which the person was known before.
Decrypted Receiver::DecryptAny(const Jid& device, const Ciphertext& encrypted) {
  const Jid canonical = book_.Canonical(device);
  Decrypted decrypted = host_.signal().Decrypt(canonical, encrypted.pre_key, encrypted.bytes);
  if (decrypted.outcome != DecryptOutcome::kNoSession && decrypted.outcome != DecryptOutcome::kBadMac) {
    return decrypted;
  }
  const auto other = book_.OtherForm(canonical);
  if (!other || !host_.signal().HasSession(*other)) return decrypted;
  Decrypted again = host_.signal().Decrypt(*other, encrypted.pre_key, encrypted.bytes);
  if (again.outcome != DecryptOutcome::kDecrypted) return decrypted;
  host_.signal().EndSession(canonical);
  host_.signal().MoveSession(*other, canonical);
  return again;
}

void Receiver::Confirm(const Node& node, const MessageStanza& stanza, Effects& effects) {
  switch (stanza.origin) {
    case StanzaOrigin::kPerson:
      effects.after.push_back(DeliveryReceipt(node, options_.inactive_receipts));
      break;
    case StanzaOrigin::kOwnDevice:
      effects.after.push_back(SenderReceipt(node));
      break;
    case StanzaOrigin::kOwnPeer:
      effects.after.push_back(PeerReceipt(node));
      break;
    case StanzaOrigin::kForeign:
      break;
  }
}

InboundMessage Receiver::InboundOf(const MessageStanza& stanza) {
  InboundMessage inbound{.id = stanza.id,
                         .chat = stanza.chat,
                         .from_me = stanza.origin == StanzaOrigin::kOwnDevice,
                         .offline = stanza.offline,
                         .time = FromUnix(stanza.time),
                         .server_offset = host_.server_offset()};
  if (!inbound.from_me) inbound.push_name = stanza.push_name;
  const bool by_lid = stanza.chat.server == kLidServer;
  inbound.phone = by_lid ? book_.PhoneOf(stanza.chat.user) : stanza.chat.user;
  inbound.lid = by_lid ? stanza.chat.user : book_.LidOf(stanza.chat.user);
  return inbound;
}

bool Receiver::Fill(const MessageContent& content, bool counts_unknown, InboundMessage& inbound) {
  inbound.media = content.media;
  inbound.text = content.text;
  inbound.target_id = content.target_id;
  inbound.choice_id = content.choice_id;
  switch (content.kind) {
    case ContentKind::kText:
      inbound.kind = InboundKind::kText;
      inbound.target_id = content.quoted_id;
      if (!content.text.empty()) return true;
      inbound.kind = InboundKind::kUnreadable;
      inbound.text = WordsOf(MediaKind::kNone);
      return counts_unknown;
    case ContentKind::kMedia:
      inbound.target_id = content.quoted_id;
      inbound.kind = content.text.empty() ? InboundKind::kUnreadable : InboundKind::kText;
      if (content.text.empty()) inbound.text = WordsOf(content.media);
      return true;
    case ContentKind::kEdit:
      inbound.kind = InboundKind::kEdit;
      return content.target_from_me;  // of the sender's own messages alone
    case ContentKind::kDeletion:
      inbound.kind = InboundKind::kDeletion;
      inbound.text.clear();
      return content.target_from_me;
    case ContentKind::kReaction:
      inbound.kind = InboundKind::kReaction;
      return !content.target_id.empty();
    case ContentKind::kUnknown:
      inbound.kind = InboundKind::kUnreadable;
      inbound.text = WordsOf(MediaKind::kNone);
      return counts_unknown;
    case ContentKind::kExpirationSet:
    case ContentKind::kHistory:
    case ContentKind::kLidMappings:
    case ContentKind::kFoundAgain:
    case ContentKind::kNothing:
      return false;
  }
  return false;
}

void Receiver::OnContent(const Node& node, const MessageStanza& stanza, ByteView padded, Effects& effects) {
  Confirm(node, stanza, effects);
  const auto message = UnpadMessage(padded);
  auto content = message ? DecodeMessage(*message, stanza.origin != StanzaOrigin::kPerson)
                         : absl::StatusOr<MessageContent>(absl::InvalidArgumentError("padding"));
  if (stanza.origin == StanzaOrigin::kOwnPeer) {
    if (content.ok()) OnPeerContent(node, stanza, *std::move(content), effects);
    return;
  }
  if (host_.IsOwn(stanza.chat)) return;  // a note to oneself
  InboundMessage inbound = InboundOf(stanza);
  if (!content.ok()) {
    // The ratchet worked, so the same would come again: a person must ask.
    inbound.kind = InboundKind::kUndecryptable;
    if (!inbound.from_me) effects.inbound.push_back(std::move(inbound));
    return;
  }
  if (content->expiration) KeepExpiration(stanza.chat, *content);
  if (Fill(*content, stanza.says_text && !stanza.hidden, inbound)) effects.inbound.push_back(std::move(inbound));
}

void Receiver::KeepExpiration(const Jid& chat, const MessageContent& content) {
  const Jid account = book_.CanonicalAccount(chat);
  const ChatExpiration known = ReadChatExpiration(host_.workspace(), account);
  if (content.expiration_set < known.set || (known.seconds == *content.expiration && known.set > 0)) return;
  whatsapp::ChatSettingRecord record;
  record.set_expiration(*content.expiration);
  record.set_expiration_set(content.expiration_set);
  WriteRecord(host_.workspace(), ChatSettingName(account), record);
}

// ---- Our own devices ----------------------------------------------------------------------------

void Receiver::OnPeerContent(const Node& node, const MessageStanza& stanza, MessageContent content, Effects& effects) {
  switch (content.kind) {
    case ContentKind::kHistory:
      effects.after.push_back(HistoryReceipt(node, host_.own_jid().WithoutDevice()));
      if (!content.history.empty()) OnHistory(content.history, effects);
      return;
    case ContentKind::kLidMappings: {
      std::vector<std::pair<Jid, Jid>> pairs;
      for (const auto& [phone, lid] : content.lid_mappings) pairs.emplace_back(PhoneJid(phone), LidJid(lid));
      return LearnLater(std::move(pairs), effects);
    }
    case ContentKind::kFoundAgain:
      // Only the phone itself has what was sent.
      if (stanza.from.device != 0) return;
      for (const FoundMessage& found : content.found) OnFound(found, effects);
      return;
    default:
      return;
  }
}

void Receiver::OnFound(const FoundMessage& found, Effects& effects) {
  const auto open = retries_.TakeFound(found);
  if (!open) return;
  const auto content = DecodeMessage(found.message, found.from_me);
  const auto chat = Jid::Parse(open->recipient().empty() ? open->from() : open->recipient());
  if (!content.ok() || !chat) return;
  MessageStanza stanza{.origin = open->recipient().empty() ? StanzaOrigin::kPerson : StanzaOrigin::kOwnDevice,
                       .id = open->id(),
                       .chat = PlainAccount(*chat),
                       .push_name = open->push_name(),
                       .time = open->message_time(),
                       .offline = open->offline()};
  InboundMessage inbound = InboundOf(stanza);
  if (Fill(*content, true, inbound)) effects.inbound.push_back(std::move(inbound));
}

void Receiver::OnHistory(ByteView compressed, Effects& effects) {
  const auto blob = Inflate(compressed, kMaxHistory);
  whatsapp::HistorySync history;
  if (!blob.ok() || !history.ParseFromArray(blob->data(), static_cast<int>(blob->size()))) return;
  Workspace& workspace = host_.workspace();
  if (!history.nct_salt().empty() && history.nct_salt().size() <= kMaxToken) {
    workspace.Put(TokenSaltName(), ToBytes(history.nct_salt()));
  }
  std::vector<std::pair<Jid, Jid>> pairs;
  const auto add = [&](const std::string& phone, const std::string& lid) {
    auto phone_jid = Jid::Parse(phone), lid_jid = Jid::Parse(lid);
    if (phone_jid && lid_jid && pairs.size() < kMaxPairs)
      pairs.emplace_back(*std::move(phone_jid), *std::move(lid_jid));
  };
  for (const auto& mapping : history.phone_number_to_lid_mappings()) add(mapping.pn_jid(), mapping.lid_jid());
  struct Trust {
    Jid account;
    ContactToken token;
  };
  std::vector<Trust> trusts;
  for (const auto& conversation : history.conversations()) {
    const auto id = Jid::Parse(conversation.id());
    if (!id) continue;
    if (!conversation.pn_jid().empty())
      add(conversation.pn_jid(), id->IsLid() ? conversation.id() : conversation.lid_jid());
    if (!conversation.lid_jid().empty() && !id->IsLid()) add(conversation.id(), conversation.lid_jid());
    if (conversation.tc_token().empty() || conversation.tc_token().size() > kMaxToken || trusts.size() >= kMaxPairs) {
      continue;
    }
    trusts.push_back({.account = PlainAccount(*id),
                      .token = {.token = ToBytes(conversation.tc_token()),
                                .token_time = static_cast<std::int64_t>(conversation.tc_token_timestamp()),
                                .given_time = static_cast<std::int64_t>(conversation.tc_token_sender_timestamp())}});
  }
  LearnLater(std::move(pairs), effects);
  effects.now.push_back([this, trusts = std::move(trusts)] {
    for (std::size_t begin = 0; begin < trusts.size(); begin += kPairsPerStep) {
      const std::size_t end = std::min(trusts.size(), begin + kPairsPerStep);
      const std::vector<Trust> some(trusts.begin() + static_cast<std::ptrdiff_t>(begin),
                                    trusts.begin() + static_cast<std::ptrdiff_t>(end));
      host_.Step([this, some](Effects&) {
        for (const Trust& trust : some) {
          const RecordName name = ContactTokenName(book_.CanonicalAccount(trust.account));
          const Bytes* known = host_.workspace().Get(name);
          if (known != nullptr && ContactToken::Parse(*known).token_time >= trust.token.token_time) continue;
          host_.workspace().Put(name, trust.token.Serialize());
        }
      });
    }
  });
}

void Receiver::LearnLater(std::vector<std::pair<Jid, Jid>> pairs, Effects& effects) {
  if (pairs.size() > kMaxPairs) pairs.resize(kMaxPairs);
  effects.now.push_back([this, pairs = std::move(pairs)] {
    for (std::size_t begin = 0; begin < pairs.size(); begin += kPairsPerStep) {
      const std::size_t end = std::min(pairs.size(), begin + kPairsPerStep);
      const std::vector<std::pair<Jid, Jid>> some(pairs.begin() + static_cast<std::ptrdiff_t>(begin),
                                                  pairs.begin() + static_cast<std::ptrdiff_t>(end));
      host_.Step([this, some](Effects& learned) {
        for (const auto& [phone, lid] : some) book_.Learn(phone, lid, 0, learned);
      });
    }
  });
}

}  // namespace medidesk::gateway::wa
