// Requests to the server and their answers.
//
// A request is one type that carries its builder and its parser:
//
//   struct PingRequest {
//     struct Response {};
//     Node Build(std::string_view id) const;
//     static absl::StatusOr<Response> Parse(const Node& answer);   // of a `result`
//   };
//
// IqTracker gives ids, matches answers and ends what is not answered in time. Sans-I/O: the caller sends the nodes.
#pragma once

#include <concepts>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#include "base/status.h"
#include "gateway/wa/moment.h"
#include "gateway/wa/node.h"

namespace medidesk::gateway::wa {

template <class T>
concept IqRequest = requires(const T request, std::string_view id, const Node& answer) {
  { request.Build(id) } -> std::same_as<Node>;
  { T::Parse(answer) } -> std::same_as<absl::StatusOr<typename T::Response>>;
};

// An <iq> to the server with one child.
Node ServerIq(std::string_view id, std::string_view type, std::string_view xmlns, Node child);

// What an answer of type `error` means: NOT_FOUND for 404, PERMISSION_DENIED for 401, 403 and 405, RESOURCE_EXHAUSTED
// for 419 and 429, UNAVAILABLE for 5xx, else FAILED_PRECONDITION. OK for any other answer.
absl::Status IqStatus(const Node& answer);
// The number that came in the answer, 0 when the status is none of IqStatus.
int IqErrorCode(const absl::Status& status);

// Not thread-safe; one belongs to one connection. At most kMaxPending requests wait at a time.
class IqTracker {
 public:
  static constexpr std::chrono::seconds kLimit{75};
  static constexpr std::size_t kMaxPending = 256;

  template <class Response>
  using Done = std::function<void(absl::StatusOr<Response>)>;

  // Ids are `prefix` and a counter from 1.
  explicit IqTracker(std::string prefix) : prefix_(std::move(prefix)) {}

  // The node to send. `done` is called once, from OnAnswer, OnTime or FailAll, and never from here: with the response,
  // IqStatus's error, DEADLINE_EXCEEDED or FailAll's status. nullopt when too many wait: `done` is dropped.
  template <IqRequest Request>
  std::optional<Node> Ask(const Request& request, Time now, Done<typename Request::Response> done,
                          std::chrono::seconds limit = kLimit) {
    if (pending_.size() >= kMaxPending) return std::nullopt;
    const std::string id = NextId();
    pending_[id] = {now + limit, [done = std::move(done)](absl::StatusOr<const Node*> answer) {
                      if (!answer.ok()) return done(answer.status());
                      if (absl::Status status = IqStatus(**answer); !status.ok()) return done(status);
                      done(Request::Parse(**answer));
                    }};
    return request.Build(id);
  }

  // True when `node` was the answer to a request that waits; its `done` has run.
  bool OnAnswer(const Node& node);
  // Ends what has waited too long.
  void OnTime(Time now);
  // Ends everything, e.g. with UNAVAILABLE when the connection is gone.
  void FailAll(const absl::Status& status);

  std::size_t pending() const { return pending_.size(); }
  // When OnTime has something to do; nullopt while nothing waits.
  std::optional<Time> next_deadline() const;
  // For stanzas of other kinds that want an id of this connection.
  std::string NextId() { return prefix_ + std::to_string(++last_); }

 private:
  struct Pending {
    Time deadline;
    std::function<void(absl::StatusOr<const Node*>)> done;
  };

  std::string prefix_;
  std::uint64_t last_ = 0;
  std::map<std::string, Pending, std::less<>> pending_;
};

}  // namespace medidesk::gateway::wa
