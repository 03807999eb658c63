// The store in memory, behaving as its contract says, with ways to fail. Thread-safe.
//
//   FakeConversations  Accept, GetTurn, RenewClaim, CommitReply, GetConversation, TakeOver,
//                     ListMessages
//   FakeExperiments    ListExperiments, AssignVariant, RecordOutcome of one experiment
//   FakeKnowledge      GetFacts and Watch of one settable body of facts
#pragma once

#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <atomic>
#include <chrono>
#include <map>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "base/rpc/serve.h"
#include "base/uuid.h"
#include "medidesk/store/v1/conversation.grpc.pb.h"
#include "medidesk/store/v1/experiment.grpc.pb.h"
#include "medidesk/store/v1/knowledge.grpc.pb.h"

namespace medidesk::assistant::testing {

namespace asio = boost::asio;

inline asio::awaitable<void> Pause(std::chrono::milliseconds time) {
  asio::steady_timer timer(co_await asio::this_coro::executor, time);
  co_await timer.async_wait(asio::use_awaitable);
}

class FakeConversations final : public store::v1::ConversationService::CallbackService {
 public:
  explicit FakeConversations(rpc::Dispatcher& dispatcher) : dispatcher_(dispatcher) {}

  // --- knobs
  std::atomic<bool> down{false};       // every call: UNAVAILABLE
  std::atomic<int> refuse_accepts{0};  // so many Accepts: UNAVAILABLE, nothing done
  std::atomic<int> lose_accepts{0};    // so many Accepts: done, and UNAVAILABLE
  std::atomic<int> refuse_commits{0};
  std::atomic<int> lose_commits{0};
  std::atomic<bool> taken_over{false};      // by staff
  std::atomic<bool> moves_to_wa{false};     // WhatsApp delivers the message while it is answered
  std::atomic<bool> full{false};            // every call: RESOURCE_EXHAUSTED
  std::atomic<bool> late{false};            // waits in GetTurn last longer than their callers'
  std::chrono::milliseconds claim{60'000};  // how long a claim lives

  // --- what happened
  std::atomic<int> accepts{0}, gets{0}, renewals{0}, commits{0};
  struct TurnRow {
    store::v1::Turn turn;
    store::v1::Reply reply;
    std::string claim_id, source, task_reason, accept_text;
    std::chrono::steady_clock::time_point claim_until;
    int late_renewals = 0;  // asked for after the reply
    int replies = 0;        // commits that won
  };
  std::vector<TurnRow> turns() const {
    const std::lock_guard lock(mutex_);
    std::vector<TurnRow> all;
    for (const auto& [id, row] : turns_) all.push_back(row);
    return all;
  }
  // An open WhatsApp turn, as the gateway leaves it.
  std::string AddWhatsAppTurn(const std::string& text) {
    const std::lock_guard lock(mutex_);
    return AddTurn(NewUuid(), store::v1::ROUTE_WHATSAPP, text, store::v1::TURN_STATE_OPEN).turn.id();
  }
  void AddHistory(bool from_hospital, const std::string& text) {
    const std::lock_guard lock(mutex_);
    auto* message = history_.Add();
    message->set_from_hospital(from_hospital);
    message->set_text(text);
  }
  // Another caller's claim on the turn, that lives so long.
  void ClaimByAnother(const std::string& turn_id, std::chrono::milliseconds time) {
    const std::lock_guard lock(mutex_);
    TurnRow& row = turns_.at(turn_id);
    row.claim_id = NewUuid();
    row.claim_until = std::chrono::steady_clock::now() + time;
    row.turn.set_state(store::v1::TURN_STATE_SEALED);
  }
  void ReplyByAnother(const std::string& turn_id, const std::string& text) {
    const std::lock_guard lock(mutex_);
    PutReply(turns_.at(turn_id), NewUuid(), store::v1::REPLY_ORIGIN_BOT, text);
  }

  // --- the contract
  asio::awaitable<absl::StatusOr<store::v1::AcceptResponse>> Accept(const rpc::Call&,
                                                                    const store::v1::AcceptRequest& request) {
    ++accepts;
    if (const absl::Status fault = Fault(refuse_accepts); !fault.ok()) co_return fault;
    store::v1::AcceptResponse response = AcceptNow(request);
    if (lose_accepts > 0 && lose_accepts-- > 0) co_return Lost();
    co_return response;
  }
  asio::awaitable<absl::StatusOr<store::v1::GetTurnResponse>> GetTurn(const rpc::Call& call,
                                                                      const store::v1::GetTurnRequest& request) {
    ++gets;
    std::atomic<int> none{0};
    if (const absl::Status fault = Fault(none); !fault.ok()) co_return fault;
    while (late || call.Left() > std::chrono::milliseconds(20)) {
      {
        const std::lock_guard lock(mutex_);
        const auto found = turns_.find(request.turn_id());
        if (found == turns_.end()) co_return Error(absl::StatusCode::kNotFound, "no such turn");
        TurnRow& row = found->second;
        if (Settle(row, request.claim_id(), request.seal())) {
          store::v1::GetTurnResponse response;
          *response.mutable_turn() = TurnOf(row);
          if (!row.reply.id().empty()) *response.mutable_reply() = row.reply;
          response.set_status(Status());
          co_return response;
        }
      }
      co_await Pause(std::chrono::milliseconds(5));
    }
    co_return Error(absl::StatusCode::kAborted, "another caller answers this turn");
  }
  asio::awaitable<absl::StatusOr<store::v1::RenewClaimResponse>> RenewClaim(
      const rpc::Call&, const store::v1::RenewClaimRequest& request) {
    ++renewals;
    const std::lock_guard lock(mutex_);
    TurnRow& row = turns_.at(request.turn_id());
    if (!row.reply.id().empty()) ++row.late_renewals;
    store::v1::RenewClaimResponse response;
    response.set_held(row.reply.id().empty() && row.claim_id == request.claim_id());
    if (response.held()) row.claim_until = std::chrono::steady_clock::now() + claim;
    co_return response;
  }
  asio::awaitable<absl::StatusOr<store::v1::CommitReplyResponse>> CommitReply(
      const rpc::Call&, const store::v1::CommitReplyRequest& request) {
    ++commits;
    if (const absl::Status fault = Fault(refuse_commits); !fault.ok()) co_return fault;
    store::v1::CommitReplyResponse response;
    {
      const std::lock_guard lock(mutex_);
      TurnRow& row = turns_.at(request.turn_id());
      if (row.reply.id().empty() && row.turn.state() != store::v1::TURN_STATE_SKIPPED) {
        if (taken_over) {
          row.turn.set_state(store::v1::TURN_STATE_SKIPPED);
          row.turn.set_skip_reason(store::v1::SKIP_REASON_TAKEOVER);
        } else {
          if (moves_to_wa) row.turn.set_route(store::v1::ROUTE_WHATSAPP);
          PutReply(row, request.commit_id(), request.origin(), request.text());
          row.source = request.source();
          row.task_reason = request.task_reason();
        }
      }
      response.set_committed(row.reply.id() == request.commit_id());
      if (!row.reply.id().empty()) *response.mutable_reply() = row.reply;
      response.set_state(row.turn.state());
      response.set_skip_reason(row.turn.skip_reason());
      response.set_route(row.turn.route());
      response.set_status(Status());
    }
    if (lose_commits > 0 && lose_commits-- > 0) co_return Lost();
    co_return response;
  }
  asio::awaitable<absl::StatusOr<store::v1::GetConversationResponse>> GetConversation(
      const rpc::Call&, const store::v1::GetConversationRequest& request) {
    std::atomic<int> none{0};
    if (const absl::Status fault = Fault(none); !fault.ok()) co_return fault;
    if (request.conversation_id() != conversation_id) co_return Error(absl::StatusCode::kNotFound, "no conversation");
    store::v1::GetConversationResponse response;
    response.mutable_conversation()->set_id(conversation_id);
    response.mutable_conversation()->set_contact_id(contact_id);
    co_return response;
  }
  asio::awaitable<absl::StatusOr<store::v1::TakeOverResponse>> TakeOver(const rpc::Call&,
                                                                        const store::v1::TakeOverRequest& request) {
    std::atomic<int> none{0};
    if (const absl::Status fault = Fault(none); !fault.ok()) co_return fault;
    taken_over = true;
    {
      const std::lock_guard lock(mutex_);
      takeovers_.push_back(request.reason());
    }
    store::v1::TakeOverResponse response;
    response.mutable_conversation()->set_id(request.conversation_id());
    response.mutable_conversation()->set_status(store::v1::CONVERSATION_STATUS_HUMAN_TAKEOVER);
    co_return response;
  }
  asio::awaitable<absl::StatusOr<store::v1::ListMessagesResponse>> ListMessages(const rpc::Call&,
                                                                                const store::v1::ListMessagesRequest&) {
    const std::lock_guard lock(mutex_);
    store::v1::ListMessagesResponse response;
    for (auto message = history_.rbegin(); message != history_.rend(); ++message) {
      auto* one = response.add_messages();
      one->set_text(message->text());
      one->set_received(!message->from_hospital());
    }
    co_return response;
  }

#define MD_FAKE_METHOD(name)                                                                                    \
  grpc::ServerUnaryReactor* name(grpc::CallbackServerContext* context, const store::v1::name##Request* request, \
                                 store::v1::name##Response* response) override {                                \
    return rpc::ServeUnary(context, dispatcher_, "ConversationService/" #name, response,                        \
                           [this, request](const rpc::Call& call) { return name(call, *request); });            \
  }
  MD_FAKE_METHOD(Accept)
  MD_FAKE_METHOD(GetTurn)
  MD_FAKE_METHOD(RenewClaim)
  MD_FAKE_METHOD(CommitReply)
  MD_FAKE_METHOD(GetConversation)
  MD_FAKE_METHOD(TakeOver)
  MD_FAKE_METHOD(ListMessages)
#undef MD_FAKE_METHOD

  const std::string conversation_id = NewUuid(), contact_id = NewUuid();
  std::string patient_name, patient_phone;  // set before the first call
  std::vector<std::string> takeovers() const {
    const std::lock_guard lock(mutex_);
    return takeovers_;
  }
  // Forgets turns, history and takeover.
  void Reset() {
    const std::lock_guard lock(mutex_);
    turns_.clear();
    messages_.clear();
    history_.Clear();
    takeovers_.clear();
    taken_over = false;
  }

 private:
  static absl::Status Lost() { return Error(absl::StatusCode::kUnavailable, "the answer was lost"); }
  absl::Status Fault(std::atomic<int>& refusals) {
    if (full) return Error(absl::StatusCode::kResourceExhausted, "the queue is full");
    if (down || (refusals > 0 && refusals-- > 0)) return Error(absl::StatusCode::kUnavailable, "the store is down");
    return absl::OkStatus();
  }
  store::v1::ConversationStatus Status() const {
    return taken_over ? store::v1::CONVERSATION_STATUS_HUMAN_TAKEOVER : store::v1::CONVERSATION_STATUS_ACTIVE;
  }
  TurnRow& AddTurn(const std::string& id, store::v1::Route route, const std::string& text, store::v1::TurnState state) {
    TurnRow& row = turns_[id];
    row.turn.set_id(id);
    row.turn.set_conversation_id(conversation_id);
    row.turn.set_contact_id(contact_id);
    row.turn.set_route(route);
    row.turn.set_state(state);
    row.turn.add_texts(text);
    *row.turn.mutable_history() = history_;
    row.accept_text = text;
    return row;
  }
  void PutReply(TurnRow& row, const std::string& id, store::v1::ReplyOrigin origin, const std::string& text) {
    row.reply.set_id(id);
    row.reply.set_origin(origin);
    row.reply.set_text(text);
    row.turn.set_state(store::v1::TURN_STATE_ANSWERED);
    ++row.replies;
  }
  // Seals and claims where that may be; true when the caller need not wait.
  bool Settle(TurnRow& row, const std::string& claim_id, bool seal) {
    if (row.turn.state() == store::v1::TURN_STATE_OPEN && seal) {
      row.turn.set_state(taken_over ? store::v1::TURN_STATE_SKIPPED : store::v1::TURN_STATE_SEALED);
    }
    if (row.turn.state() != store::v1::TURN_STATE_SEALED) return true;
    const auto now = std::chrono::steady_clock::now();
    if (!row.claim_id.empty() && row.claim_id != claim_id && row.claim_until > now) return false;
    row.claim_id = claim_id;
    row.claim_until = now + claim;
    return true;
  }
  // A turn as its claimant sees it.
  store::v1::Turn TurnOf(const TurnRow& row) const {
    store::v1::Turn turn = row.turn;
    if (turn.state() != store::v1::TURN_STATE_SEALED) return turn;
    turn.mutable_claim_expire_time()->set_seconds(1);
    if (!patient_name.empty()) turn.add_patient_names(patient_name);
    if (!patient_phone.empty()) turn.add_patient_phones(patient_phone);
    return turn;
  }
  store::v1::AcceptResponse AcceptNow(const store::v1::AcceptRequest& request) {
    const std::lock_guard lock(mutex_);
    store::v1::AcceptResponse response;
    const auto known = messages_.find(request.whatsapp_message_id());
    const bool again = turns_.contains(request.commit_id());
    if (!again && !request.whatsapp_message_id().empty() && known != messages_.end()) {
      const TurnRow& row = turns_.at(known->second);
      response.set_duplicate(true);
      *response.mutable_turn() = row.turn;
      if (!row.reply.id().empty()) *response.mutable_reply() = row.reply;
      response.set_status(Status());
      return response;
    }
    if (!again) {
      TurnRow& row = AddTurn(request.commit_id(), request.route(), request.text(), store::v1::TURN_STATE_SEALED);
      *row.turn.mutable_verdict() = request.verdict();
      row.turn.set_first_contact(first_contact_);
      messages_[request.whatsapp_message_id()] = request.commit_id();
      const auto kind = request.fixed_reply().kind();
      if (kind != store::v1::FIXED_REPLY_KIND_UNSPECIFIED) {
        PutReply(row, NewUuid(), store::v1::REPLY_ORIGIN_GATE, request.fixed_reply().text());
        if (kind != store::v1::FIXED_REPLY_KIND_OPT_OUT) taken_over = true;
      } else if (taken_over) {
        row.turn.set_state(store::v1::TURN_STATE_SKIPPED);
        row.turn.set_skip_reason(store::v1::SKIP_REASON_TAKEOVER);
      } else {
        Settle(row, request.commit_id(), false);
      }
    }
    const TurnRow& row = turns_.at(request.commit_id());
    *response.mutable_turn() = TurnOf(row);
    if (!row.reply.id().empty()) *response.mutable_reply() = row.reply;
    response.set_status(Status());
    return response;
  }

  rpc::Dispatcher& dispatcher_;
  mutable std::mutex mutex_;
  std::map<std::string, TurnRow> turns_;         // by id
  std::map<std::string, std::string> messages_;  // id of its turn, by message id
  google::protobuf::RepeatedPtrField<store::v1::HistoryMessage> history_;
  std::vector<std::string> takeovers_;
  bool first_contact_ = false;
};

// One experiment, when `variant` has a name.
class FakeExperiments final : public store::v1::ExperimentService::CallbackService {
 public:
  explicit FakeExperiments(rpc::Dispatcher& dispatcher) : dispatcher_(dispatcher) {}

  store::v1::Variant variant;  // set before the first call
  std::atomic<int> looks{0}, assigned{0};
  std::atomic<bool> holds_outcomes{false};  // RecordOutcome waits
  // Waits until `count` outcomes were told; what was told then.
  std::vector<std::pair<store::v1::OutcomeKind, double>> Outcomes(std::size_t count) const {
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    for (;;) {
      {
        const std::lock_guard lock(mutex_);
        if (outcomes_.size() >= count || std::chrono::steady_clock::now() > end) return outcomes_;
      }
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
  }

  asio::awaitable<absl::StatusOr<store::v1::ListExperimentsResponse>> ListExperiments(
      const rpc::Call&, const store::v1::ListExperimentsRequest&) {
    ++looks;
    store::v1::ListExperimentsResponse response;
    if (!variant.name().empty()) response.add_experiments()->set_id("e");
    co_return response;
  }
  asio::awaitable<absl::StatusOr<store::v1::AssignVariantResponse>> AssignVariant(
      const rpc::Call&, const store::v1::AssignVariantRequest&) {
    ++assigned;
    store::v1::AssignVariantResponse response;
    *response.add_assignments()->mutable_variant() = variant;
    co_return response;
  }
  asio::awaitable<absl::StatusOr<store::v1::RecordOutcomeResponse>> RecordOutcome(
      const rpc::Call&, const store::v1::RecordOutcomeRequest& request) {
    while (holds_outcomes) co_await Pause(std::chrono::milliseconds(1));
    const std::lock_guard lock(mutex_);
    outcomes_.emplace_back(request.kind(), request.value());
    co_return store::v1::RecordOutcomeResponse();
  }

#define MD_FAKE_METHOD(Name)                                                                                    \
  grpc::ServerUnaryReactor* Name(grpc::CallbackServerContext* context, const store::v1::Name##Request* request, \
                                 store::v1::Name##Response* response) override {                                \
    return rpc::ServeUnary(context, dispatcher_, "ExperimentService/" #Name, response,                          \
                           [this, request](const rpc::Call& call) { return Name(call, *request); });            \
  }
  MD_FAKE_METHOD(ListExperiments)
  MD_FAKE_METHOD(AssignVariant)
  MD_FAKE_METHOD(RecordOutcome)
#undef MD_FAKE_METHOD

 private:
  rpc::Dispatcher& dispatcher_;
  mutable std::mutex mutex_;
  std::vector<std::pair<store::v1::OutcomeKind, double>> outcomes_;
};

class FakeKnowledge final : public store::v1::KnowledgeService::CallbackService {
 public:
  FakeKnowledge(rpc::Dispatcher& dispatcher, store::v1::GetFactsResponse facts)
      : dispatcher_(dispatcher), facts_(std::move(facts)) {}

  std::atomic<int> loads{0}, watches{0};
  std::atomic<int> refuse_loads{0};

  void Set(store::v1::GetFactsResponse facts) {
    const std::lock_guard lock(mutex_);
    facts_ = std::move(facts);
  }

  asio::awaitable<absl::StatusOr<store::v1::GetFactsResponse>> GetFacts(const rpc::Call&,
                                                                        const store::v1::GetFactsRequest&) {
    ++loads;
    if (refuse_loads > 0 && refuse_loads-- > 0) co_return Error(absl::StatusCode::kUnavailable, "down");
    const std::lock_guard lock(mutex_);
    co_return facts_;
  }
  asio::awaitable<absl::Status> Watch(rpc::StreamWriter<store::v1::KnowledgeServiceWatchResponse>& writer) {
    ++watches;
    for (std::int64_t told = -1;;) {
      store::v1::KnowledgeServiceWatchResponse response;
      response.set_revision(Revision());
      if (response.revision() != told) {
        told = response.revision();
        if (!co_await writer.Write(std::move(response))) co_return absl::OkStatus();
      }
      co_await Pause(std::chrono::milliseconds(5));
    }
  }

  grpc::ServerUnaryReactor* GetFacts(grpc::CallbackServerContext* context, const store::v1::GetFactsRequest* request,
                                     store::v1::GetFactsResponse* response) override {
    return rpc::ServeUnary(context, dispatcher_, "KnowledgeService/GetFacts", response,
                           [this, request](const rpc::Call& call) { return GetFacts(call, *request); });
  }
  grpc::ServerWriteReactor<store::v1::KnowledgeServiceWatchResponse>* Watch(
      grpc::CallbackServerContext* context, const store::v1::KnowledgeServiceWatchRequest*) override {
    return rpc::ServeStream<store::v1::KnowledgeServiceWatchResponse>(
        context, dispatcher_, "KnowledgeService/Watch",
        [this](const rpc::Call&, rpc::StreamWriter<store::v1::KnowledgeServiceWatchResponse>& writer) {
          return Watch(writer);
        },
        rpc::CallKind::kEndlessStream);
  }

 private:
  std::int64_t Revision() const {
    const std::lock_guard lock(mutex_);
    return facts_.revision();
  }

  rpc::Dispatcher& dispatcher_;
  mutable std::mutex mutex_;
  store::v1::GetFactsResponse facts_;
};

}  // namespace medidesk::assistant::testing
