#include "assistant/service/assistant_service.h"

#include "assistant/facts/fact_answerer.h"
#include "assistant/service/screening.h"
#include "base/phone_number.h"
#include "base/uuid.h"

namespace medidesk::assistant {
namespace {

namespace asio = boost::asio;
constexpr std::size_t kMaxText = 65'536;  // bytes

absl::Status CheckText(std::string_view field, const std::string& text) {
  if (text.find_first_not_of(" \t\r\n") == std::string::npos)
    return rpc::InvalidField(field, "must not be empty or blank");
  if (text.size() > kMaxText) return rpc::InvalidField(field, "at most 65,536 bytes");
  return absl::OkStatus();
}

absl::Status CheckInbound(const rpc::Call& call, const v1::InboundText& inbound) {
  if (!PhoneNumber::Parse(inbound.phone())) {
    return rpc::InvalidField("inbound.phone", "expected a phone number of 7 to 15 digits, for example +15550109999");
  }
  MD_RETURN_IF_ERROR(CheckText("inbound.text", inbound.text()));
  if (inbound.message_id().size() > 256) return rpc::InvalidField("inbound.message_id", "at most 256 bytes");
  if (inbound.route() != store::v1::ROUTE_UNSPECIFIED && inbound.route() != store::v1::ROUTE_RPC &&
      (inbound.route() != store::v1::ROUTE_WEBHOOK || call.principal.kind == rpc::Principal::Kind::kToken)) {
    return rpc::InvalidField("inbound.route", "leave it out");
  }
  return absl::OkStatus();
}

// Turns are the gateway's: its certificate, or a caller on this machine without a token.
absl::Status CheckTurnCaller(const rpc::Call& call) {
  if (call.principal.kind == rpc::Principal::Kind::kLocal || call.principal.IsService("gateway"))
    return absl::OkStatus();
  return Error(absl::StatusCode::kPermissionDenied, "turn_id is for the gateway; send `inbound`");
}

}  // namespace

AssistantService::AssistantService(rpc::Dispatcher& dispatcher, const rpc::Channel& store, const safety::Gate& gate,
                                   const safety::Texts& texts, const FactCache& facts, ContextOptions context)
    : dispatcher_(dispatcher), conversations_(store), gate_(gate), texts_(texts), facts_(facts), context_(context) {}
AssistantService::~AssistantService() = default;

asio::awaitable<absl::StatusOr<v1::ReplyResponse>> AssistantService::Reply(const rpc::Call& call,
                                                                           const v1::ReplyRequest& request) {
  const TurnFlow::OnSentence nobody;
  if (request.has_inbound()) {
    MD_CO_RETURN_IF_ERROR(CheckInbound(call, request.inbound()));
    co_return co_await flow_->ReplyToText(call, request.inbound(), nobody);
  }
  if (request.input_case() != v1::ReplyRequest::kTurnId) co_return rpc::InvalidField("input", "send `inbound`");
  MD_CO_RETURN_IF_ERROR(CheckTurnCaller(call));
  if (!IsUuid(request.turn_id())) co_return rpc::InvalidField("turn_id", "expected a UUID");
  co_return co_await flow_->ReplyToTurn(call, request.turn_id(), nobody);
}

asio::awaitable<absl::Status> AssistantService::StreamReply(const rpc::Call& call,
                                                            const v1::StreamReplyRequest& request,
                                                            rpc::StreamWriter<v1::StreamReplyResponse>& writer) {
  const TurnFlow::OnSentence on_sentence = [&writer](std::string sentence) -> asio::awaitable<bool> {
    v1::StreamReplyResponse delta;
    delta.set_text_delta(std::move(sentence));
    co_return co_await writer.Write(std::move(delta));
  };
  absl::StatusOr<v1::ReplyResponse> reply = rpc::InvalidField("input", "send `inbound`");
  if (request.has_inbound()) {
    MD_CO_RETURN_IF_ERROR(CheckInbound(call, request.inbound()));
    reply = co_await flow_->ReplyToText(call, request.inbound(), on_sentence);
  } else if (request.input_case() == v1::StreamReplyRequest::kTurnId) {
    MD_CO_RETURN_IF_ERROR(CheckTurnCaller(call));
    if (!IsUuid(request.turn_id())) co_return rpc::InvalidField("turn_id", "expected a UUID");
    reply = co_await flow_->ReplyToTurn(call, request.turn_id(), on_sentence);
  }
  if (!reply.ok()) co_return reply.status();
  v1::StreamReplyResponse last;
  *last.mutable_result() = *std::move(reply);
  co_await writer.Write(std::move(last));
  co_return absl::OkStatus();
}

asio::awaitable<absl::StatusOr<v1::ScreenResponse>> AssistantService::Screen(const rpc::Call&,
                                                                             const v1::ScreenRequest& request) {
  MD_CO_RETURN_IF_ERROR(CheckText("text", request.text()));
  const Screening screening = ScreenText(gate_, texts_, facts_.Current()->contacts, request.text());
  v1::ScreenResponse response;
  *response.mutable_verdict() = screening.verdict;
  if (screening.fixed()) *response.mutable_fixed_reply() = screening.fixed_reply;
  co_return response;
}

asio::awaitable<absl::StatusOr<v1::PreviewContextResponse>> AssistantService::PreviewContext(
    const rpc::Call& call, const v1::PreviewContextRequest& request) {
  MD_CO_RETURN_IF_ERROR(CheckText("text", request.text()));
  if (!facts_.loaded()) co_return Error(absl::StatusCode::kUnavailable, "the facts are not loaded yet; try again");
  store::v1::Turn turn;
  turn.add_texts(request.text());
  if (!request.conversation_id().empty()) {
    if (!IsUuid(request.conversation_id())) co_return rpc::InvalidField("conversation_id", "expected a UUID");
    store::v1::GetConversationRequest get;
    get.set_conversation_id(request.conversation_id());
    const rpc::CallOptions options = rpc::Continue(call);
    auto conversation = co_await conversations_.Call(MD_METHOD(GetConversation), get, options);
    if (!conversation.ok()) co_return conversation.status();
    turn.set_conversation_id(conversation->conversation().id());
    turn.set_contact_id(conversation->conversation().contact_id());
    store::v1::ListMessagesRequest list;
    list.set_conversation_id(conversation->conversation().id());
    list.set_page_size(40);
    auto messages = co_await conversations_.Call(MD_METHOD(ListMessages), list, options);
    if (!messages.ok()) co_return messages.status();
    for (auto message = messages->messages().rbegin(); message != messages->messages().rend(); ++message) {
      store::v1::HistoryMessage* one = turn.add_history();
      one->set_from_hospital(!message->received());
      one->set_text(message->text());
      *one->mutable_create_time() = message->create_time();
    }
  }
  const std::shared_ptr<const SiteFacts> site = facts_.Current();
  const Screening screening = ScreenText(gate_, texts_, site->contacts, request.text());
  const TurnContext context =
      BuildContext(*site->prompt, turn, screening.language, std::chrono::system_clock::now(), context_);
  v1::PreviewContextResponse response;
  response.set_stable_prompt(site->prompt->text);
  response.set_turn_prompt(context.turn_prompt);
  for (const claude::Message& message : context.request.messages) {
    store::v1::HistoryMessage* one = response.add_messages();
    one->set_from_hospital(message.role == claude::Role::kAssistant);
    one->set_text(claude::JoinedText(message.content));
  }
  response.set_estimated_tokens(context.estimated_tokens);
  response.set_facts_retrieved(site->prompt->retrieval);
  co_return response;
}

namespace {

constexpr std::size_t kMaxQuestion = 4096;  // bytes
constexpr std::size_t kMaxFacts = 6;
constexpr std::chrono::seconds kTryBudget{24};

// Names a row of the facts, once.
void AddFact(const store::v1::GetFactsResponse& facts, std::string_view kind, std::string_view key,
             v1::TryQuestionResponse* response) {
  if (static_cast<std::size_t>(response->facts_size()) >= kMaxFacts) return;
  for (const v1::UsedFact& known : response->facts()) {
    if (known.kind() == kind && known.key() == key) return;
  }
  std::string title;
  const auto find = [&](const auto& rows, const auto& name) {
    for (const auto& row : rows) {
      if (row.key() == key) title = name(row);
    }
  };
  if (kind == "faq") find(facts.faqs(), [](const auto& row) { return row.question(); });
  if (kind == "department") find(facts.departments(), [](const auto& row) { return row.name(); });
  if (kind == "doctor") find(facts.doctors(), [](const auto& row) { return row.name(); });
  if (kind == "visiting_hours") find(facts.visiting_hours(), [](const auto& row) { return row.area(); });
  if (kind == "hospital") title = facts.hospital().name();
  if (title.empty()) return;
  v1::UsedFact* fact = response->add_facts();
  fact->set_kind(std::string(kind));
  fact->set_key(std::string(key));
  fact->set_title(std::move(title));
}

std::string_view KindName(FactKind kind) {
  switch (kind) {
    case FactKind::kVisitingHours:
      return "visiting_hours";
    case FactKind::kDepartment:
      return "department";
    case FactKind::kDoctor:
      return "doctor";
    case FactKind::kFaq:
      break;
  }
  return "faq";
}

}  // namespace

asio::awaitable<absl::StatusOr<v1::TryQuestionResponse>> AssistantService::TryQuestion(
    const rpc::Call& call, const v1::TryQuestionRequest& request) {
  MD_CO_RETURN_IF_ERROR(CheckText("text", request.text()));
  if (request.text().size() > kMaxQuestion) co_return rpc::InvalidField("text", "at most 4,096 bytes");
  if (!facts_.loaded()) co_return Error(absl::StatusCode::kUnavailable, "the facts are not loaded yet; try again");
  const std::shared_ptr<const SiteFacts> site = facts_.Current();
  const FactBook& book = *site->prompt->book;
  const Screening screening = ScreenText(gate_, texts_, site->contacts, request.text());
  v1::TryQuestionResponse response;
  *response.mutable_verdict() = screening.verdict;
  if (screening.fixed()) {
    response.set_text(screening.fixed_reply.text());
    response.set_source("gate");
    response.set_known(true);
    co_return response;
  }
  const FactAnswer found = AnswerFromFacts(book, request.text(), screening.language, std::chrono::system_clock::now());
  const std::size_t colon = found.source.find(':');
  AddFact(book.facts(), found.source.substr(0, colon), colon == std::string::npos ? "" : found.source.substr(colon + 1),
          &response);
  if (found.known || answers_->has_model()) {
    for (const Hit& hit : book.Search(request.text(), kMaxFacts)) {
      AddFact(book.facts(), KindName(hit.kind), hit.key, &response);
    }
  }
  store::v1::Turn turn;
  turn.add_texts(request.text());
  const auto deadline = std::chrono::steady_clock::now() + std::min<std::chrono::milliseconds>(call.Left(), kTryBudget);
  AnswerMaker::OnSentence nobody;
  Variation none;
  const Answer answer = co_await answers_->Make(turn, screening.language, deadline, std::move(nobody), std::move(none));
  response.set_text(answer.text);
  response.set_source(answer.source);
  response.set_known(found.known || (answer.source != "facts" && answer.source != "apology"));
  co_return response;
}

}  // namespace medidesk::assistant
