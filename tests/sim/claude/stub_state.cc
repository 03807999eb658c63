#include "tests/sim/claude/stub_state.h"

#include <fmt/format.h>

#include <algorithm>
#include <random>

namespace medidesk::claude_stub {

void StubState::Reset() {
  const std::lock_guard lock(mutex_);
  faults_.clear();
  replies_.clear();
  log_.clear();
  log_bytes_ = 0;
  request_count_ = 0;
}

absl::Status StubState::QueueReply(Reply reply) {
  const std::lock_guard lock(mutex_);
  if (replies_.size() >= kMaxQueued) return Error(absl::StatusCode::kResourceExhausted, "the queue of replies is full");
  replies_.push_back(std::move(reply));
  return absl::OkStatus();
}

absl::Status StubState::Inject(Fault fault) {
  const std::lock_guard lock(mutex_);
  if (faults_.size() >= kMaxQueued) return Error(absl::StatusCode::kResourceExhausted, "the queue of faults is full");
  if (fault.times > 0) faults_.push_back(std::move(fault));
  return absl::OkStatus();
}

void StubState::SetScript(Script script) {
  auto shared = std::make_shared<const Script>(std::move(script));
  const std::lock_guard lock(mutex_);
  script_ = std::move(shared);
}

std::optional<Fault> StubState::TakeFault(std::string_view path) {
  const std::lock_guard lock(mutex_);
  const auto found = std::find_if(faults_.begin(), faults_.end(),
                                  [&](const Fault& fault) { return fault.path.empty() || fault.path == path; });
  if (found == faults_.end()) return std::nullopt;
  if (found->times > 1) {
    --found->times;
    return *found;
  }
  Fault fault = std::move(*found);
  faults_.erase(found);
  return fault;
}

std::optional<Reply> StubState::TakeReply(bool keep) {
  const std::lock_guard lock(mutex_);
  if (replies_.empty()) return std::nullopt;
  if (keep) return replies_.front();
  Reply reply = std::move(replies_.front());
  replies_.pop_front();
  return reply;
}

std::shared_ptr<const Script> StubState::script() const {
  const std::lock_guard lock(mutex_);
  return script_;
}

StubState::RequestPtr StubState::Record(Request request) {
  request.at = std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now() - start_);
  auto recorded = std::make_shared<const Request>(std::move(request));
  RequestPtr logged = recorded;
  if (!keep_bodies_ && recorded->body) {
    Request without = *recorded;
    without.body = nullptr;
    logged = std::make_shared<const Request>(std::move(without));
  }
  const auto size_of = [](const RequestPtr& entry) { return entry->body ? entry->body->size() : 0; };
  const std::lock_guard lock(mutex_);
  log_bytes_ += size_of(logged);
  log_.push_back(std::move(logged));
  while (log_.size() > kMaxLogged || (log_bytes_ > kMaxLoggedBytes && log_.size() > 1)) {
    log_bytes_ -= size_of(log_.front());
    log_.pop_front();
  }
  ++request_count_;
  arrived_.notify_all();
  return recorded;
}

std::vector<StubState::RequestPtr> StubState::Requests() const {
  const std::lock_guard lock(mutex_);
  return {log_.begin(), log_.end()};
}

std::uint64_t StubState::request_count() const {
  const std::lock_guard lock(mutex_);
  return request_count_;
}

bool StubState::WaitForRequests(std::uint64_t count, std::chrono::milliseconds timeout) const {
  std::unique_lock lock(mutex_);
  return arrived_.wait_for(lock, timeout, [&] { return request_count_ >= count; });
}

std::string StubState::NewId(std::string_view prefix) {
  const std::lock_guard lock(mutex_);
  if (id_stem_.empty()) {
    std::random_device random;
    id_stem_ = fmt::format("01{:08x}", random());
  }
  return fmt::format("{}{}{:06x}", prefix, id_stem_, ++ids_);
}

}  // namespace medidesk::claude_stub
