#include "assistant/service/turn_flow.h"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <memory>
#include <utility>

#include "assistant/facts/fact_answerer.h"
#include "assistant/service/screening.h"
#include "base/log.h"
#include "base/uuid.h"

namespace medidesk::assistant {
namespace {

namespace asio = boost::asio;
using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;
using store::v1::ConversationService;

bool OutcomeUnknown(const absl::Status& status) {
  return status.code() == absl::StatusCode::kUnavailable || status.code() == absl::StatusCode::kDeadlineExceeded;
}

// For what must not be lost to a busy moment: also when it was refused for now.
bool UnknownOrBusy(const absl::Status& status) {
  return OutcomeUnknown(status) || status.code() == absl::StatusCode::kResourceExhausted;
}

std::string_view RouteWord(store::v1::Route route) {
  switch (route) {
    case store::v1::ROUTE_WEBHOOK:
      return "webhook";
    case store::v1::ROUTE_WHATSAPP:
      return "wa";
    default:
      return "rpc";
  }
}

// Calls a method of the store until its outcome is known or `until`. Attempts are cut short, so
// that a lost answer is asked for again while there is time. `name` is MD_METHOD(...); `again` says
// which errors are worth another attempt.
template <class Name, class Request>
auto CallUntilKnown(const rpc::Client<ConversationService>& client, Name name, const Request& request,
                    TraceContext trace, Clock::time_point until, bool (*again)(const absl::Status&) = OutcomeUnknown)
    -> asio::awaitable<absl::StatusOr<typename rpc::internal::MethodOf<Name, ConversationService>::Response>> {
  milliseconds pause(50);
  while (true) {
    const auto left = std::chrono::duration_cast<milliseconds>(until - Clock::now());
    rpc::CallOptions options = rpc::Within(std::min(left, milliseconds(4000)));
    options.trace = trace;
    auto response = co_await client.Call(name, request, options);
    if (response.ok() || !again(response.status()) || Clock::now() + pause >= until) co_return response;
    asio::steady_timer timer(co_await asio::this_coro::executor, pause);
    co_await timer.async_wait(asio::use_awaitable);
    pause = std::min(pause * 2, milliseconds(800));
  }
}

// Renews a claim while it lives. Shared with its timer's handler, which may run once more after the end.
class ClaimRenewal : public std::enable_shared_from_this<ClaimRenewal> {
 public:
  ClaimRenewal(asio::any_io_executor executor, rpc::Client<ConversationService> client, std::string turn_id,
               std::string claim_id, TraceContext trace, milliseconds every)
      : timer_(executor), client_(std::move(client)), trace_(std::move(trace)), every_(every) {
    request_.set_turn_id(std::move(turn_id));
    request_.set_claim_id(std::move(claim_id));
  }
  void Start() {
    timer_.expires_after(every_);
    timer_.async_wait([self = shared_from_this()](boost::system::error_code error) {
      if (error || self->stopped_) return;
      asio::co_spawn(self->timer_.get_executor(), Renew(self), asio::detached);
      self->Start();
    });
  }
  void Stop() {
    stopped_ = true;
    timer_.cancel();
  }

 private:
  static asio::awaitable<void> Renew(std::shared_ptr<ClaimRenewal> self) {
    rpc::CallOptions options = rpc::Within(self->every_);
    options.trace = self->trace_;
    co_await self->client_.Call(MD_METHOD(RenewClaim), self->request_, options);
  }

  asio::steady_timer timer_;  // on the call's strand, like everything here
  rpc::Client<ConversationService> client_;
  store::v1::RenewClaimRequest request_;
  TraceContext trace_;
  milliseconds every_;
  bool stopped_ = false;
};

}  // namespace

struct TurnFlow::Progress {
  const rpc::Call& call;
  Clock::time_point start = Clock::now();
  Clock::time_point deadline;
  std::string claim_id;
  store::v1::Turn turn;
  store::v1::Reply reply;  // id empty: none
  store::v1::ConversationStatus status = store::v1::CONVERSATION_STATUS_UNSPECIFIED;
  bool duplicate = false;
  std::string source;

  Clock::time_point DeadlineWithin(milliseconds budget) const { return Clock::now() + std::min(call.Left(), budget); }
};

asio::awaitable<absl::StatusOr<v1::ReplyResponse>> TurnFlow::ReplyToText(const rpc::Call& call,
                                                                         const v1::InboundText& inbound,
                                                                         OnSentence on_sentence) {
  Progress progress{.call = call, .deadline = {}, .claim_id = NewUuid(), .turn = {}, .reply = {}, .source = {}};
  progress.deadline = progress.DeadlineWithin(options_.inbound_budget);
  const Screening screening = ScreenText(gate_, texts_, facts_.Current()->contacts, inbound.text());
  metrics_.OnVerdict(screening.verdict.severity());

  store::v1::AcceptRequest accept;
  accept.set_commit_id(progress.claim_id);
  accept.set_route(inbound.route() == store::v1::ROUTE_WEBHOOK ? store::v1::ROUTE_WEBHOOK : store::v1::ROUTE_RPC);
  accept.set_phone(inbound.phone());
  accept.set_whatsapp_message_id(inbound.message_id());
  accept.set_text(inbound.text());
  accept.set_patient_name(inbound.patient_name());
  accept.set_history_limit(options_.history_limit);
  if (inbound.has_message_time()) *accept.mutable_message_time() = inbound.message_time();
  *accept.mutable_verdict() = screening.verdict;
  if (screening.fixed()) *accept.mutable_fixed_reply() = screening.fixed_reply;

  const Clock::time_point patience =
      std::min(Clock::now() + (screening.emergency() ? options_.emergency_patience : options_.accept_patience),
               progress.deadline - options_.commit_reserve / 2);
  auto accepted = co_await CallUntilKnown(conversations_, MD_METHOD(Accept), accept, call.trace, patience);
  metrics_.OnStage("accept", Clock::now() - progress.start);
  if (!accepted.ok()) {
    if (!screening.emergency() || accepted.status().code() == absl::StatusCode::kInvalidArgument)
      co_return accepted.status();
    // Nobody waits for a database with a red flag in hand.
    log::Error("emergency_unstored",
               {{"family", log::Public(screening.verdict.family())}, {"trace", log::Public(call.trace.trace_id)}});
    metrics_.unstored_emergencies.Increment();
    v1::ReplyResponse response;
    safety::SiteContacts contacts = facts_.Current()->contacts;
    contacts.staff_told = false;  // nothing is stored, so nobody has a task
    response.set_text(ScreenText(gate_, texts_, contacts, inbound.text()).fixed_reply.text());
    response.set_origin(store::v1::REPLY_ORIGIN_GATE);
    response.set_status(store::v1::CONVERSATION_STATUS_HUMAN_TAKEOVER);
    response.set_source("gate");
    co_return response;
  }
  progress.turn = std::move(*accepted->mutable_turn());
  progress.reply = std::move(*accepted->mutable_reply());
  progress.status = accepted->status();
  progress.duplicate = accepted->duplicate();
  if (!progress.reply.id().empty() && !progress.duplicate) progress.source = "gate";

  if (progress.turn.state() == store::v1::TURN_STATE_SEALED && !progress.turn.has_claim_expire_time()) {
    MD_CO_RETURN_IF_ERROR(co_await Claim(progress, /*seal=*/false));
  }
  co_return co_await Answer(progress, std::move(on_sentence));
}

asio::awaitable<absl::StatusOr<v1::ReplyResponse>> TurnFlow::ReplyToTurn(const rpc::Call& call,
                                                                         const std::string& turn_id,
                                                                         OnSentence on_sentence) {
  Progress progress{.call = call, .deadline = {}, .claim_id = NewUuid(), .turn = {}, .reply = {}, .source = {}};
  progress.deadline = progress.DeadlineWithin(options_.turn_budget);
  progress.turn.set_id(turn_id);
  MD_CO_RETURN_IF_ERROR(co_await Claim(progress, /*seal=*/true));
  co_return co_await Answer(progress, std::move(on_sentence));
}

asio::awaitable<absl::Status> TurnFlow::Claim(Progress& progress, bool seal) {
  store::v1::GetTurnRequest request;
  request.set_turn_id(progress.turn.id());
  request.set_claim_id(progress.claim_id);
  request.set_seal(seal);
  request.set_history_limit(options_.history_limit);
  const Clock::time_point until = progress.deadline - options_.commit_reserve / 3;
  while (true) {
    auto response = co_await CallUntilKnown(conversations_, MD_METHOD(GetTurn), request, progress.call.trace, until);
    if (!response.ok()) {
      // An attempt's own short deadline ended its wait, not ours.
      if (response.status().code() == absl::StatusCode::kAborted && Clock::now() + milliseconds(200) < until) continue;
      // GetTurn waits for nothing but claims: whose deadline passes first, ours or the store's, is chance.
      if (response.status().code() == absl::StatusCode::kDeadlineExceeded) {
        co_return Error(absl::StatusCode::kAborted, "another call is still answering this message; try again");
      }
      co_return response.status();
    }
    progress.turn = std::move(*response->mutable_turn());
    progress.reply = std::move(*response->mutable_reply());
    progress.status = response->status();
    co_return absl::OkStatus();
  }
}

asio::awaitable<absl::StatusOr<v1::ReplyResponse>> TurnFlow::Answer(Progress& progress, OnSentence on_sentence) {
  store::v1::Turn& turn = progress.turn;
  if (!progress.reply.id().empty()) co_return Finish(progress, progress.source.empty() ? "duplicate" : "gate");
  if (turn.state() != store::v1::TURN_STATE_SEALED || turn.texts_size() == 0) co_return Finish(progress, "skipped");

  const auto executor = co_await asio::this_coro::executor;
  const auto renewal = std::make_shared<ClaimRenewal>(executor, conversations_, turn.id(), progress.claim_id,
                                                      progress.call.trace, options_.renew);
  renewal->Start();
  struct StopAtEnd {
    ClaimRenewal& renewal;
    ~StopAtEnd() { renewal.Stop(); }
  } const stop{*renewal};

  const auto generating = Clock::now();
  // Right after a start the facts may still be on their way; an answer without them helps nobody.
  for (asio::steady_timer timer(executor); !facts_.loaded() && Clock::now() - generating < options_.facts_patience;) {
    timer.expires_after(milliseconds(50));
    co_await timer.async_wait(asio::use_awaitable);
  }
  std::string language = turn.verdict().language().empty() ? "en" : turn.verdict().language();
  const Clock::time_point make_until = progress.deadline - options_.commit_reserve;
  const std::vector<std::string> texts(turn.texts().begin(), turn.texts().end());
  const safety::Verdict verdict = gate_.ScreenBurst(texts);
  const std::shared_ptr<const SiteFacts> site = facts_.Current();
  const auto now = std::chrono::system_clock::now();
  const bool facts_know = AnswerFromFacts(*site->prompt->book, JoinedTexts(turn), language, now).known;
  const std::optional<RuleAnswer> rule =
      AnswerByRule(verdict, turn, facts_know, texts_, answers_.ContactsNow(*site), language, options_.limits, now);
  assistant::Answer answer;
  store::v1::ReplyOrigin origin = store::v1::REPLY_ORIGIN_BOT;
  bool exposed = false;
  if (rule) {
    answer = {.text = rule->text,
              .source = "gate",
              .outcome = rule->outcome,
              .task_reason = rule->task_reason,
              .takeover_reason = rule->takeover_reason};
    origin = store::v1::REPLY_ORIGIN_GATE;
  } else {
    Experiments::Exposure exposure;
    if (answers_.has_model()) {
      std::string turn_id = turn.id();
      exposure = co_await experiments_.Expose(std::move(turn_id), progress.call.trace);
      exposed = exposure.exposed;
    }
    answer = co_await answers_.Make(turn, std::move(language), make_until, std::move(on_sentence),
                                    std::move(exposure.variation));
    // A takeover follows: the outbox must not take the text for the bot's and drop it.
    if (!answer.takeover_reason.empty()) origin = store::v1::REPLY_ORIGIN_GATE;
  }
  metrics_.OnStage("generate", Clock::now() - generating);

  const auto committing = Clock::now();
  store::v1::CommitReplyRequest commit;
  commit.set_turn_id(turn.id());
  commit.set_commit_id(NewUuid());
  commit.set_origin(origin);
  commit.set_text(std::move(answer.text));
  commit.set_source(answer.source);
  commit.set_task_reason(answer.task_reason);
  auto committed = co_await CallUntilKnown(conversations_, MD_METHOD(CommitReply), commit, progress.call.trace,
                                           progress.deadline, UnknownOrBusy);
  metrics_.OnStage("commit", Clock::now() - committing);
  if (!committed.ok()) co_return committed.status();

  progress.reply = std::move(*committed->mutable_reply());
  progress.status = committed->status();
  turn.set_state(committed->state());
  if (committed->committed()) progress.source = answer.source;
  if (committed->committed() && exposed) {
    const asio::any_io_executor executor = co_await asio::this_coro::executor;
    const double took = std::chrono::duration<double, std::milli>(Clock::now() - progress.start).count();
    experiments_.Record(executor, turn.id(), store::v1::OUTCOME_KIND_LATENCY_MS, took, progress.call.trace);
    if (answer.check_failed) {
      experiments_.Record(executor, turn.id(), store::v1::OUTCOME_KIND_CHECK_FAILED, 1, progress.call.trace);
    }
  }
  if (committed->committed() && !answer.takeover_reason.empty()) {
    std::string reason = answer.takeover_reason;
    co_await TakeOver(progress, std::move(reason));
  }
  if (committed->route() != turn.route() && turn.route() != store::v1::ROUTE_WHATSAPP) {
    // WhatsApp delivered the same message meanwhile and will deliver the reply.
    turn.set_route(committed->route());
    progress.duplicate = true;
    progress.reply.Clear();
  }
  co_return Finish(progress, committed->committed()                          ? answer.outcome
                             : turn.state() == store::v1::TURN_STATE_SKIPPED ? "skipped"
                                                                             : "duplicate");
}

asio::awaitable<void> TurnFlow::TakeOver(Progress& progress, std::string reason) {
  store::v1::TakeOverRequest request;
  request.set_conversation_id(progress.turn.conversation_id());
  request.set_reason(std::move(reason));
  auto taken = co_await CallUntilKnown(conversations_, MD_METHOD(TakeOver), request, progress.call.trace,
                                       progress.deadline, UnknownOrBusy);
  if (taken.ok()) {
    progress.status = taken->conversation().status();
  } else {
    // Staff have the task all the same.
    log::Error("takeover_failed",
               {{"turn", log::Public(progress.turn.id())}, {"code", static_cast<int>(taken.status().code())}});
  }
}

v1::ReplyResponse TurnFlow::Finish(const Progress& progress, std::string_view outcome) {
  v1::ReplyResponse response;
  response.set_conversation_id(progress.turn.conversation_id());
  response.set_turn_id(progress.turn.id());
  if (!progress.reply.id().empty()) {
    response.set_text(progress.reply.text());
    response.set_origin(progress.reply.origin());
    response.set_reply_id(progress.reply.id());
  }
  response.set_status(progress.status);
  response.set_duplicate(progress.duplicate);
  response.set_source(progress.source);
  const auto took = Clock::now() - progress.start;
  metrics_.OnTurn(RouteWord(progress.turn.route()), outcome, took);
  log::Info("turn_finished", {{"turn", log::Public(progress.turn.id())},
                              {"outcome", log::Public(outcome)},
                              {"ms", std::chrono::duration_cast<milliseconds>(took).count()},
                              {"trace", log::Public(progress.call.trace.trace_id)}});
  return response;
}

}  // namespace medidesk::assistant
