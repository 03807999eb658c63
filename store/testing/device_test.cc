#include "store/testing/device_test.h"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/use_future.hpp>

namespace medidesk::store::testing {

using std::chrono::milliseconds;

DeviceTest::DeviceTest()
    : metrics_(registry_),
      io_(2),
      pool_({.url = Phi(database_.url()), .connections = 6}, metrics_),
      repository_(pool_, {.lease = milliseconds(60'000), .alone_lease = milliseconds(600'000)}),
      batch_(pool_),
      dispatcher_(io_.executor(), registry_, {.service = "store"}),
      service_(dispatcher_, repository_, batch_, {.watch_poll = milliseconds(20), .flow_pause = milliseconds(200)}),
      conversations_(pool_, {.webhook_number = "", .claim = milliseconds(300)}) {}

void DeviceTest::RunToEnd(asio::awaitable<void> work) {
  asio::co_spawn(io_.executor(), std::move(work), asio::use_future).get();
}

rpc::Call DeviceTest::NewCall() {
  rpc::Call call;
  call.deadline = rpc::Call::Clock::now() + std::chrono::seconds(30);
  return call;
}

v1::HeartbeatResponse DeviceTest::Beat(Gateway& gateway) {
  v1::HeartbeatRequest request;
  request.set_gateway_id(gateway.id);
  request.set_instance_id(gateway.instance);
  request.set_address(gateway.address);
  request.set_sequence(++gateway.sequence);
  request.set_alone_known(gateway.alone_known);
  const rpc::Call call = NewCall();
  auto response = Wait(service_.Heartbeat(call, request));
  EXPECT_TRUE(response.ok()) << Text(response.status());
  gateway.alone_known = response.ok() && response->alone();
  return response.value_or(v1::HeartbeatResponse());
}

absl::StatusOr<v1::Number> DeviceTest::Upsert(const v1::UpsertNumberRequest& request) {
  const rpc::Call call = NewCall();
  auto response = Wait(service_.UpsertNumber(call, request));
  if (!response.ok()) return response.status();
  return response->number();
}

std::string DeviceTest::MakeNumber(const std::string& name) {
  v1::UpsertNumberRequest request;
  request.set_commit_id(NewUuid());
  request.mutable_number()->set_name(name);
  request.mutable_actor()->set_kind(v1::ACTOR_KIND_OPERATOR);
  const auto number = Upsert(request);
  EXPECT_TRUE(number.ok()) << Text(number.status());
  return number.ok() ? number->id() : "";
}

absl::StatusOr<v1::Lease> DeviceTest::Take(const Gateway& gateway, const std::string& number_id, bool lock_held) {
  v1::TakeLeaseRequest request;
  request.set_gateway_id(gateway.id);
  request.set_instance_id(gateway.instance);
  request.set_number_id(number_id);
  request.set_lock_held(lock_held);
  const rpc::Call call = NewCall();
  auto response = Wait(service_.TakeLease(call, request));
  if (!response.ok()) return response.status();
  return response->lease();
}

std::vector<v1::Lease> DeviceTest::Acquire(const Gateway& gateway, int most, bool lock_held) {
  v1::AcquireNumbersRequest request;
  request.set_gateway_id(gateway.id);
  request.set_instance_id(gateway.instance);
  request.set_max_numbers(most);
  request.set_lock_held(lock_held);
  const rpc::Call call = NewCall();
  auto response = Wait(service_.AcquireNumbers(call, request));
  EXPECT_TRUE(response.ok()) << Text(response.status());
  if (!response.ok()) return {};
  return {response->leases().begin(), response->leases().end()};
}

bool DeviceTest::Release(const v1::Lease& lease) {
  v1::ReleaseLeaseRequest request;
  request.set_number_id(lease.number().id());
  request.set_lease_token(lease.lease_token());
  const rpc::Call call = NewCall();
  return Wait(service_.ReleaseLease(call, request)).value().released();
}

v1::Number DeviceTest::GetNumber(const std::string& id) {
  v1::GetNumberRequest request;
  request.set_number_id(id);
  const rpc::Call call = NewCall();
  return Wait(service_.GetNumber(call, request)).value().number();
}

v1::CommitBatchRequest DeviceTest::Batch(const v1::Lease& lease) {
  v1::CommitBatchRequest request;
  request.set_number_id(lease.number().id());
  request.set_lease_token(lease.lease_token());
  request.set_commit_id(NewUuid());
  request.set_first_revision(lease.revision() + 1);
  return request;
}

void DeviceTest::Put(v1::CommitBatchRequest& batch, v1::DeviceStateKind kind, const std::string& key,
                     const std::string& sealed) {
  v1::DeviceRecord* record = batch.add_operations()->mutable_put_device_state()->mutable_record();
  record->set_kind(kind);
  record->set_key(key);
  record->set_sealed(sealed);
}

absl::StatusOr<v1::CommitBatchResponse> DeviceTest::TryCommit(const v1::CommitBatchRequest& request) {
  const rpc::Call call = NewCall();
  return Wait(service_.CommitBatch(call, request));
}

v1::CommitBatchResponse DeviceTest::Commit(v1::Lease& lease, const v1::CommitBatchRequest& request) {
  auto response = TryCommit(request);
  EXPECT_TRUE(response.ok()) << Text(response.status());
  if (response.ok()) lease.set_revision(response->revision());
  return response.value_or(v1::CommitBatchResponse());
}

v1::Lease DeviceTest::Link(const Gateway& gateway, const std::string& number_id, const std::string& phone) {
  auto lease = Take(gateway, number_id);
  EXPECT_TRUE(lease.ok()) << Text(lease.status());
  if (!lease.ok()) return {};
  v1::CommitBatchRequest batch = Batch(*lease);
  v1::SetNumberStateOperation* state = batch.add_operations()->mutable_set_number_state();
  state->set_state(v1::NUMBER_STATE_CONNECTED);
  state->set_linked(true);
  state->set_phone(phone);
  state->set_device_jid(phone.substr(1) + ":7@s.whatsapp.net");
  Commit(*lease, batch);
  return *std::move(lease);
}

absl::StatusOr<v1::LoadDeviceStateResponse> DeviceTest::TryLoad(const v1::LoadDeviceStateRequest& request) {
  const rpc::Call call = NewCall();
  return Wait(service_.LoadDeviceState(call, request));
}

}  // namespace medidesk::store::testing
