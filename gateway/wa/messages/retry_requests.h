// What we could not decrypt: asks the sender for it again, then our own phone, and in the end says that it is lost.
//
//   failure -> retry receipt 1 .. 4 -> the sender sends it again: resolved
//           -> after 5 s the own phone is asked (at once when the sender has been asked four times)
//           -> after 60 s the store is told: somebody wrote and we cannot read it
//
// What is open is kept in one record, so that a restart forgets none of it.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "gateway/wa/messages/address_book.h"
#include "gateway/wa/messages/message_host.h"
#include "gateway/wa/messages/message_stanza.h"
#include "gateway/wa/pre_keys.h"
#include "whatsapp/message_records.pb.h"

namespace medidesk::gateway::wa {

class RetryRequests {
 public:
  static constexpr int kMaxCount = 4;
  static constexpr std::int64_t kAskPhoneAfter = 5;     // seconds
  static constexpr std::int64_t kReportAfter = 60;      // seconds
  static constexpr std::int64_t kForgetAfter = 3'600;   // seconds
  static constexpr std::int64_t kMaxAge = 14 * 86'400;  // seconds; of a message that can be asked for
  static constexpr int kMaxOpen = 200;

  // Asks the own phone for the message; called outside of steps.
  using AskPhone = std::function<void(const Jid& chat, const std::string& id)>;

  RetryRequests(MessageHost& host, AddressBook& book, AskPhone ask_phone)
      : host_(host), book_(book), ask_phone_(std::move(ask_phone)) {}

  // ---- Inside a step ----
  // The message failed so: what is sent, and what is remembered.
  void Failed(const Node& node, const MessageStanza& stanza, DecryptOutcome outcome, Effects& effects);
  // Nothing came but the news that there is something, of a kind that only the phone has.
  void OnlyOnPhone(const Node& node, const MessageStanza& stanza, Effects& effects);
  // It was read after all.
  void Resolved(const std::string& id, const Jid& from, Effects& effects);
  // The open request that a message found by the phone answers; taken out.
  std::optional<whatsapp::OpenRetriesRecord::Retry> TakeFound(const FoundMessage& found);

  // ---- Outside ----
  // The connection is there: look at what is open from before.
  void Resume();
  void OnTime();
  std::optional<Time> next_time() const { return look_at_; }

 private:
  using Retry = whatsapp::OpenRetriesRecord::Retry;

  whatsapp::OpenRetriesRecord Read();
  void Write(const whatsapp::OpenRetriesRecord& record);
  Retry& Open(whatsapp::OpenRetriesRecord& record, const MessageStanza& stanza, Effects& effects);
  void Report(const Retry& retry, Effects& effects);
  void LookLater(std::int64_t seconds);
  void Look(Effects& effects);
  PreKey NewPreKey();

  MessageHost& host_;
  AddressBook& book_;
  AskPhone ask_phone_;
  std::optional<Time> look_at_;
};

}  // namespace medidesk::gateway::wa
