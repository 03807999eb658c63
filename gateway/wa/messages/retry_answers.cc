#include "gateway/wa/messages/retry_answers.h"

#include <algorithm>
#include <utility>

#include "gateway/wa/messages/iq_peers.h"
#include "gateway/wa/stanza_ack.h"

namespace medidesk::gateway::wa {
namespace {

const RecordName& AnsweredName() {
  static const RecordName name{.kind = RecordKind::kRetry, .key = "out"};
  return name;
}

std::uint32_t RegistrationOf(const Node& receipt) {
  const Node* registration = receipt.Child("registration");
  return registration == nullptr ? 0 : ReadNumber(registration->ContentBytes()).value_or(0);
}

}  // namespace

std::optional<RetryAnswers::Answer> RetryAnswers::Count(const std::string& id, const Jid& device, int count) {
  const auto record = ReadRecord<whatsapp::AnsweredRetriesRecord>(host_.workspace(), AnsweredName());
  const std::string name = device.ToString();
  Answer answer;
  for (const Answer& one : record.answers()) {
    if (one.id() == id && one.device() == name) answer = one;
  }
  if (count > kMaxCount || answer.count() >= kMaxCount) return std::nullopt;
  answer.set_id(id);
  answer.set_device(name);
  answer.set_count(answer.count() + 1);
  return answer;
}

void RetryAnswers::Remember(const Answer& answer) {
  auto record = ReadRecord<whatsapp::AnsweredRetriesRecord>(host_.workspace(), AnsweredName());
  auto& answers = *record.mutable_answers();
  const auto old = std::remove_if(answers.begin(), answers.end(), [&](const Answer& one) {
    return one.id() == answer.id() && one.device() == answer.device();
  });
  answers.erase(old, answers.end());
  if (answers.size() >= kMaxRemembered) answers.erase(answers.begin());
  *answers.Add() = answer;
  WriteRecord(host_.workspace(), AnsweredName(), record);
}

bool RetryAnswers::StartFromKeys(const Node& receipt, const Jid& canonical, bool own) {
  const Node* keys = receipt.Child("keys");
  if (keys == nullptr) return false;
  const auto bundle = ReadBundle(*keys, receipt);
  if (!bundle) return false;
  // Another device under the number of one of ours: what the server says of it counts, not what it says of itself.
  const std::uint32_t known = host_.signal().RemoteRegistrationId(canonical);
  if (own && known != 0 && known != bundle->registration_id) return false;
  return host_.signal().StartSession(canonical, *bundle).ok();
}

void RetryAnswers::GiveUpOldSession(const Node& receipt, const Jid& canonical, int count, Answer& answer) {
  SignalSessions& signal = host_.signal();
  if (!signal.HasSession(canonical)) return;
  const std::uint32_t known = signal.RemoteRegistrationId(canonical), said = RegistrationOf(receipt);
  const Bytes base_key = signal.BaseKey(canonical);
  const bool other_device = said != 0 && known != 0 && said != known;
  const bool failed_before = count > 2 && !base_key.empty() && answer.base_key() == AsText(base_key);
  if (count >= 2) answer.set_base_key(ToString(base_key));
  if (!other_device && !failed_before) return;
  if (host_.UnixNow() - answer.last() < kNewSessionPause) return;
  answer.set_last(host_.UnixNow());
  signal.EndSession(canonical);
}

void RetryAnswers::OnRequest(const Node& receipt, Effects& effects) {
  if (const auto ack = AckOf(receipt, host_.own_jid())) effects.after.push_back(*ack);
  const Node* retry = receipt.Child("retry");
  const auto device = receipt.AttrJid("from");
  if (retry == nullptr || !device) return;
  const std::string id(retry->HasAttr("id") ? retry->Attr("id") : receipt.Attr("id"));
  const int count = static_cast<int>(std::min<std::uint64_t>(retry->AttrNumber("count").value_or(1), 100));
  if (id.empty() || id.size() > 200) return;

  const Bytes* stored = host_.workspace().Get(SentContentName(id));
  whatsapp::SentContentRecord sent;
  if (stored == nullptr || !sent.ParseFromArray(stored->data(), static_cast<int>(stored->size()))) return;
  const auto chat = Jid::Parse(sent.chat());
  const bool own = host_.IsOwn(PlainAccount(*device));
  if (!chat || (!own && book_.CanonicalAccount(*device) != book_.CanonicalAccount(*chat))) return;
  auto answer = Count(id, *device, count);
  if (!answer) return;

  const Jid canonical = book_.Canonical(*device);
  const bool started = StartFromKeys(receipt, canonical, own);
  if (!started) GiveUpOldSession(receipt, canonical, count, *answer);
  Remember(*answer);
  Sender::Repeat repeat{.request = receipt,
                        .device = *device,
                        .count = count,
                        .id = id,
                        .chat = *chat,
                        .message = sent.message(),
                        .reply_id = sent.reply_id(),
                        .part = sent.part(),
                        .part_count = std::max(sent.part_count(), 1)};
  effects.now.push_back([this, repeat = std::move(repeat)] { sender_.SendAgain(repeat); });
}

}  // namespace medidesk::gateway::wa
