// What the parts of a session (linking, login, the stock of pre-keys) do through it.
//
// A part is called by the session, holds this reference, and outlives no session. Everything takes effect when the
// session returns its actions; nothing here calls back into the part before it has returned.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#include "gateway/wa/connection_end.h"
#include "gateway/wa/iq.h"
#include "gateway/wa/session_action.h"

namespace medidesk::gateway::wa {

class SessionHost {
 public:
  virtual Moment now() const = 0;
  virtual const Entropy& entropy() const = 0;

  // Dropped without a word when the connection is gone.
  virtual void SendNode(const Node& node) = 0;
  virtual void Emit(Event event) = 0;
  // `done` is called with the outcome, whatever has become of the connection since.
  virtual void CommitThen(RecordChanges changes, std::optional<LinkedAccount> linked,
                          std::function<void(absl::Status)> done) = 0;
  virtual void LoadThen(std::vector<RecordName> names,
                        std::function<void(absl::StatusOr<std::vector<Record>>)> done) = 0;
  // Ends the connection once the part has returned; what was sent before still leaves.
  virtual void EndConnection(ConnectionEnd end, std::string detail = {}) = 0;

  // A request on this connection. `done` is not called when there is no connection, nor after the next one is made.
  template <IqRequest Request>
  void Ask(const Request& request, IqTracker::Done<typename Request::Response> done,
           std::chrono::seconds limit = IqTracker::kLimit) {
    IqTracker* tracker = iqs();
    if (tracker == nullptr) return;
    if (const auto node = tracker->Ask(request, now().steady, std::move(done), limit)) SendNode(*node);
  }

 protected:
  ~SessionHost() = default;
  // nullptr without a usable connection.
  virtual IqTracker* iqs() = 0;
};

}  // namespace medidesk::gateway::wa
