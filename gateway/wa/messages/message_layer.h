// The conversations of one number, on top of its connection: decrypts and encrypts, knows who is who, confirms what is
// stored, asks again and answers who asks again.
//
// Sans-I/O, beside wa::Session. Whoever owns the number gives it the session's events and carries its actions out:
//
//   session event   -> OnEvent      SendStanza    -> Session::Send
//   records read    -> OnLoaded     LoadRecords   -> the store
//   batch committed -> OnCommitted  MessageCommit -> a batch: Accept, CommitOutbound, MarkDelivery, LearnContact and
//   the time            -> OnTime                        records that they rest on, then OnCommitted a part to send  ->
//   Send         WaitUntil     -> a timer;  MessageEvent -> the number's owner
//
// A message's receipt, and a part's stanza, come out only after their commit; commits are numbered, must be stored in
// that order and answered in it. A stanza that was not confirmed comes again at the next login, and is recognised.
// A refused commit ends the layer: drop it with the session and begin anew.
//
// Not thread-safe: the strand of its session.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#include "gateway/wa/messages/address_book.h"
#include "gateway/wa/messages/message_action.h"
#include "gateway/wa/messages/message_host.h"
#include "gateway/wa/messages/notices.h"
#include "gateway/wa/messages/receiver.h"
#include "gateway/wa/messages/retry_answers.h"
#include "gateway/wa/messages/retry_requests.h"
#include "gateway/wa/messages/sender.h"

namespace medidesk::gateway::wa {

// What the store says of a commit.
enum class CommitOutcome {
  kStored,   // and its outbound attempt may leave
  kHeld,     // stored, but the attempt must not leave: a person has taken over, or the part is past sending
  kRefused,  // nothing was stored
};

class MessageLayer final : private MessageHost {
 public:
  static constexpr std::chrono::seconds kTypingRefresh{10};
  static constexpr std::chrono::seconds kTypingLimit{60};
  static constexpr std::chrono::seconds kPhoneSeenPause{600};
  static constexpr std::size_t kLookahead = 64;  // stanzas whose records are loaded together

  struct Options {
    // While we are not `available`, receipts say so and the phone keeps its notifications.
    bool available = false;
    std::size_t workspace_bytes = Workspace::kDefaultLimit;
  };

  // `credentials`: linked.
  MessageLayer(Options options, DeviceCredentials credentials, Entropy entropy);
  ~MessageLayer();

  // ---- What happened ----
  // Every event of the session; those that are none of its business do nothing.
  MessageActions OnEvent(Moment now, const Event& event);
  // An error: the records cannot be read, and what waited for them is dropped.
  MessageActions OnLoaded(Moment now, std::uint64_t request, absl::StatusOr<std::vector<Record>> records);
  MessageActions OnCommitted(Moment now, std::uint64_t commit, CommitOutcome outcome);
  // The commit lies in a local journal that outlives the process, and the store is out of reach: its outbound stanza
  // leaves now. Receipts still wait for OnCommitted.
  MessageActions OnJournaled(Moment now, std::uint64_t commit);
  MessageActions OnTime(Moment now);

  // ---- Read ahead, so that messages can be read and answered while the store is away ----
  // What is wanted of it: kinds in this order, and single records.
  struct ReadAheadKind {
    RecordKind kind;
    bool ours;  // nobody else writes it: OnReadWhole when all have come
  };
  static constexpr ReadAheadKind kReadAhead[] = {
      {RecordKind::kSignedPreKey, false}, {RecordKind::kPreKey, false},     {RecordKind::kRetry, true},
      {RecordKind::kLidMap, true},        {RecordKind::kIdentity, true},    {RecordKind::kSession, true},
      {RecordKind::kDeviceList, true},    {RecordKind::kChatSetting, true}, {RecordKind::kContactToken, true},
  };
  static std::vector<RecordName> ReadAheadNames() { return {TokenSaltName()}; }
  // Records as the store has them; those of `asked` that are missing among them do not exist. They must have been asked
  // for after the last change of records_let_go().
  void OnReadAhead(std::span<const RecordName> asked, std::vector<Record> records);
  void OnReadWhole(RecordKind kind) { workspace_.SetWhole(kind); }
  std::uint64_t records_let_go() const { return workspace_.let_go(); }
  // More would crowd out what is in use.
  bool read_enough() const { return workspace_.bytes() > workspace_.limit() / 4 * 3; }

  // ---- What is wanted ----
  // As Sender::SendPart. What comes of it is told by PartOutcome.
  absl::StatusOr<MessageActions> Send(Moment now, const OutboundPart& part);
  // Shows "typing" to the person until it is switched off, a part is sent to the chat, or for kTypingLimit.
  MessageActions ShowTyping(Moment now, const Jid& chat, bool on);
  // Tells the person that these messages have been read.
  MessageActions MarkRead(Moment now, const Jid& chat, const std::vector<std::string>& ids);

  // ---- How things stand ----
  std::size_t queued() const { return inbox_.size(); }         // stanzas that wait for records or their turn
  std::size_t uncommitted() const { return commits_.size(); }  // not answered yet
  std::size_t in_flight() const { return sender_.in_flight(); }
  std::size_t workspace_bytes() const { return workspace_.bytes(); }

 private:
  struct Pending {
    std::vector<Node> after;
    std::function<void(bool)> then;
  };
  struct Waiting {
    std::vector<RecordName> names;
    StepFunction step;
    std::function<void()> failed;
  };
  struct Typing {
    Time refresh;
    Time until;
  };

  // MessageHost.
  Moment now() const override { return now_; }
  const Entropy& entropy() const override { return entropy_; }
  const DeviceCredentials& credentials() const override { return credentials_; }
  Workspace& workspace() override { return workspace_; }
  SignalSessions& signal() override { return signal_; }
  bool connected() const override { return connected_; }
  std::chrono::milliseconds server_offset() const override { return server_offset_; }
  void Step(StepFunction step, std::function<void()> failed) override;
  void SendNode(Node node) override;
  void Tell(MessageEvent event) override;
  IqTracker& tracker() override { return *tracker_; }

  void Begin(Moment now);
  MessageActions Finish();
  void OnStanza(const StanzaReceived& stanza);
  void OnConnected();
  void OnDisconnected();
  void Pump();
  void Handle(const Node& node, Effects& effects);
  std::vector<RecordName> Lookahead();
  void Apply(Effects effects);
  void SendAfter(std::vector<Node> nodes);
  void RefreshTyping();
  std::optional<Time> NextTime() const;

  const Options options_;
  DeviceCredentials credentials_;
  const Entropy entropy_;
  Workspace workspace_;
  SignalSessions signal_;
  AddressBook book_;
  Sender sender_;
  RetryRequests retry_requests_;
  RetryAnswers retry_answers_;
  Receiver receiver_;
  Notices notices_;

  Moment now_{};
  MessageActions out_;
  bool connected_ = false;
  bool refused_ = false;
  bool hide_reading_ = false;
  std::chrono::milliseconds server_offset_{0};
  std::unique_ptr<IqTracker> tracker_;

  std::deque<Node> inbox_;
  bool handling_ = false;  // the first of them
  bool pumping_ = false;

  std::uint64_t last_load_ = 0;
  std::map<std::uint64_t, Waiting> loads_;
  std::uint64_t last_commit_ = 0;
  std::map<std::uint64_t, Pending> commits_;
  std::map<Jid, Typing> typing_;
  std::optional<Time> phone_seen_;
  std::optional<Time> last_wait_;
};

}  // namespace medidesk::gateway::wa
