// What the parts of the message layer (receiving, sending, retries, notices) do through it.
//
// Whatever looks at records runs as a step: a function that reads and changes the workspace and says in `Effects` what
// is to come of it. Where it looked at records that are not loaded, nothing of it counts: they are loaded and the step
// runs again from its beginning. So a step must do nothing but this: change the workspace, fill the effects.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "gateway/wa/device_credentials.h"
#include "gateway/wa/entropy.h"
#include "gateway/wa/iq.h"
#include "gateway/wa/messages/message_action.h"
#include "gateway/wa/signal/signal_sessions.h"
#include "gateway/wa/signal/workspace.h"

namespace medidesk::gateway::wa {

struct Effects {
  // Parts of one commit, with the changes of the workspace.
  std::vector<LearnedContact> learned = {};
  std::vector<InboundMessage> inbound = {};
  std::optional<OutboundAttempt> outbound = {};
  std::vector<DeliveryMark> marks = {};
  // Once that is stored, and all that was asked to be stored before.
  std::vector<Node> after = {};
  // `send`: whether the store lets it go (OutboundAttempt).
  std::function<void(bool send)> then = {};
  // At once.
  std::vector<MessageEvent> events = {};
  std::vector<std::function<void()>> now = {};
};

class MessageHost {
 public:
  using StepFunction = std::function<void(Effects&)>;

  virtual Moment now() const = 0;
  virtual const Entropy& entropy() const = 0;
  virtual const DeviceCredentials& credentials() const = 0;
  virtual Workspace& workspace() = 0;
  virtual SignalSessions& signal() = 0;
  virtual bool connected() const = 0;
  virtual std::chrono::milliseconds server_offset() const = 0;

  // Runs the step now, or when what it wants is loaded. `failed`: it could not be loaded.
  virtual void Step(StepFunction step, std::function<void()> failed = {}) = 0;
  virtual void SendNode(Node node) = 0;
  virtual void Tell(MessageEvent event) = 0;

  // A request to the server. `done` runs with UNAVAILABLE at once without a connection.
  template <IqRequest Request>
  void Ask(const Request& request, IqTracker::Done<typename Request::Response> done) {
    const Time now_steady = now().steady;
    if (!connected() || tracker().pending() >= IqTracker::kMaxPending) {
      return done(Error(absl::StatusCode::kUnavailable, "WhatsApp is not connected"));
    }
    if (auto node = tracker().Ask(request, now_steady, std::move(done))) SendNode(*std::move(node));
  }

  Jid own_jid() const { return credentials().account->jid; }
  Jid own_lid() const { return credentials().account->lid; }
  bool has_lid() const { return !own_lid().user.empty(); }
  // The account by either of its addresses.
  bool IsOwn(const Jid& jid) const {
    return (jid.IsLid() ? has_lid() && jid.user == own_lid().user : jid.user == own_jid().user && !jid.user.empty());
  }
  std::int64_t UnixNow() const {
    return std::chrono::duration_cast<std::chrono::seconds>((now().wall + server_offset()).time_since_epoch()).count();
  }

 protected:
  ~MessageHost() = default;
  virtual IqTracker& tracker() = 0;
};

inline WallTime FromUnix(std::int64_t seconds) { return WallTime(std::chrono::seconds(seconds)); }

// ---- Records that are protobuf messages ----

// The record, or an empty one where there is none or it is not readable: nothing in these is worth a stop.
template <class Proto>
Proto ReadRecord(Workspace& workspace, const RecordName& name) {
  Proto record;
  const Bytes* bytes = workspace.Get(name);
  if (bytes == nullptr || !record.ParseFromArray(bytes->data(), static_cast<int>(bytes->size()))) record.Clear();
  return record;
}

template <class Proto>
void WriteRecord(Workspace& workspace, const RecordName& name, const Proto& record) {
  workspace.Put(name, ToBytes(record.SerializeAsString()));
}

}  // namespace medidesk::gateway::wa
