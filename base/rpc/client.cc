#include "base/rpc/client.h"

namespace medidesk::rpc {

CallOptions Continue(const Call& call, std::chrono::milliseconds at_most) {
  CallOptions options;
  options.deadline = std::min(call.deadline, Call::Clock::now() + at_most);
  options.trace = call.trace;
  return options;
}

CallOptions Within(std::chrono::milliseconds timeout) {
  CallOptions options;
  options.deadline = Call::Clock::now() + timeout;
  return options;
}

namespace internal {

void Apply(const CallOptions& options, grpc::ClientContext& context) {
  if (options.deadline != Call::Clock::time_point::max()) context.set_deadline(options.deadline);
  const TraceContext& trace = options.trace;
  context.AddMetadata("traceparent", trace.trace_id.empty() ? TraceContext::New().Header() : trace.Header());
  if (!options.authorization.Expose().empty()) context.AddMetadata("authorization", options.authorization.Expose());
}

Call LocalCallFrom(const CallOptions& options) {
  Call call;
  call.trace = options.trace.trace_id.empty() ? TraceContext::New() : options.trace;
  call.deadline = options.deadline;
  call.authorization = options.authorization;
  return call;
}

absl::Status ServerStopped() { return Error(absl::StatusCode::kUnavailable, "the server is stopping: try again"); }
absl::Status NotImplemented() { return Error(absl::StatusCode::kUnimplemented, "the service has no such method"); }

}  // namespace internal
}  // namespace medidesk::rpc
