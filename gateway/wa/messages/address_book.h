// Who is who: a person's phone number and hidden id (LID), and under which address its Signal sessions are kept.
//
// A person has one session per device, under the hidden id as soon as that is known; when it becomes known the
// sessions move. Lives on the workspace's records; for use inside a step.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "gateway/wa/jid.h"
#include "gateway/wa/messages/message_host.h"

namespace medidesk::gateway::wa {

class AddressBook {
 public:
  explicit AddressBook(MessageHost& host) : host_(host) {}

  // Digits; empty when not known.
  std::string LidOf(std::string_view phone);
  std::string PhoneOf(std::string_view lid);

  // Where the Signal records of this device are.
  Jid Canonical(const Jid& device);
  // The same device by its other address; nullopt when that is not known.
  std::optional<Jid> OtherForm(const Jid& device);
  // As Canonical, without device and never hosted: names what is kept of an account.
  Jid CanonicalAccount(const Jid& jid);

  // A stanza revealed a pair, by either address; `device`: one the person is known to use. The newest pair counts.
  void Learn(const std::optional<Jid>& phone, const std::optional<Jid>& lid, std::uint16_t device, Effects& effects);

 private:
  static RecordName PhoneName(std::string_view phone);
  static RecordName LidName(std::string_view lid);

  MessageHost& host_;
};

// Hosted devices speak for the account they belong to; c.us is an old name.
Jid PlainAccount(const Jid& jid);

}  // namespace medidesk::gateway::wa
