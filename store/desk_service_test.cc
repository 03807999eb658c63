// DeskService over a real PostgreSQL.
#include "store/service/desk_service.h"

#include <gmock/gmock.h>

#include "base/rpc/error_details.h"
#include "store/service/task_service.h"
#include "store/testing/store_fixture.h"

namespace medidesk::store {
namespace {

using absl::StatusCode;
using ::testing::IsEmpty;
using ::testing::SizeIs;

class DeskServiceTest : public testing::StoreFixture {
 protected:
  DeskServiceTest() : desk_(dispatcher_, pool_), anna_(Person("anna", "agent")), ben_(Person("ben", "agent")) {}

  // An account; its id.
  std::string Person(const std::string& name, const std::string& role) {
    const std::string id = NewUuid();
    database_.Sql("insert into staff (id, email, name, role) values ('" + id + "', '" + name + "@example.org', '" +
                  name + "', '" + role + "')");
    return id;
  }
  v1::ListInboxResponse Inbox(v1::InboxFilter filter, const std::string& query = "", const std::string& who = "") {
    v1::ListInboxRequest request;
    request.set_filter(filter);
    request.set_query(query);
    *request.mutable_actor() = Staff(who.empty() ? anna_ : who);
    auto response = Wait(desk_.ListInbox(call_, request));
    EXPECT_TRUE(response.ok()) << Text(response.status());
    return response.value_or(v1::ListInboxResponse());
  }
  void TakeOver(const std::string& conversation, const std::string& staff) {
    v1::TakeOverRequest request;
    request.set_conversation_id(conversation);
    request.set_staff_id(staff);
    EXPECT_TRUE(Wait(conversations_.TakeOver(call_, request)).ok());
  }
  void Link() { database_.Sql("update numbers set kind = 'whatsapp'"); }
  absl::StatusOr<v1::SendStaffMessageResponse> Send(const std::string& conversation, const std::string& staff,
                                                    std::int64_t seen = 0, bool force = false,
                                                    const std::string& commit = NewUuid()) {
    v1::SendStaffMessageRequest request;
    request.set_commit_id(commit);
    request.set_conversation_id(conversation);
    request.set_text("We open at nine.");
    request.set_last_seen_seq(seen);
    request.set_force(force);
    *request.mutable_actor() = Staff(staff);
    return Wait(desk_.SendStaffMessage(call_, request));
  }
  v1::HoldConversationResponse Hold(const std::string& conversation, const std::string& staff, bool writing,
                                    bool leave = false) {
    v1::HoldConversationRequest request;
    request.set_conversation_id(conversation);
    request.set_writing(writing);
    request.set_leave(leave);
    *request.mutable_actor() = Staff(staff);
    auto response = Wait(desk_.HoldConversation(call_, request));
    EXPECT_TRUE(response.ok()) << Text(response.status());
    return response.value_or(v1::HoldConversationResponse());
  }
  v1::GetDeskConversationResponse Read(const std::string& conversation) {
    v1::GetDeskConversationRequest request;
    request.set_conversation_id(conversation);
    *request.mutable_actor() = Staff(anna_);
    auto response = Wait(desk_.GetDeskConversation(call_, request));
    EXPECT_TRUE(response.ok()) << Text(response.status());
    return response.value_or(v1::GetDeskConversationResponse());
  }

  DeskService desk_;
  std::string anna_, ben_;
};

TEST_F(DeskServiceTest, ShowsWhoWaitsAndSinceWhen) {
  const v1::Turn answered = Accept("when do you open?", "+15550100001", "Maria");
  Answer(answered, "At nine.");
  const v1::Turn waiting = Accept("hello?", "+15550100002");
  const auto rows = Inbox(v1::INBOX_FILTER_ALL).rows();
  ASSERT_THAT(rows, SizeIs(2));
  for (const v1::InboxRow& row : rows) {
    const bool waits = row.conversation().id() == waiting.conversation_id();
    EXPECT_EQ(row.has_waiting_since(), waits);
    EXPECT_EQ(row.unread_count(), waits ? 1 : 0);
    EXPECT_EQ(row.preview(), waits ? "hello?" : "At nine.");
    EXPECT_EQ(row.preview_received(), waits);
    if (waits) continue;
    EXPECT_EQ(row.preview_origin(), v1::REPLY_ORIGIN_BOT);
    EXPECT_EQ(row.conversation().patient_name(), "Maria");
  }
  v1::MarkReadRequest read;
  read.set_conversation_id(waiting.conversation_id());
  read.set_seq(1'000'000);
  *read.mutable_actor() = Staff(anna_);
  ASSERT_TRUE(Wait(desk_.MarkRead(call_, read)).ok());
  EXPECT_EQ(Inbox(v1::INBOX_FILTER_ALL, "0002").rows(0).unread_count(), 0);
  EXPECT_TRUE(Inbox(v1::INBOX_FILTER_ALL, "0002").rows(0).has_waiting_since());
}

TEST_F(DeskServiceTest, FiltersByNeedEmergencyOwnerAndArchive) {
  const std::string plain = Accept("hi", "+15550100001").conversation_id();
  const std::string taken = Accept("hi", "+15550100002").conversation_id();
  const std::string urgent = Accept("hi", "+15550100003").conversation_id();
  const std::string archived = Accept("hi", "+15550100004").conversation_id();
  TakeOver(taken, anna_);
  database_.Sql("insert into tasks (conversation_id, reason, urgent) values ('" + urgent +
                "', 'emergency:chest_pain', true)");
  database_.Sql("update conversations set status = 'archived' where id = '" + archived + "'");
  EXPECT_THAT(Inbox(v1::INBOX_FILTER_ALL).rows(), SizeIs(3));
  const auto needs = Inbox(v1::INBOX_FILTER_NEEDS_PERSON);
  EXPECT_THAT(needs.rows(), SizeIs(2));
  EXPECT_EQ(needs.needs_person_count(), 2);
  EXPECT_EQ(needs.emergency_count(), 1);
  EXPECT_EQ(needs.mine_count(), 1);
  const auto red = Inbox(v1::INBOX_FILTER_EMERGENCY).rows();
  ASSERT_THAT(red, SizeIs(1));
  EXPECT_EQ(red[0].conversation().id(), urgent);
  EXPECT_EQ(red[0].task_kind(), v1::TASK_KIND_EMERGENCY);
  EXPECT_EQ(red[0].task_priority(), v1::TASK_PRIORITY_URGENT);
  ASSERT_THAT(Inbox(v1::INBOX_FILTER_MINE).rows(), SizeIs(1));
  EXPECT_THAT(Inbox(v1::INBOX_FILTER_MINE, "", ben_).rows(), IsEmpty());
  ASSERT_THAT(Inbox(v1::INBOX_FILTER_ARCHIVED).rows(), SizeIs(1));
  EXPECT_THAT(Inbox(v1::INBOX_FILTER_ALL, "%").rows(), IsEmpty());
  EXPECT_THAT(Inbox(v1::INBOX_FILTER_ALL, "' or 1=1 --").rows(), IsEmpty());
  EXPECT_THAT(Inbox(v1::INBOX_FILTER_ALL, "100001").rows(), SizeIs(1));
}

TEST_F(DeskServiceTest, PagesWithoutGapsOrRepetition) {
  for (int i = 0; i < 7; ++i) Accept("hi", "+1555010010" + std::to_string(i));
  v1::ListInboxRequest request;
  request.set_page_size(3);
  *request.mutable_actor() = Staff(anna_);
  std::set<std::string> seen;
  int pages = 0;
  do {
    const auto page = Wait(desk_.ListInbox(call_, request));
    ASSERT_TRUE(page.ok()) << Text(page.status());
    for (const auto& row : page->rows()) EXPECT_TRUE(seen.insert(row.conversation().id()).second);
    request.set_page_token(page->next_page_token());
  } while (!request.page_token().empty() && ++pages < 10);
  EXPECT_THAT(seen, SizeIs(7));
  request.set_page_token("1.x");
  EXPECT_EQ(Wait(desk_.ListInbox(call_, request)).status().code(), StatusCode::kInvalidArgument);
}

TEST_F(DeskServiceTest, RecordsAReadingOfTheListOncePerPersonAndConversation) {
  Accept("hi");
  const auto count = [&] { return database_.Value<int>("select count(*) from audit_log where action = 'read'"); };
  Inbox(v1::INBOX_FILTER_ALL);
  Inbox(v1::INBOX_FILTER_ALL);
  EXPECT_EQ(count(), 1);
  Inbox(v1::INBOX_FILTER_ALL, "", ben_);
  EXPECT_EQ(count(), 2);
  database_.Sql("update medidesk.desk_seen set at = at - interval '16 minutes'");
  Inbox(v1::INBOX_FILTER_ALL);
  EXPECT_EQ(count(), 3);
}

TEST_F(DeskServiceTest, ASecondPersonSeesTheFirstAndCannotAnswerUnnoticed) {
  const std::string id = Accept("hi").conversation_id();
  Link();
  Hold(id, anna_, true);
  const auto holders = Hold(id, ben_, false).holders();
  ASSERT_THAT(holders, SizeIs(1));
  EXPECT_EQ(holders[0].name(), "anna");
  EXPECT_TRUE(holders[0].writing());
  const auto refused = Send(id, ben_);
  EXPECT_EQ(refused.status().code(), StatusCode::kAborted);
  EXPECT_EQ(rpc::Reason(refused.status()), "OTHER_WRITING");
  EXPECT_TRUE(Send(id, ben_, 0, /*force=*/true).ok());
  // Anna had not seen Ben's answer.
  EXPECT_EQ(rpc::Reason(Send(id, anna_, 1).status()), "NEWER_MESSAGE");
  EXPECT_TRUE(Send(id, anna_, 1'000'000).ok());
  Hold(id, anna_, true, /*leave=*/true);
  EXPECT_THAT(Hold(id, ben_, false).holders(), IsEmpty());
  Hold(id, anna_, true);
  database_.Sql("update medidesk.desk_holders set until = now() - interval '1 second'");
  EXPECT_THAT(Hold(id, ben_, false).holders(), IsEmpty());
}

TEST_F(DeskServiceTest, NobodyWritesToABlockedContact) {
  const std::string id = Accept("hi").conversation_id();
  Link();
  database_.Sql("update contacts set blocked_at = now()");
  const auto refused = Send(id, anna_, 0, /*force=*/true);
  EXPECT_EQ(refused.status().code(), StatusCode::kFailedPrecondition);
  EXPECT_EQ(rpc::Reason(refused.status()), "BLOCKED");
  EXPECT_EQ(database_.Value("select status from contacts"), "active");
  database_.Sql("update contacts set blocked_at = null");
  EXPECT_TRUE(Send(id, anna_).ok());
}

TEST_F(DeskServiceTest, AnAnswerTakesOverOnceAndARepetitionChangesNothing) {
  const v1::Turn turn = Accept("hi");
  const std::string id = turn.conversation_id();
  EXPECT_EQ(rpc::Reason(Send(id, anna_).status()), "NUMBER_NOT_LINKED");
  Link();
  const std::string commit = NewUuid();
  EXPECT_FALSE(Send(id, anna_, 0, false, commit)->duplicate());
  EXPECT_TRUE(Send(id, anna_, 0, false, commit)->duplicate());
  EXPECT_TRUE(Send(id, anna_).ok());
  const auto facts = Read(id);
  EXPECT_EQ(facts.conversation().status(), v1::CONVERSATION_STATUS_HUMAN_TAKEOVER);
  EXPECT_EQ(facts.conversation().assigned_to(), anna_);
  EXPECT_TRUE(facts.can_send());
  EXPECT_EQ(database_.Value<int>("select count(*) from audit_log where action = 'takeover'"), 1);
  EXPECT_EQ(database_.Value<int>("select count(*) from reply_parts where state = 'queued'"), 2);
  v1::CommitReplyRequest late;
  late.set_turn_id(turn.id());
  late.set_commit_id(NewUuid());
  late.set_origin(v1::REPLY_ORIGIN_BOT);
  late.set_text("too late");
  late.set_source("test");
  EXPECT_FALSE(Wait(conversations_.CommitReply(call_, late))->committed());
}

TEST_F(DeskServiceTest, NotesBelongToTheirAuthorAndGoWithAnErasure) {
  const std::string id = Accept("hi").conversation_id();
  v1::AddNoteRequest add;
  add.set_commit_id(NewUuid());
  add.set_conversation_id(id);
  add.set_text("<b>prefers mornings</b>");
  *add.mutable_actor() = Staff(anna_);
  const auto note = Wait(desk_.AddNote(call_, add));
  ASSERT_TRUE(note.ok()) << Text(note.status());
  EXPECT_EQ(note->note().staff_name(), "anna");
  EXPECT_TRUE(Wait(desk_.AddNote(call_, add)).ok());
  EXPECT_THAT(Read(id).notes(), SizeIs(1));
  v1::DeleteNoteRequest remove;
  remove.set_note_id(note->note().id());
  *remove.mutable_actor() = Staff(ben_);
  EXPECT_EQ(Wait(desk_.DeleteNote(call_, remove)).status().code(), StatusCode::kPermissionDenied);
  database_.Sql("delete from medidesk.audit_keys");
  EXPECT_THAT(Read(id).notes(), IsEmpty());
  EXPECT_TRUE(Wait(desk_.DeleteNote(call_, remove)).ok());
  add.set_text("  \n ");
  EXPECT_EQ(Wait(desk_.AddNote(call_, add)).status().code(), StatusCode::kInvalidArgument);
}

TEST_F(DeskServiceTest, AWrongAnswerOpensOneReviewWithItsQuestion) {
  const v1::Turn turn = Accept("is parking free?");
  Answer(turn, "Parking costs 100 a minute.");
  const std::string reply = database_.Value<std::string>("select id::text from replies");
  v1::MarkAnswerRequest mark;
  mark.set_commit_id(NewUuid());
  mark.set_message_id(reply);
  mark.set_comment("it is free");
  *mark.mutable_actor() = Staff(anna_);
  const auto first = Wait(desk_.MarkAnswer(call_, mark));
  ASSERT_TRUE(first.ok()) << Text(first.status());
  *mark.mutable_actor() = Staff(ben_);
  EXPECT_EQ(Wait(desk_.MarkAnswer(call_, mark))->task_id(), first->task_id());
  v1::ListMarkedAnswersRequest list;
  *list.mutable_actor() = Staff(anna_);
  const auto marked = Wait(desk_.ListMarkedAnswers(call_, list));
  ASSERT_TRUE(marked.ok()) << Text(marked.status());
  ASSERT_THAT(marked->answers(), SizeIs(1));
  EXPECT_EQ(marked->answers(0).question(), "is parking free?");
  EXPECT_EQ(marked->answers(0).answer(), "Parking costs 100 a minute.");
  EXPECT_EQ(marked->answers(0).task().summary(), "it is free");
  EXPECT_EQ(marked->answers(0).marked_by().name(), "anna");
  EXPECT_THAT(Read(turn.conversation_id()).marked_message_ids(), SizeIs(1));
  mark.set_message_id(turn.id());
  EXPECT_EQ(Wait(desk_.MarkAnswer(call_, mark)).status().code(), StatusCode::kFailedPrecondition);
  mark.set_message_id(NewUuid());
  EXPECT_EQ(Wait(desk_.MarkAnswer(call_, mark)).status().code(), StatusCode::kNotFound);
}

}  // namespace
}  // namespace medidesk::store
