#include "store/service/task_service.h"

#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>

#include <algorithm>
#include <charconv>
#include <map>
#include <vector>

#include "store/database_call.h"
#include "store/service/request_checks.h"

namespace medidesk::store {
namespace {

using Clock = DbPool::Clock;

// The last argument of medidesk.change_task tells them apart.
constexpr Query kClaim = {"claim_task", "select medidesk.change_task($1::jsonb, $2, 'claim')::text"};
constexpr Query kRelease = {"release_task", "select medidesk.change_task($1::jsonb, $2, 'release')::text"};
constexpr Query kComplete = {"complete_task", "select medidesk.change_task($1::jsonb, $2, 'complete')::text"};
constexpr Query kBeginWatch = {"begin_task_watch", "select medidesk.begin_task_watch($1::jsonb, $2) ->> 'horizon'"};
constexpr Query kChanged = {
    "changed_tasks",
    "select task::text, change_xid, revision, horizon from medidesk.changed_tasks($1::bigint, $2::bigint, $3::text[], "
    "$4::int)"};
constexpr int kPage = 200;

absl::Status CheckKinds(const google::protobuf::RepeatedField<int>& kinds) {
  if (kinds.size() > 100) return rpc::InvalidField("kinds", "at most 100");
  const bool known = std::all_of(kinds.begin(), kinds.end(), [](int kind) {
    return kind != v1::TASK_KIND_UNSPECIFIED && v1::TaskKind_IsValid(kind);
  });
  return known ? absl::OkStatus() : rpc::InvalidField("kinds", "expected known kinds");
}

// "{emergency,threat}", as the tables name them.
std::string KindsArray(const google::protobuf::RepeatedField<int>& kinds) {
  constexpr std::size_t kPrefix = sizeof("TASK_KIND_") - 1;
  std::string text = "{";
  for (const int kind : kinds) {
    if (text.size() > 1) text += ',';
    std::string name = v1::TaskKind_Name(static_cast<v1::TaskKind>(kind)).substr(kPrefix);
    std::transform(name.begin(), name.end(), name.begin(),
                   [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
    text += name;
  }
  return text + '}';
}

// What a look at the changes found.
struct Changes {
  struct Row {
    v1::Task task;
    std::int64_t xid = 0, revision = 0;
  };
  std::vector<Row> rows;
  std::int64_t horizon = 0;
};

asio::awaitable<absl::StatusOr<Changes>> ReadChanges(DbPool& pool, std::int64_t xid, std::int64_t revision,
                                                     const std::string& kinds) {
  const std::function<Changes(DbConnection&)> work = [&](DbConnection& connection) {
    Changes changes;
    for (const pqxx::row row : ExecutePrepared(connection, kChanged, xid, revision, kinds, kPage)) {
      changes.horizon = row[3].as<std::int64_t>();
      if (row[0].is_null()) continue;
      Changes::Row& change = changes.rows.emplace_back();
      change.xid = row[1].as<std::int64_t>();
      change.revision = row[2].as<std::int64_t>();
      if (!ReadAnswer(row[0].c_str(), &change.task).ok()) changes.rows.pop_back();
    }
    return changes;
  };
  co_return co_await pool.Run(kChanged, Clock::now() + std::chrono::seconds(5), work);
}

}  // namespace

TaskService::TaskService(rpc::Dispatcher& dispatcher, DbPool& pool, Options options)
    : dispatcher_(dispatcher), pool_(pool), options_(options) {}

TaskService::~TaskService() = default;

asio::awaitable<absl::StatusOr<v1::GetTaskResponse>> TaskService::GetTask(const rpc::Call& call,
                                                                          const v1::GetTaskRequest& request) {
  MD_CO_RETURN_IF_ERROR(CheckId("task_id", request.task_id()));
  MD_CO_RETURN_IF_ERROR(CheckActor(call, request.actor()));
  MD_ASSIGN_OR_CO_RETURN(std::string json, RequestToJson(call, request));
  co_return co_await CallDatabase<v1::GetTaskResponse>(pool_, MD_FUNCTION("get_task"), DeadlineOf(call),
                                                       std::move(json), call.trace.trace_id);
}

asio::awaitable<absl::StatusOr<v1::ListTasksResponse>> TaskService::ListTasks(const rpc::Call& call,
                                                                              const v1::ListTasksRequest& request) {
  MD_CO_RETURN_IF_ERROR(CheckActor(call, request.actor()));
  MD_CO_RETURN_IF_ERROR(CheckPageSize(request.page_size(), kPage));
  MD_CO_RETURN_IF_ERROR(CheckOptionalId("assignee_id", request.assignee_id()));
  MD_CO_RETURN_IF_ERROR(CheckOptionalId("conversation_id", request.conversation_id()));
  MD_CO_RETURN_IF_ERROR(CheckTimeRange("create_time_range", request.create_time_range()));
  MD_CO_RETURN_IF_ERROR(CheckKinds(request.kinds()));
  if (request.states_size() > 10 || !std::all_of(request.states().begin(), request.states().end(),
                                                 [](int state) { return v1::TaskState_IsValid(state); })) {
    co_return rpc::InvalidField("states", "expected known states");
  }
  MD_ASSIGN_OR_CO_RETURN(std::string json, RequestToJson(call, request));
  co_return co_await CallDatabase<v1::ListTasksResponse>(pool_, MD_FUNCTION("list_tasks"), DeadlineOf(call),
                                                         std::move(json), call.trace.trace_id);
}

asio::awaitable<absl::StatusOr<v1::CreateTaskResponse>> TaskService::CreateTask(const rpc::Call& call,
                                                                                const v1::CreateTaskRequest& request) {
  const v1::Task& task = request.task();
  MD_CO_RETURN_IF_ERROR(CheckId("commit_id", request.commit_id()));
  MD_CO_RETURN_IF_ERROR(CheckActor(call, request.actor()));
  if (task.kind() == v1::TASK_KIND_UNSPECIFIED || !v1::TaskKind_IsValid(task.kind())) {
    co_return rpc::InvalidField("task.kind", "expected a known kind");
  }
  if (!v1::TaskPriority_IsValid(task.priority())) co_return rpc::InvalidField("task.priority", "expected a known one");
  if (task.conversation_id().empty() && task.number_id().empty()) {
    co_return rpc::InvalidField("task.conversation_id", "needed, or task.number_id");
  }
  MD_CO_RETURN_IF_ERROR(CheckOptionalId("task.conversation_id", task.conversation_id()));
  MD_CO_RETURN_IF_ERROR(CheckOptionalId("task.number_id", task.number_id()));
  MD_CO_RETURN_IF_ERROR(CheckOptionalId("task.turn_id", task.turn_id()));
  MD_CO_RETURN_IF_ERROR(CheckOptionalId("task.message_id", task.message_id()));
  MD_CO_RETURN_IF_ERROR(CheckLength("task.summary", task.summary(), 1000));
  MD_CO_RETURN_IF_ERROR(CheckCode("task.detail_code", task.detail_code(), 64));
  MD_ASSIGN_OR_CO_RETURN(std::string json, RequestToJson(call, request));
  co_return co_await CallDatabase<v1::CreateTaskResponse>(pool_, MD_FUNCTION("create_task"), DeadlineOf(call),
                                                          std::move(json), call.trace.trace_id);
}

asio::awaitable<absl::StatusOr<v1::ClaimTaskResponse>> TaskService::ClaimTask(const rpc::Call& call,
                                                                              const v1::ClaimTaskRequest& request) {
  MD_CO_RETURN_IF_ERROR(CheckId("commit_id", request.commit_id()));
  MD_CO_RETURN_IF_ERROR(CheckId("task_id", request.task_id()));
  MD_CO_RETURN_IF_ERROR(CheckId("assignee_id", request.assignee_id()));
  MD_CO_RETURN_IF_ERROR(CheckActor(call, request.actor()));
  MD_ASSIGN_OR_CO_RETURN(std::string json, RequestToJson(call, request));
  co_return co_await CallDatabase<v1::ClaimTaskResponse>(pool_, kClaim, DeadlineOf(call), std::move(json),
                                                         call.trace.trace_id);
}

asio::awaitable<absl::StatusOr<v1::ReleaseTaskResponse>> TaskService::ReleaseTask(
    const rpc::Call& call, const v1::ReleaseTaskRequest& request) {
  MD_CO_RETURN_IF_ERROR(CheckId("commit_id", request.commit_id()));
  MD_CO_RETURN_IF_ERROR(CheckId("task_id", request.task_id()));
  MD_CO_RETURN_IF_ERROR(CheckActor(call, request.actor()));
  MD_ASSIGN_OR_CO_RETURN(std::string json, RequestToJson(call, request));
  co_return co_await CallDatabase<v1::ReleaseTaskResponse>(pool_, kRelease, DeadlineOf(call), std::move(json),
                                                           call.trace.trace_id);
}

asio::awaitable<absl::StatusOr<v1::CompleteTaskResponse>> TaskService::CompleteTask(
    const rpc::Call& call, const v1::CompleteTaskRequest& request) {
  MD_CO_RETURN_IF_ERROR(CheckId("commit_id", request.commit_id()));
  MD_CO_RETURN_IF_ERROR(CheckId("task_id", request.task_id()));
  MD_CO_RETURN_IF_ERROR(CheckActor(call, request.actor()));
  MD_CO_RETURN_IF_ERROR(CheckLength("resolution", request.resolution(), 2000));
  if (request.state() != v1::TASK_STATE_DONE && request.state() != v1::TASK_STATE_DISMISSED) {
    co_return rpc::InvalidField("state", "expected TASK_STATE_DONE or TASK_STATE_DISMISSED");
  }
  MD_ASSIGN_OR_CO_RETURN(std::string json, RequestToJson(call, request));
  co_return co_await CallDatabase<v1::CompleteTaskResponse>(pool_, kComplete, DeadlineOf(call), std::move(json),
                                                            call.trace.trace_id);
}

asio::awaitable<absl::Status> TaskService::WatchTasks(const rpc::Call& call, const v1::WatchTasksRequest& request,
                                                      rpc::StreamWriter<v1::WatchTasksResponse>& writer) {
  MD_CO_RETURN_IF_ERROR(CheckActor(call, request.actor()));
  MD_CO_RETURN_IF_ERROR(CheckKinds(request.kinds()));
  const std::string kinds = KindsArray(request.kinds());
  MD_ASSIGN_OR_CO_RETURN(const std::string json, RequestToJson(call, request));
  const std::function<std::int64_t(DbConnection&)> begin = [&](DbConnection& connection) {
    return ExecutePrepared(connection, kBeginWatch, json, call.trace.trace_id).at(0)[0].as<std::int64_t>();
  };
  // Changes are followed from before the snapshot, so that none falls between.
  MD_ASSIGN_OR_CO_RETURN(std::int64_t horizon, co_await pool_.Run(kBeginWatch, DeadlineOf(call), begin));

  std::map<std::int64_t, std::int64_t> told;  // revision -> transaction, of what a later look may find again
  v1::ListTasksRequest list;
  *list.mutable_kinds() = request.kinds();
  list.set_page_size(kPage);
  list.mutable_actor()->set_kind(v1::ACTOR_KIND_SERVICE);
  list.mutable_actor()->set_id("store");
  do {
    MD_ASSIGN_OR_CO_RETURN(v1::ListTasksResponse page, co_await ListTasks(call, list));
    for (v1::Task& task : *page.mutable_tasks()) {
      std::int64_t revision = 0;
      std::from_chars(task.etag().data(), task.etag().data() + task.etag().size(), revision);
      told[revision] = horizon;
      v1::WatchTasksResponse response;
      *response.mutable_task() = std::move(task);
      if (!co_await writer.Write(std::move(response))) co_return absl::OkStatus();
    }
    list.set_page_token(page.next_page_token());
  } while (!list.page_token().empty());
  v1::WatchTasksResponse end;
  end.set_snapshot_done(true);
  if (!co_await writer.Write(std::move(end))) co_return absl::OkStatus();

  while (true) {
    std::int64_t xid = horizon, revision = 0, next = horizon;
    bool more = true, first = true;
    while (more) {
      MD_ASSIGN_OR_CO_RETURN(Changes changes, co_await ReadChanges(pool_, xid, revision, kinds));
      if (first) next = changes.horizon;  // what later pages of this look can see, the next look sees too
      first = false;
      more = changes.rows.size() == static_cast<std::size_t>(kPage);
      for (Changes::Row& row : changes.rows) {
        xid = row.xid;
        revision = row.revision;
        if (!told.emplace(row.revision, row.xid).second) continue;
        v1::WatchTasksResponse response;
        *response.mutable_task() = std::move(row.task);
        if (!co_await writer.Write(std::move(response))) co_return absl::OkStatus();
      }
    }
    horizon = std::max(horizon, next);
    std::erase_if(told, [&](const auto& entry) { return entry.second < horizon; });
    asio::steady_timer timer(co_await asio::this_coro::executor, options_.watch_poll);
    co_await timer.async_wait(asio::use_awaitable);
  }
}

}  // namespace medidesk::store
