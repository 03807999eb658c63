// TaskService over a real PostgreSQL.
#include "store/service/task_service.h"

#include <gmock/gmock.h>

#include "store/testing/store_fixture.h"

namespace medidesk::store {
namespace {

using testing::CollectedStream;
using ::testing::IsEmpty;
using ::testing::SizeIs;

class TaskServiceTest : public testing::StoreFixture {
 protected:
  TaskServiceTest() : service_(dispatcher_, pool_, {.watch_poll = std::chrono::milliseconds(20)}) {}

  absl::StatusOr<v1::CreateTaskResponse> Create(v1::TaskKind kind, const std::string& conversation_id,
                                                const std::string& commit_id = NewUuid()) {
    v1::CreateTaskRequest request;
    request.set_commit_id(commit_id);
    request.mutable_task()->set_kind(kind);
    request.mutable_task()->set_conversation_id(conversation_id);
    request.mutable_task()->set_summary("asks for the bill");
    *request.mutable_actor() = Service();
    return Wait(service_.CreateTask(call_, request));
  }
  v1::ListTasksResponse List(v1::ListTasksRequest request = {}) {
    *request.mutable_actor() = Operator();
    auto response = Wait(service_.ListTasks(call_, request));
    EXPECT_TRUE(response.ok()) << Text(response.status());
    return response.value_or(v1::ListTasksResponse());
  }
  absl::StatusOr<v1::ClaimTaskResponse> Claim(const std::string& id, const std::string& staff, bool force = false,
                                              const std::string& etag = "") {
    v1::ClaimTaskRequest request;
    request.set_commit_id(NewUuid());
    request.set_task_id(id);
    request.set_assignee_id(staff);
    request.set_force(force);
    request.set_etag(etag);
    *request.mutable_actor() = force ? Operator() : Staff(staff);
    return Wait(service_.ClaimTask(call_, request));
  }
  absl::StatusOr<v1::ReleaseTaskResponse> Release(const std::string& id, const std::string& staff) {
    v1::ReleaseTaskRequest request;
    request.set_commit_id(NewUuid());
    request.set_task_id(id);
    *request.mutable_actor() = Staff(staff);
    return Wait(service_.ReleaseTask(call_, request));
  }
  absl::StatusOr<v1::CompleteTaskResponse> Complete(const std::string& id, v1::TaskState state,
                                                    const std::string& resolution) {
    v1::CompleteTaskRequest request;
    request.set_commit_id(NewUuid());
    request.set_task_id(id);
    request.set_state(state);
    request.set_resolution(resolution);
    *request.mutable_actor() = Operator();
    return Wait(service_.CompleteTask(call_, request));
  }

  static constexpr char kAnna[] = "0190a000-0000-7000-8000-000000000001";
  static constexpr char kBen[] = "0190a000-0000-7000-8000-000000000002";
  TaskService service_;
};

TEST_F(TaskServiceTest, KnowsKindAndPriorityOfWhatTheStoreOpened) {
  const v1::Turn turn = Accept("hello");
  const auto open = [&](const std::string& reason, bool urgent) {
    database_.Sql("delete from tasks; insert into tasks (conversation_id, turn_id, reason, urgent) values ('" +
                  turn.conversation_id() + "', '" + turn.id() + "', '" + reason + "', " + (urgent ? "true" : "false") +
                  ")");
    const auto tasks = List().tasks();
    EXPECT_THAT(tasks, SizeIs(1));
    return tasks.empty() ? v1::Task() : tasks[0];
  };
  const v1::Task red_flag = open("emergency:chest_pain", true);
  EXPECT_EQ(red_flag.kind(), v1::TASK_KIND_EMERGENCY);
  EXPECT_EQ(red_flag.priority(), v1::TASK_PRIORITY_URGENT);
  EXPECT_EQ(red_flag.state(), v1::TASK_STATE_OPEN);
  EXPECT_EQ(red_flag.detail_code(), "emergency.chest_pain");
  EXPECT_EQ(red_flag.contact_id(), turn.contact_id());
  EXPECT_EQ(red_flag.message_id(), turn.id());
  EXPECT_FALSE(red_flag.number_id().empty());
  EXPECT_GT(red_flag.due_time().seconds(), red_flag.create_time().seconds());
  EXPECT_EQ(open("emergency:self_harm", true).kind(), v1::TASK_KIND_SELF_HARM);
  EXPECT_EQ(open("emergency_lite:chest_pain", false).priority(), v1::TASK_PRIORITY_HIGH);
  EXPECT_EQ(open("no_answer", false).kind(), v1::TASK_KIND_UNANSWERED_QUESTION);
  EXPECT_EQ(open("unanswered", false).kind(), v1::TASK_KIND_UNFINISHED_TURN);
  EXPECT_EQ(open("anything_else", false).kind(), v1::TASK_KIND_HANDOVER);
}

TEST_F(TaskServiceTest, ListsTheMostUrgentFirstByFilterAndPage) {
  const std::string one = Accept("a", "+15550100001").conversation_id();
  const std::string two = Accept("b", "+15550100002").conversation_id();
  ASSERT_TRUE(Create(v1::TASK_KIND_ANSWER_REVIEW, one).ok());
  ASSERT_TRUE(Create(v1::TASK_KIND_HUMAN_REQUEST, one).ok());
  ASSERT_TRUE(Create(v1::TASK_KIND_EMERGENCY, two).ok());
  const auto all = List();
  ASSERT_THAT(all.tasks(), SizeIs(3));
  EXPECT_EQ(all.open_count(), 3);
  EXPECT_EQ(all.tasks(0).kind(), v1::TASK_KIND_EMERGENCY);
  EXPECT_EQ(all.tasks(2).kind(), v1::TASK_KIND_ANSWER_REVIEW);

  v1::ListTasksRequest request;
  request.set_conversation_id(one);
  EXPECT_THAT(List(request).tasks(), SizeIs(2));
  request = {};
  request.add_kinds(v1::TASK_KIND_EMERGENCY);
  EXPECT_THAT(List(request).tasks(), SizeIs(1));
  request = {};
  request.set_page_size(2);
  const auto page = List(request);
  ASSERT_THAT(page.tasks(), SizeIs(2));
  request.set_page_token(page.next_page_token());
  ASSERT_THAT(List(request).tasks(), SizeIs(1));
  EXPECT_EQ(List(request).tasks(0).id(), all.tasks(2).id());
  request.set_conversation_id(two);
  *request.mutable_actor() = Operator();
  EXPECT_EQ(rpc::InvalidFieldName(Wait(service_.ListTasks(call_, request)).status()), "page_token");

  ASSERT_TRUE(Complete(all.tasks(0).id(), v1::TASK_STATE_DISMISSED, "").ok());
  EXPECT_THAT(List().tasks(), SizeIs(2)) << "closed ones are not shown unasked";
  request = {};
  request.add_states(v1::TASK_STATE_DISMISSED);
  EXPECT_THAT(List(request).tasks(), SizeIs(1));
  request.set_states(0, v1::TASK_STATE_DONE);
  EXPECT_THAT(List(request).tasks(), IsEmpty());
  request.set_states(0, v1::TASK_STATE_UNSPECIFIED);
  EXPECT_THAT(List(request).tasks(), SizeIs(3));
}

TEST_F(TaskServiceTest, OpensOneTaskForOneCause) {
  const std::string conversation = Accept("a").conversation_id(), commit = NewUuid();
  const auto first = Create(v1::TASK_KIND_MODEL_FAILURE, conversation, commit);
  ASSERT_TRUE(first.ok()) << Text(first.status());
  EXPECT_FALSE(first->duplicate());
  const auto repeated = Create(v1::TASK_KIND_MODEL_FAILURE, conversation, commit);
  EXPECT_FALSE(repeated->duplicate()) << "the first outcome";
  EXPECT_EQ(repeated->task().id(), first->task().id());
  const auto second = Create(v1::TASK_KIND_MODEL_FAILURE, conversation);
  EXPECT_TRUE(second->duplicate());
  EXPECT_EQ(second->task().id(), first->task().id());
  EXPECT_FALSE(Create(v1::TASK_KIND_ABUSE, conversation)->duplicate());
  ASSERT_TRUE(Complete(first->task().id(), v1::TASK_STATE_DONE, "").ok());
  EXPECT_FALSE(Create(v1::TASK_KIND_MODEL_FAILURE, conversation)->duplicate()) << "the first one is closed";
  EXPECT_EQ(Create(v1::TASK_KIND_ABUSE, NewUuid()).status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(rpc::InvalidFieldName(Create(v1::TASK_KIND_UNSPECIFIED, conversation).status()), "task.kind");
}

TEST_F(TaskServiceTest, LetsOnePersonWorkOnATask) {
  const std::string id = Create(v1::TASK_KIND_HUMAN_REQUEST, Accept("a").conversation_id())->task().id();
  EXPECT_EQ(Claim(id, kAnna, false, "1234567").status().code(), absl::StatusCode::kAborted);
  const auto claimed = Claim(id, kAnna);
  ASSERT_TRUE(claimed.ok()) << Text(claimed.status());
  EXPECT_EQ(claimed->task().state(), v1::TASK_STATE_CLAIMED);
  EXPECT_EQ(claimed->task().assignee_id(), kAnna);
  EXPECT_TRUE(Claim(id, kAnna).ok()) << "it is theirs already";
  EXPECT_EQ(rpc::Reason(Claim(id, kBen).status()), "TASK_CLAIMED");
  EXPECT_EQ(rpc::Reason(Release(id, kBen).status()), "TASK_NOT_YOURS");
  v1::ListTasksRequest mine;
  mine.set_assignee_id(kAnna);
  EXPECT_THAT(List(mine).tasks(), SizeIs(1));
  EXPECT_EQ(Claim(id, kBen, /*force=*/true)->task().assignee_id(), kBen);
  const auto released = Release(id, kBen);
  ASSERT_TRUE(released.ok()) << Text(released.status());
  EXPECT_EQ(released->task().state(), v1::TASK_STATE_OPEN);
  EXPECT_EQ(released->task().assignee_id(), "");
  EXPECT_EQ(released->task().claim_time().seconds(), claimed->task().claim_time().seconds());
}

TEST_F(TaskServiceTest, LeavesATaskAsItWasClosedFirst) {
  const std::string id = Create(v1::TASK_KIND_HUMAN_REQUEST, Accept("a").conversation_id())->task().id();
  ASSERT_TRUE(Complete(id, v1::TASK_STATE_DONE, "called back").ok());
  const auto again = Complete(id, v1::TASK_STATE_DISMISSED, "nothing");
  ASSERT_TRUE(again.ok());
  EXPECT_EQ(again->task().state(), v1::TASK_STATE_DONE);
  EXPECT_EQ(again->task().resolution(), "called back");
  EXPECT_TRUE(again->task().has_complete_time());
  EXPECT_EQ(rpc::Reason(Claim(id, kAnna).status()), "TASK_CLOSED");
  EXPECT_EQ(Complete(NewUuid(), v1::TASK_STATE_DONE, "").status().code(), absl::StatusCode::kNotFound);
}

TEST_F(TaskServiceTest, RecordsWhoReadsATask) {
  v1::GetTaskRequest request;
  request.set_task_id(Create(v1::TASK_KIND_HUMAN_REQUEST, Accept("a").conversation_id())->task().id());
  *request.mutable_actor() = Staff(kAnna);
  ASSERT_TRUE(Wait(service_.GetTask(call_, request)).ok());
  EXPECT_EQ(database_.Value("select actor from audit_log where action = 'read' and resource_id = '" +
                            request.task_id() + "'"),
            kAnna);
  *request.mutable_actor() = Service();
  ASSERT_TRUE(Wait(service_.GetTask(call_, request)).ok());
  EXPECT_EQ(database_.Value<int>("select count(*) from audit_log where action = 'read'"), 1);
}

TEST_F(TaskServiceTest, StreamsTheOpenTasksThenEveryChange) {
  const std::string conversation = Accept("a").conversation_id();
  const std::string before = Create(v1::TASK_KIND_HUMAN_REQUEST, conversation)->task().id();
  ASSERT_TRUE(Complete(Create(v1::TASK_KIND_ABUSE, conversation)->task().id(), v1::TASK_STATE_DONE, "").ok());
  pqxx::connection connection(database_.url());
  pqxx::work late(connection);
  std::vector<std::string> told;
  bool snapshot = true;
  CollectedStream<v1::WatchTasksResponse> stream;
  // On the stream's own thread: what it has told so far decides what happens next.
  stream.keep_on = [&](const v1::WatchTasksResponse& message) {
    if (message.snapshot_done()) {
      snapshot = false;
      late.exec("insert into tasks (conversation_id, reason) values ('" + conversation + "', 'stale')");
      database_.Sql("insert into tasks (conversation_id, reason) values ('" + conversation + "', 'no_answer')");
      return true;
    }
    if (snapshot) {
      told.push_back("snapshot " + message.task().id());
      return true;
    }
    told.push_back(v1::TaskKind_Name(message.task().kind()) + " " + v1::TaskState_Name(message.task().state()));
    if (message.task().kind() == v1::TASK_KIND_UNANSWERED_QUESTION) late.commit();  // began before it, ends after it
    if (message.task().kind() == v1::TASK_KIND_STALE_MESSAGE) {
      database_.Sql("update tasks set state = 'done' where id = '" + before + "'");
    }
    return message.task().state() != v1::TASK_STATE_DONE;
  };
  v1::WatchTasksRequest request;
  *request.mutable_actor() = Operator();
  ASSERT_TRUE(Wait(service_.WatchTasks(call_, request, stream)).ok());
  EXPECT_THAT(told, ::testing::ElementsAre("snapshot " + before, "TASK_KIND_UNANSWERED_QUESTION TASK_STATE_OPEN",
                                           "TASK_KIND_STALE_MESSAGE TASK_STATE_OPEN",
                                           "TASK_KIND_HUMAN_REQUEST TASK_STATE_DONE"));
}

}  // namespace
}  // namespace medidesk::store
