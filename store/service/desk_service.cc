#include "store/service/desk_service.h"

#include "store/database_call.h"
#include "store/service/request_checks.h"

namespace medidesk::store {
namespace {

constexpr int kPage = 200;

// The people of the desk; an answer has a name.
absl::Status CheckPerson(const rpc::Call& call, const v1::Actor& actor) {
  MD_RETURN_IF_ERROR(CheckActor(call, actor));
  if (actor.kind() == v1::ACTOR_KIND_STAFF && call.principal.kind != rpc::Principal::Kind::kToken) {
    return absl::OkStatus();
  }
  return rpc::InvalidField("actor.kind", "expected a member of staff");
}

absl::Status CheckWords(std::string_view field, const std::string& text, std::size_t most) {
  if (text.find_first_not_of(" \t\r\n") == std::string::npos) return rpc::InvalidField(field, "must not be empty");
  return CheckLength(field, text, most);
}

}  // namespace

DeskService::DeskService(rpc::Dispatcher& dispatcher, DbPool& pool) : dispatcher_(dispatcher), pool_(pool) {}
DeskService::~DeskService() = default;

// Checks of each request are named Check<Name>; what follows them is the same for all.
#define MD_CALL(Name, function)                                                                             \
  asio::awaitable<absl::StatusOr<v1::Name##Response>> DeskService::Name(const rpc::Call& call,              \
                                                                        const v1::Name##Request& request) { \
    MD_CO_RETURN_IF_ERROR(Check##Name(call, request));                                                      \
    MD_ASSIGN_OR_CO_RETURN(std::string json, RequestToJson(call, request));                                 \
    co_return co_await CallDatabase<v1::Name##Response>(pool_, MD_FUNCTION(function), DeadlineOf(call),     \
                                                        std::move(json), call.trace.trace_id);              \
  }

namespace {

absl::Status CheckListInbox(const rpc::Call& call, const v1::ListInboxRequest& request) {
  MD_RETURN_IF_ERROR(CheckActor(call, request.actor()));
  MD_RETURN_IF_ERROR(CheckPageSize(request.page_size(), kPage));
  if (!v1::InboxFilter_IsValid(request.filter())) return rpc::InvalidField("filter", "expected a known filter");
  if (request.filter() == v1::INBOX_FILTER_MINE) MD_RETURN_IF_ERROR(CheckPerson(call, request.actor()));
  return CheckLength("query", request.query(), 100);
}

absl::Status CheckGetDeskConversation(const rpc::Call& call, const v1::GetDeskConversationRequest& request) {
  MD_RETURN_IF_ERROR(CheckActor(call, request.actor()));
  return CheckId("conversation_id", request.conversation_id());
}

absl::Status CheckMarkRead(const rpc::Call& call, const v1::MarkReadRequest& request) {
  MD_RETURN_IF_ERROR(CheckActor(call, request.actor()));
  if (request.seq() < 0) return rpc::InvalidField("seq", "expected 0 or more");
  return CheckId("conversation_id", request.conversation_id());
}

absl::Status CheckHoldConversation(const rpc::Call& call, const v1::HoldConversationRequest& request) {
  MD_RETURN_IF_ERROR(CheckPerson(call, request.actor()));
  return CheckId("conversation_id", request.conversation_id());
}

absl::Status CheckSendStaffMessage(const rpc::Call& call, const v1::SendStaffMessageRequest& request) {
  MD_RETURN_IF_ERROR(CheckPerson(call, request.actor()));
  MD_RETURN_IF_ERROR(CheckId("commit_id", request.commit_id()));
  MD_RETURN_IF_ERROR(CheckId("conversation_id", request.conversation_id()));
  if (request.last_seen_seq() < 0) return rpc::InvalidField("last_seen_seq", "expected 0 or more");
  return CheckWords("text", request.text(), 12'288);
}

absl::Status CheckAddNote(const rpc::Call& call, const v1::AddNoteRequest& request) {
  MD_RETURN_IF_ERROR(CheckActor(call, request.actor()));
  MD_RETURN_IF_ERROR(CheckId("commit_id", request.commit_id()));
  MD_RETURN_IF_ERROR(CheckId("conversation_id", request.conversation_id()));
  return CheckWords("text", request.text(), 4000);
}

absl::Status CheckDeleteNote(const rpc::Call& call, const v1::DeleteNoteRequest& request) {
  MD_RETURN_IF_ERROR(CheckActor(call, request.actor()));
  return CheckId("note_id", request.note_id());
}

absl::Status CheckMarkAnswer(const rpc::Call& call, const v1::MarkAnswerRequest& request) {
  MD_RETURN_IF_ERROR(CheckActor(call, request.actor()));
  MD_RETURN_IF_ERROR(CheckId("commit_id", request.commit_id()));
  MD_RETURN_IF_ERROR(CheckId("message_id", request.message_id()));
  return CheckLength("comment", request.comment(), 1000);
}

absl::Status CheckListMarkedAnswers(const rpc::Call& call, const v1::ListMarkedAnswersRequest& request) {
  MD_RETURN_IF_ERROR(CheckActor(call, request.actor()));
  return CheckPageSize(request.page_size(), kPage);
}

}  // namespace

MD_CALL(ListInbox, "list_inbox")
MD_CALL(GetDeskConversation, "get_desk_conversation")
MD_CALL(MarkRead, "mark_read")
MD_CALL(HoldConversation, "hold_conversation")
MD_CALL(SendStaffMessage, "send_staff_message")
MD_CALL(AddNote, "add_note")
MD_CALL(DeleteNote, "delete_note")
MD_CALL(MarkAnswer, "mark_answer")
MD_CALL(ListMarkedAnswers, "list_marked_answers")
#undef MD_CALL

}  // namespace medidesk::store
