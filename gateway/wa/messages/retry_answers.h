// A device could not read what we sent, and asks for it again.
//
// It gets it when the message is known, went to its own chat, and was not asked for too often. Keys in the request
// start a new session; without them a session that failed twice is given up. For use inside a step.
#pragma once

#include <optional>

#include "gateway/wa/messages/address_book.h"
#include "gateway/wa/messages/message_host.h"
#include "gateway/wa/messages/sender.h"
#include "whatsapp/message_records.pb.h"

namespace medidesk::gateway::wa {

class RetryAnswers {
 public:
  static constexpr int kMaxCount = 5;
  static constexpr int kMaxRemembered = 200;
  static constexpr std::int64_t kNewSessionPause = 3'600;  // seconds between sessions given up for one device

  RetryAnswers(MessageHost& host, AddressBook& book, Sender& sender) : host_(host), book_(book), sender_(sender) {}

  // `receipt`: of type retry.
  void OnRequest(const Node& receipt, Effects& effects);

 private:
  using Answer = whatsapp::AnsweredRetriesRecord::Answer;

  // What was answered to this device for this message; nullopt when that is enough.
  std::optional<Answer> Count(const std::string& id, const Jid& device, int count);
  void Remember(const Answer& answer);
  bool StartFromKeys(const Node& receipt, const Jid& canonical, bool own);
  // True: fetch keys even though there may be a session.
  void GiveUpOldSession(const Node& receipt, const Jid& canonical, int count, Answer& answer);

  MessageHost& host_;
  AddressBook& book_;
  Sender& sender_;
};

}  // namespace medidesk::gateway::wa
