#include "store/service/device_service.h"

#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>

#include <map>
#include <set>

#include "base/uuid.h"
#include "store/device_requests.h"

namespace medidesk::store {
namespace {

using Clock = DbPool::Clock;

Clock::time_point DeadlineOf(const rpc::Call& call) { return Clock::now() + call.Left(); }

absl::Status CheckId(std::string_view field, const std::string& id) {
  return IsUuid(id) ? absl::OkStatus() : rpc::InvalidField(field, "expected a UUID");
}

// What is left of a number without the times of its message flow: for telling changes apart.
std::string WithoutFlow(v1::Number number) {
  number.clear_last_received_time();
  number.clear_last_sent_time();
  number.clear_last_server_ack_time();
  return number.SerializeAsString();
}

}  // namespace

asio::awaitable<absl::StatusOr<v1::HeartbeatResponse>> DeviceService::Heartbeat(const rpc::Call& call,
                                                                                const v1::HeartbeatRequest& request) {
  MD_CO_RETURN_IF_ERROR(Check(request));
  co_return co_await repository_.Heartbeat(request, DeadlineOf(call));
}

asio::awaitable<absl::StatusOr<v1::AcquireNumbersResponse>> DeviceService::AcquireNumbers(
    const rpc::Call& call, const v1::AcquireNumbersRequest& request) {
  MD_CO_RETURN_IF_ERROR(CheckGateway(request.gateway_id(), request.instance_id()));
  if (request.max_numbers() < 1 || request.max_numbers() > 200)
    co_return rpc::InvalidField("max_numbers", "expected 1 to 200");
  co_return co_await repository_.Acquire(request, DeadlineOf(call));
}

asio::awaitable<absl::StatusOr<v1::TakeLeaseResponse>> DeviceService::TakeLease(const rpc::Call& call,
                                                                                const v1::TakeLeaseRequest& request) {
  MD_CO_RETURN_IF_ERROR(CheckGateway(request.gateway_id(), request.instance_id()));
  MD_CO_RETURN_IF_ERROR(CheckId("number_id", request.number_id()));
  co_return co_await repository_.Take(request, DeadlineOf(call));
}

asio::awaitable<absl::StatusOr<v1::ReleaseLeaseResponse>> DeviceService::ReleaseLease(
    const rpc::Call& call, const v1::ReleaseLeaseRequest& request) {
  MD_CO_RETURN_IF_ERROR(CheckId("number_id", request.number_id()));
  if (request.lease_token() < 1) co_return rpc::InvalidField("lease_token", "expected a token");
  MD_ASSIGN_OR_CO_RETURN(const bool released, co_await repository_.Release(request, DeadlineOf(call)));
  v1::ReleaseLeaseResponse response;
  response.set_released(released);
  co_return response;
}

asio::awaitable<absl::StatusOr<v1::ListNumbersResponse>> DeviceService::ListNumbers(
    const rpc::Call& call, const v1::ListNumbersRequest& request) {
  if (request.page_size() < 0 || request.page_size() > 1000)
    co_return rpc::InvalidField("page_size", "expected 0 to 1,000");
  if (request.page_token().size() > 64 || request.page_token().find('\0') != std::string::npos) {
    co_return rpc::InvalidField("page_token", "expected the token of a page that was listed before");
  }
  const int limit = request.page_size() == 0 ? 200 : request.page_size();
  // One more tells whether a page follows.
  MD_ASSIGN_OR_CO_RETURN(
      std::vector<v1::Number> numbers,
      co_await repository_.List(request.page_token(), request.enabled_only(), limit + 1, DeadlineOf(call)));
  v1::ListNumbersResponse response;
  for (v1::Number& number : numbers) {
    if (response.numbers_size() == limit) {
      response.set_next_page_token(response.numbers(limit - 1).name());
      break;
    }
    *response.add_numbers() = std::move(number);
  }
  co_return response;
}

asio::awaitable<absl::StatusOr<v1::GetNumberResponse>> DeviceService::GetNumber(const rpc::Call& call,
                                                                                const v1::GetNumberRequest& request) {
  if (request.key_case() == v1::GetNumberRequest::KEY_NOT_SET)
    co_return rpc::InvalidField("key", "expected number_id or name");
  if (request.has_number_id()) MD_CO_RETURN_IF_ERROR(CheckId("number_id", request.number_id()));
  if (request.name().size() > 64 || request.name().find('\0') != std::string::npos) {
    co_return rpc::InvalidField("name", "expected 1 to 32 of a-z, 0-9 and -");
  }
  MD_ASSIGN_OR_CO_RETURN(v1::Number number,
                         co_await repository_.Get(request.number_id(), request.name(), DeadlineOf(call)));
  v1::GetNumberResponse response;
  *response.mutable_number() = std::move(number);
  co_return response;
}

asio::awaitable<absl::StatusOr<v1::UpsertNumberResponse>> DeviceService::UpsertNumber(
    const rpc::Call& call, const v1::UpsertNumberRequest& request) {
  MD_CO_RETURN_IF_ERROR(Check(request));
  MD_ASSIGN_OR_CO_RETURN(v1::Number number,
                         co_await repository_.Upsert(request, call.trace.trace_id, DeadlineOf(call)));
  v1::UpsertNumberResponse response;
  *response.mutable_number() = std::move(number);
  co_return response;
}

asio::awaitable<absl::StatusOr<v1::LoadDeviceStateResponse>> DeviceService::LoadDeviceState(
    const rpc::Call& call, const v1::LoadDeviceStateRequest& request) {
  MD_CO_RETURN_IF_ERROR(Check(request));
  co_return co_await repository_.Load(request, DeadlineOf(call));
}

asio::awaitable<absl::StatusOr<v1::CommitBatchResponse>> DeviceService::CommitBatch(
    const rpc::Call& call, const v1::CommitBatchRequest& request) {
  MD_CO_RETURN_IF_ERROR(Check(request));
  co_return co_await batch_.Commit(request, call.trace.trace_id, DeadlineOf(call));
}

asio::awaitable<absl::Status> DeviceService::WatchNumbers(const rpc::Call&, const v1::WatchNumbersRequest& request,
                                                          rpc::StreamWriter<v1::WatchNumbersResponse>& writer) {
  if (request.number_ids_size() > 1000) co_return rpc::InvalidField("number_ids", "at most 1,000");
  for (const std::string& id : request.number_ids()) MD_CO_RETURN_IF_ERROR(CheckId("number_ids", id));
  const std::set<std::string> wanted(request.number_ids().begin(), request.number_ids().end());
  struct Told {
    std::string all, without_flow;
    Clock::time_point time;
  };
  std::map<std::string, Told> told;
  bool snapshot_done = false;
  while (true) {
    // The first look is a fresh one; a database that is away is waited for.
    const auto age = snapshot_done ? options_.watch_poll * 9 / 10 : std::chrono::milliseconds(0);
    const auto numbers = co_await repository_.All(age, Clock::now() + std::chrono::seconds(5));
    if (numbers.ok()) {
      for (const v1::Number& number : **numbers) {
        if (!wanted.empty() && wanted.count(number.id()) == 0) continue;
        Told& last = told[number.id()];
        std::string all = number.SerializeAsString();
        if (all == last.all) continue;
        std::string without_flow = WithoutFlow(number);
        const auto now = Clock::now();
        if (without_flow == last.without_flow && now - last.time < options_.flow_pause) continue;
        last = {std::move(all), std::move(without_flow), now};
        v1::WatchNumbersResponse response;
        *response.mutable_number() = number;
        if (!co_await writer.Write(std::move(response))) co_return absl::OkStatus();
      }
      if (!snapshot_done) {
        snapshot_done = true;
        v1::WatchNumbersResponse response;
        response.set_snapshot_done(true);
        if (!co_await writer.Write(std::move(response))) co_return absl::OkStatus();
      }
    }
    asio::steady_timer timer(co_await asio::this_coro::executor, options_.watch_poll);
    co_await timer.async_wait(asio::use_awaitable);
  }
}

#define MD_OVERRIDE(Name)                                                                                         \
  grpc::ServerUnaryReactor* DeviceService::Name(grpc::CallbackServerContext* context,                             \
                                                const v1::Name##Request* request, v1::Name##Response* response) { \
    return rpc::ServeUnary(context, dispatcher_, "DeviceService/" #Name, response,                                \
                           [this, request](const rpc::Call& call) { return Name(call, *request); });              \
  }
MD_OVERRIDE(Heartbeat)
MD_OVERRIDE(AcquireNumbers)
MD_OVERRIDE(TakeLease)
MD_OVERRIDE(ReleaseLease)
MD_OVERRIDE(ListNumbers)
MD_OVERRIDE(GetNumber)
MD_OVERRIDE(UpsertNumber)
MD_OVERRIDE(LoadDeviceState)
MD_OVERRIDE(CommitBatch)
#undef MD_OVERRIDE

grpc::ServerWriteReactor<v1::WatchNumbersResponse>* DeviceService::WatchNumbers(
    grpc::CallbackServerContext* context, const v1::WatchNumbersRequest* request) {
  return rpc::ServeStream<v1::WatchNumbersResponse>(
      context, dispatcher_, "DeviceService/WatchNumbers",
      [this, request](const rpc::Call& call, rpc::StreamWriter<v1::WatchNumbersResponse>& writer) {
        return WatchNumbers(call, *request, writer);
      },
      rpc::CallKind::kEndlessStream);
}

}  // namespace medidesk::store
