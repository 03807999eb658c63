// Messages that go out: finds the devices, starts sessions, encrypts for each, waits for the server's answer.
//
//   part -> address known? devices known? sessions there?   what is missing is asked of the server, then from the start
//        -> encrypted: one commit with the attempt, the sessions and the content -> the stanza, if the store lets it go
//        -> ack: kSent;  error or 60 s: an outcome. Whether it is tried again is for the caller: same part, same id.
//
// A part that is sent again has the content of the first time.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "gateway/wa/messages/address_book.h"
#include "gateway/wa/messages/iq_peers.h"
#include "gateway/wa/messages/message_host.h"
#include "gateway/wa/messages/message_nodes.h"
#include "whatsapp/message.pb.h"

namespace medidesk::gateway::wa {

// A text to a person: one part of a reply.
struct OutboundPart {
  std::string reply_id;  // UUID
  int part = 0;          // 0 to part_count - 1
  int part_count = 1;    // 1 to 3; the same at every attempt
  Jid chat;              // where the person wrote from, or any address of the person
  std::string text;      // UTF-8, as WhatsApp shows it (text_format.h)
  // An attempt may have been committed before, by whomever: what that one said is said again.
  bool again = false;
};

class Sender {
 public:
  static constexpr std::chrono::seconds kAckLimit{60};

  Sender(MessageHost& host, AddressBook& book) : host_(host), book_(book) {}

  // INVALID_ARGUMENT for a reply_id that is no UUID, a part out of range, a chat that is no person's, or an empty text;
  // ALREADY_EXISTS while this part is under way.
  absl::Status SendPart(const OutboundPart& part);
  // Asks our own phone for a message that we could not decrypt.
  void AskPhone(const Jid& chat, const std::string& id);

  // One device of the person, or of ours, could not read what we sent; it gets it again.
  struct Repeat {
    Node request;  // the retry receipt
    Jid device;    // as the request has it
    int count = 1;
    std::string id;        // of the stanza
    Jid chat;              // that it went to
    std::string message;   // a whatsapp::Message
    std::string reply_id;  // empty: no part of a reply
    int part = 0;
    int part_count = 1;
    bool new_session = false;  // fetch keys even where there is a session
  };
  void SendAgain(Repeat repeat);

  void OnAck(const Node& ack);
  void OnDisconnected();
  void OnTime();
  std::optional<Time> next_time() const;
  std::size_t in_flight() const { return in_flight_.size() + jobs_.size(); }

  // Gives the contact our token, with this time. Outside of steps.
  void GiveToken(const Jid& account, std::int64_t time);

 private:
  enum class Kind { kPart, kPhoneRequest, kRepeat };
  struct Job {
    Kind kind = Kind::kPart;
    OutboundPart part = {};
    std::string stanza_id = {};
    whatsapp::Message message = {};  // of kPhoneRequest and kRepeat
    std::optional<Repeat> repeat = {};
    bool asked_devices = false, asked_keys = false, devices_again = false;
    std::map<Jid, PreKeyBundle> bundles = {};  // by the address that was asked for
    std::vector<Jid> without_keys = {};
  };
  using JobPtr = std::shared_ptr<Job>;
  struct InFlight {
    JobPtr job;
    Time deadline;
    std::vector<std::string> hashes;  // any of which the server may name
    Jid to;
  };
  // The devices of one side of a chat.
  struct Side {
    std::vector<Jid> devices;
    DeviceList list;
  };

  void Advance(const JobPtr& job);
  void PlanPart(const JobPtr& job, Effects& effects);
  void PlanPhoneRequest(const JobPtr& job, Effects& effects);
  void PlanRepeat(const JobPtr& job, Effects& effects);
  std::optional<Side> DevicesOf(const JobPtr& job, const Jid& account);
  // False: keys are asked for first.
  bool HaveKeys(const JobPtr& job, const std::vector<Jid>& devices, Effects& effects);
  std::optional<Encrypted> EncryptFor(const JobPtr& job, const Jid& device, const whatsapp::Message& message);
  whatsapp::Message ContentOf(const JobPtr& job, const Jid& to, const Side& recipient, const Side& own);
  std::vector<Node> TokensFor(const Jid& to);
  void AskDevices(const JobPtr& job, std::vector<Jid> accounts);
  void AskKeys(const JobPtr& job, std::vector<Jid> devices, bool new_identity);
  void Release(const JobPtr& job, Node node, std::vector<std::string> hashes, Jid to);
  void Finish(const JobPtr& job, PartOutcome::Kind kind, int code = 0);
  void DropLists(Jid to);

  MessageHost& host_;
  AddressBook& book_;
  std::map<std::string, JobPtr> jobs_;                      // not released yet, by what they are
  std::map<std::string, InFlight, std::less<>> in_flight_;  // by stanza id
  std::set<Jid> giving_;                                    // tokens under way
};

// Where the content of a sent stanza is kept.
RecordName SentContentName(std::string_view stanza_id);

// What our own other devices get instead: the message and whom it went to.
whatsapp::Message DeviceSent(const whatsapp::Message& message, const Jid& to);

}  // namespace medidesk::gateway::wa
