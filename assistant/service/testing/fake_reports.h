// The store's ReportService as far as the assistant calls it: RecordModelUsage, each commit id counted once.
#pragma once

#include <grpcpp/grpcpp.h>

#include <atomic>
#include <map>
#include <mutex>
#include <set>
#include <string>

#include "base/rpc/dispatcher.h"
#include "base/rpc/serve.h"
#include "base/status.h"
#include "medidesk/store/v1/report.grpc.pb.h"

namespace medidesk::assistant::testing {

class FakeReports final : public store::v1::ReportService::CallbackService {
 public:
  explicit FakeReports(rpc::Dispatcher& dispatcher) : dispatcher_(dispatcher) {}

  std::atomic<int> calls{0};
  std::atomic<absl::StatusCode> refusal{absl::StatusCode::kOk};  // of each call, while set
  std::atomic<bool> lose_answers{false};                         // counted, but the caller is told UNAVAILABLE

  store::v1::ModelUsageRow Of(const std::string& model) const {
    const std::lock_guard lock(mutex_);
    const auto found = rows_.find(model);
    return found == rows_.end() ? store::v1::ModelUsageRow() : found->second;
  }
  std::size_t models() const {
    const std::lock_guard lock(mutex_);
    return rows_.size();
  }

  boost::asio::awaitable<absl::StatusOr<store::v1::RecordModelUsageResponse>> RecordModelUsage(
      const rpc::Call&, const store::v1::RecordModelUsageRequest& request) {
    ++calls;
    if (refusal.load() != absl::StatusCode::kOk) co_return Error(refusal.load(), "not now");
    {
      const std::lock_guard lock(mutex_);
      if (commits_.insert(request.commit_id()).second) {
        for (const store::v1::ModelUsageRow& row : request.models()) Add(row, rows_[row.model()]);
      }
    }
    if (lose_answers) co_return Error(absl::StatusCode::kUnavailable, "the answer was lost");
    co_return store::v1::RecordModelUsageResponse();
  }
  grpc::ServerUnaryReactor* RecordModelUsage(grpc::CallbackServerContext* context,
                                             const store::v1::RecordModelUsageRequest* request,
                                             store::v1::RecordModelUsageResponse* response) override {
    return rpc::ServeUnary(context, dispatcher_, "ReportService/RecordModelUsage", response,
                           [this, request](const rpc::Call& call) { return RecordModelUsage(call, *request); });
  }

 private:
  static void Add(const store::v1::ModelUsageRow& from, store::v1::ModelUsageRow& to) {
    to.set_model(from.model());
    to.set_requests(to.requests() + from.requests());
    to.set_failed_requests(to.failed_requests() + from.failed_requests());
    to.set_input_tokens(to.input_tokens() + from.input_tokens());
    to.set_output_tokens(to.output_tokens() + from.output_tokens());
    to.set_cache_read_tokens(to.cache_read_tokens() + from.cache_read_tokens());
    to.set_cache_write_tokens(to.cache_write_tokens() + from.cache_write_tokens());
    to.set_cost_micro_usd(to.cost_micro_usd() + from.cost_micro_usd());
  }

  rpc::Dispatcher& dispatcher_;
  mutable std::mutex mutex_;
  std::set<std::string> commits_;
  std::map<std::string, store::v1::ModelUsageRow> rows_;
};

}  // namespace medidesk::assistant::testing
