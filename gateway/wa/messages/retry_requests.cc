#include "gateway/wa/messages/retry_requests.h"

#include <algorithm>
#include <utility>

#include "gateway/wa/messages/message_nodes.h"
#include "gateway/wa/stanza_ack.h"

namespace medidesk::gateway::wa {
namespace {

// Keys for retries count in a range of their own: the stock of the server counts from 1.
constexpr std::uint32_t kFirstRetryKey = 0x800000;

const RecordName& OpenName() {
  static const RecordName name{.kind = RecordKind::kRetry, .key = "in"};
  return name;
}

const RecordName& NextKeyName() {
  static const RecordName name{.kind = RecordKind::kSetting, .key = "next_retry_key"};
  return name;
}

bool SameUser(const std::string& a, const Jid& b) {
  const auto jid = Jid::Parse(a);
  return jid && PlainAccount(*jid) == PlainAccount(b);
}

}  // namespace

whatsapp::OpenRetriesRecord RetryRequests::Read() {
  return ReadRecord<whatsapp::OpenRetriesRecord>(host_.workspace(), OpenName());
}

void RetryRequests::Write(const whatsapp::OpenRetriesRecord& record) {
  if (record.retries().empty()) {
    host_.workspace().Erase(OpenName());
  } else {
    WriteRecord(host_.workspace(), OpenName(), record);
  }
}

RetryRequests::Retry& RetryRequests::Open(whatsapp::OpenRetriesRecord& record, const MessageStanza& stanza,
                                          Effects& effects) {
  for (Retry& retry : *record.mutable_retries()) {
    if (retry.id() == stanza.id && SameUser(retry.from(), stanza.from)) return retry;
  }
  if (record.retries_size() >= kMaxOpen) {
    // The oldest makes room, and is said to be lost rather than forgotten.
    if (!record.retries(0).reported()) Report(record.retries(0), effects);
    record.mutable_retries()->erase(record.mutable_retries()->begin());
  }
  Retry& retry = *record.add_retries();
  retry.set_id(stanza.id);
  retry.set_from(stanza.from.ToString());
  if (stanza.phone) retry.set_phone(stanza.phone->user);
  if (stanza.lid) retry.set_lid(stanza.lid->user);
  retry.set_push_name(stanza.push_name);
  retry.set_message_time(stanza.time);
  retry.set_first_failed(host_.UnixNow());
  retry.set_offline(stanza.offline);
  if (stanza.origin != StanzaOrigin::kPerson) retry.set_recipient(stanza.chat.ToString());
  return retry;
}

void RetryRequests::Failed(const Node& node, const MessageStanza& stanza, DecryptOutcome outcome, Effects& effects) {
  whatsapp::OpenRetriesRecord record = Read();
  Retry& retry = Open(record, stanza, effects);
  int known = retry.count();
  for (const Ciphertext& encrypted : stanza.encrypted) known = std::max(known, encrypted.count);
  const bool too_old = stanza.time < host_.UnixNow() - kMaxAge;
  if (known < kMaxCount && !too_old) {
    retry.set_count(known + 1);
    std::optional<RetryKeys> keys;
    const bool without_session = outcome == DecryptOutcome::kNoSession || outcome == DecryptOutcome::kUnknownKey;
    if (retry.count() > 1 || without_session) {
      const DeviceCredentials& own = host_.credentials();
      keys.emplace(RetryKeys{.one_time = NewPreKey(),
                             .signed_pre_key = own.signed_pre_key,
                             .identity = own.identity.public_key,
                             .device_identity = own.account->signed_identity});
    }
    effects.after.push_back(
        RetryReceipt(node, retry.count(), RetryErrorCode(outcome), host_.credentials().registration_id, keys));
  } else {
    retry.set_count(known);
  }
  Write(record);
  if (const auto ack = AckOf(node, host_.own_jid())) effects.after.push_back(*ack);
  effects.now.push_back([this] { LookLater(kAskPhoneAfter); });
}

void RetryRequests::OnlyOnPhone(const Node& node, const MessageStanza& stanza, Effects& effects) {
  whatsapp::OpenRetriesRecord record = Read();
  Open(record, stanza, effects).set_count(kMaxCount);
  Write(record);
  if (const auto ack = AckOf(node, host_.own_jid())) effects.after.push_back(*ack);
  effects.now.push_back([this] { LookLater(kAskPhoneAfter); });
}

void RetryRequests::Resolved(const std::string& id, const Jid& from, Effects&) {
  whatsapp::OpenRetriesRecord record = Read();
  auto& retries = *record.mutable_retries();
  const auto end = std::remove_if(retries.begin(), retries.end(),
                                  [&](const Retry& retry) { return retry.id() == id && SameUser(retry.from(), from); });
  if (end == retries.end()) return;
  retries.erase(end, retries.end());
  Write(record);
}

std::optional<whatsapp::OpenRetriesRecord::Retry> RetryRequests::TakeFound(const FoundMessage& found) {
  const auto chat = Jid::Parse(found.chat);
  if (!chat) return std::nullopt;
  whatsapp::OpenRetriesRecord record = Read();
  auto& retries = *record.mutable_retries();
  const auto match = std::find_if(retries.begin(), retries.end(), [&](const Retry& retry) {
    if (retry.id() != found.id) return false;
    const auto from = Jid::Parse(retry.recipient().empty() ? retry.from() : retry.recipient());
    return from && book_.CanonicalAccount(*from) == book_.CanonicalAccount(*chat);
  });
  if (match == retries.end()) return std::nullopt;
  Retry taken = *match;
  retries.erase(match);
  Write(record);
  return taken;
}

void RetryRequests::Report(const Retry& retry, Effects& effects) {
  const auto from = Jid::Parse(retry.from());
  if (!from || !retry.recipient().empty()) return;  // our own devices' matters
  effects.inbound.push_back({.id = retry.id(),
                             .chat = PlainAccount(*from),
                             .phone = retry.phone(),
                             .lid = retry.lid(),
                             .push_name = retry.push_name(),
                             .offline = retry.offline(),
                             .time = FromUnix(retry.message_time()),
                             .server_offset = host_.server_offset(),
                             .kind = InboundKind::kUndecryptable});
}

PreKey RetryRequests::NewPreKey() {
  Workspace& workspace = host_.workspace();
  std::uint32_t id = 0;
  if (const Bytes* next = workspace.Get(NextKeyName()); next != nullptr && next->size() == 4) {
    for (const std::uint8_t byte : *next) id = id << 8 | byte;
  }
  // Without a memory of where it was (a restore) it begins anywhere: ids that were given out must not come again.
  if (id < kFirstRetryKey || id >= kMaxPreKeyId) id = kFirstRetryKey + RandomBelow(host_.entropy(), 0x700000);
  const std::uint32_t next = id + 1 < kMaxPreKeyId ? id + 1 : kFirstRetryKey;
  workspace.Put(NextKeyName(), {static_cast<std::uint8_t>(next >> 24), static_cast<std::uint8_t>(next >> 16),
                                static_cast<std::uint8_t>(next >> 8), static_cast<std::uint8_t>(next)});
  const PreKey key{.id = id, .pair = KeyPair::Generate(host_.entropy())};
  Record record = key.ToRecord();
  workspace.Put(record.name, std::move(record.value));
  return key;
}

// ---- Time ---------------------------------------------------------------------------------------

void RetryRequests::LookLater(std::int64_t seconds) {
  const Time at = host_.now().steady + std::chrono::seconds(seconds);
  if (!look_at_ || at < *look_at_) look_at_ = at;
}

void RetryRequests::Resume() { LookLater(kAskPhoneAfter); }

void RetryRequests::OnTime() {
  if (!look_at_ || host_.now().steady < *look_at_) return;
  look_at_.reset();
  host_.Step([this](Effects& effects) { Look(effects); });
}

void RetryRequests::Look(Effects& effects) {
  whatsapp::OpenRetriesRecord record = Read();
  const std::int64_t now = host_.UnixNow();
  std::int64_t next = kForgetAfter;
  auto& retries = *record.mutable_retries();
  bool changed = false;
  for (Retry& retry : retries) {
    const std::int64_t age = now - retry.first_failed();
    if (!retry.phone_asked() && age >= kAskPhoneAfter && host_.connected()) {
      retry.set_phone_asked(true);
      changed = true;
      const auto chat = Jid::Parse(retry.recipient().empty() ? retry.from() : retry.recipient());
      if (chat && now - retry.message_time() < kMaxAge && !host_.IsOwn(*chat)) {
        effects.now.push_back([this, account = PlainAccount(*chat), id = retry.id()] { ask_phone_(account, id); });
      }
    }
    if (!retry.reported() && age >= kReportAfter) {
      retry.set_reported(true);
      changed = true;
      Report(retry, effects);
    }
    if (!retry.phone_asked()) next = std::min(next, std::max<std::int64_t>(kAskPhoneAfter - age, 1));
    if (!retry.reported()) next = std::min(next, std::max<std::int64_t>(kReportAfter - age, 1));
    next = std::min(next, std::max<std::int64_t>(kForgetAfter - age, 1));
  }
  const auto end = std::remove_if(retries.begin(), retries.end(),
                                  [&](const Retry& retry) { return now - retry.first_failed() >= kForgetAfter; });
  if (end != retries.end()) {
    retries.erase(end, retries.end());
    changed = true;
  }
  if (changed) Write(record);
  if (!retries.empty()) effects.now.push_back([this, next] { LookLater(next); });
}

}  // namespace medidesk::gateway::wa
