// A number in the hands of one gateway, and short ways to the operations of its batches.
#pragma once

#include <chrono>
#include <functional>
#include <string>
#include <thread>

#include "store/testing/device_test.h"

namespace medidesk::store::testing {

class DeviceBatchTest : public DeviceTest {
 protected:
  DeviceBatchTest() {
    Beat(gateway_);
    number_ = MakeNumber("front-desk");
    lease_ = Link(gateway_, number_);
  }

  // Of the batches below: one record, by its key.
  v1::CommitBatchRequest Record(const v1::Lease& lease, const std::string& key = "k", const std::string& sealed = "x") {
    v1::CommitBatchRequest batch = Batch(lease);
    Put(batch, v1::DEVICE_STATE_KIND_SESSION, key, sealed);
    return batch;
  }
  int Records() { return database_.Value<int>("select count(*) from medidesk.device_state"); }

  static v1::AcceptOperation* AddAccept(v1::CommitBatchRequest& batch, const std::string& text, const std::string& id,
                                        const std::string& phone = "+15550100001") {
    v1::AcceptOperation* accept = batch.add_operations()->mutable_accept();
    accept->set_message_id(NewUuid());
    accept->mutable_contact()->set_phone(phone);
    accept->set_whatsapp_message_id(id);
    accept->set_kind(v1::INBOUND_KIND_TEXT);
    accept->set_text(text);
    accept->mutable_message_time()->set_seconds(time(nullptr));
    accept->mutable_verdict()->set_severity("none");
    accept->mutable_verdict()->set_table_version("1");
    return accept;
  }
  v1::AcceptResult Accept(const std::string& text, const std::string& id,
                          const std::function<void(v1::AcceptOperation*)>& change = {}) {
    v1::CommitBatchRequest batch = Batch(lease_);
    v1::AcceptOperation* accept = AddAccept(batch, text, id);
    if (change) change(accept);
    const auto response = Commit(lease_, batch);
    return response.results_size() == 1 ? response.results(0).accept() : v1::AcceptResult();
  }
  std::string Reply(const std::string& turn_id, const std::string& text = "hello") {
    v1::CommitReplyRequest request;
    request.set_turn_id(turn_id);
    request.set_commit_id(NewUuid());
    request.set_origin(v1::REPLY_ORIGIN_BOT);
    request.set_text(text);
    request.set_source("test");
    const auto response = Wait(conversations_.CommitReply(request, "", Soon()));
    EXPECT_TRUE(response.ok() && response->has_value()) << Text(response.status());
    return (*response)->reply().id();
  }
  void SetTakeover(const std::string& conversation_id, bool on) {
    ASSERT_TRUE(Wait(conversations_.SetTakeover(conversation_id, on, "", "staff", "", Soon())).ok());
  }
  v1::CommitOutboundResult Send(const std::string& reply_id, int part = 0, int count = 1, bool retry = false) {
    v1::CommitBatchRequest batch = Batch(lease_);
    v1::CommitOutboundOperation* send = batch.add_operations()->mutable_commit_outbound();
    send->set_reply_id(reply_id);
    send->set_part(part);
    send->set_part_count(count);
    send->set_stanza_id(StanzaId(reply_id, part));
    send->set_retry(retry);
    const auto response = Commit(lease_, batch);
    return response.results_size() == 1 ? response.results(0).commit_outbound() : v1::CommitOutboundResult();
  }
  v1::MarkDeliveryResult Mark(const std::string& stanza_id, v1::PartState state, const std::string& failure = "") {
    v1::CommitBatchRequest batch = Batch(lease_);
    v1::MarkDeliveryOperation* mark = batch.add_operations()->mutable_mark_delivery();
    mark->set_stanza_id(stanza_id);
    mark->set_state(state);
    mark->set_failure(failure);
    const auto response = Commit(lease_, batch);
    return response.results_size() == 1 ? response.results(0).mark_delivery() : v1::MarkDeliveryResult();
  }
  int Tasks(const std::string& reason) {
    return database_.Value<int>("select count(*) from tasks where reason = '" + reason + "'");
  }
  // Until another connection waits for a lock.
  bool SomebodyWaits() {
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(10);
    while (std::chrono::steady_clock::now() < end) {
      if (WaitingPid() != 0) return true;
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
    return false;
  }
  int WaitingPid() {
    return database_.Value<int>(
        "select coalesce(min(pid), 0) from pg_stat_activity where datname = current_database() "
        "and wait_event_type = 'Lock'");
  }

  Gateway gateway_{"a"};
  std::string number_;
  v1::Lease lease_;
};

}  // namespace medidesk::store::testing
