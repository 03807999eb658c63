#include "base/rpc/serve.h"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/dispatch.hpp>

#include "base/rpc/local.h"
#include "base/traced_executor.h"

namespace medidesk::rpc::internal {
namespace {

class UnaryReactor final : public grpc::ServerUnaryReactor {
 public:
  // Set before the reactor is given to gRPC.
  std::shared_ptr<RunningCall> running;

 private:
  void OnCancel() override {
    if (running) running->Cancel(absl::StatusCode::kCancelled);
  }
  void OnDone() override { delete this; }
};

}  // namespace

void HandlerRun::Start(bool watch_deadline) {
  asio::dispatch(strand(), [self = std::static_pointer_cast<HandlerRun>(shared_from_this()), watch_deadline] {
    if (watch_deadline) self->WatchDeadline();
    self->Spawn();
  });
}

void HandlerRun::Spawn() {
  auto self = std::static_pointer_cast<HandlerRun>(shared_from_this());
  // The handler may have been cancelled before it began.
  if (cancelled())
    return Ended(std::make_exception_ptr(boost::system::system_error(asio::error::operation_aborted)),
                 Error(absl::StatusCode::kCancelled, ""));
  try {
    const CallGuard* const guard = Guard();
    // Every line that the handler logs names its trace.
    const TracedExecutor executor(strand(), std::make_shared<const std::string>(call().trace.trace_id));
    asio::co_spawn(executor, guard == nullptr ? work_(call()) : Guarded(*guard),
                   asio::bind_cancellation_slot(slot(), [self](std::exception_ptr error, absl::Status status) {
                     self->Ended(std::move(error), std::move(status));
                   }));
  } catch (...) {
    Ended(std::current_exception(), Error(absl::StatusCode::kInternal, ""));
  }
}

asio::awaitable<absl::Status> HandlerRun::Guarded(const CallGuard& guard) {
  absl::Status refused = co_await Authorize(guard);
  if (!refused.ok()) co_return refused;
  co_return co_await work_(call());
}

grpc::ServerUnaryReactor* StartUnary(grpc::CallbackServerContext* context, Dispatcher& dispatcher, const char* method,
                                     Work work, std::function<void()> deliver) {
  MethodMetrics& metrics = dispatcher.Metrics(method);
  LocalContext* const local = LocalContext::From(context);
  auto* const reactor = local == nullptr ? new UnaryReactor : nullptr;  // freed in OnDone
  if (local != nullptr) local->answered = true;

  if (const absl::Status admitted = dispatcher.Admit(CallKind::kUnary); !admitted.ok()) {
    dispatcher.Count(metrics, admitted.code());
    local != nullptr ? local->Finish(admitted) : reactor->Finish(ToGrpc(admitted));
    return reactor;
  }
  if (local != nullptr) {
    Call call = std::move(local->call);
    dispatcher.SetDefaultDeadline(call, metrics);
    auto run = std::make_shared<HandlerRun>(
        dispatcher, metrics, std::move(call), CallKind::kUnary, std::move(work),
        [local, owner = local->self.lock(), deliver = std::move(deliver)](const absl::Status& status) {
          if (status.ok()) deliver();
          local->Finish(status);
        });
    // As over the wire, the caller does not wait for a handler that it has given up.
    run->set_on_cancel([local](const absl::Status& status) { local->Finish(status); });
    local->running = run;
    run->Start(/*watch_deadline=*/true);
    return nullptr;
  }
  Call call = ReadCall(*context);
  const bool watch_deadline = dispatcher.SetDefaultDeadline(call, metrics);  // gRPC watches the others
  auto run = std::make_shared<HandlerRun>(dispatcher, metrics, std::move(call), CallKind::kUnary, std::move(work),
                                          [reactor, deliver = std::move(deliver)](const absl::Status& status) {
                                            if (status.ok()) deliver();
                                            reactor->Finish(ToGrpc(status));
                                          });
  reactor->running = run;
  run->Start(watch_deadline);
  return reactor;
}

}  // namespace medidesk::rpc::internal
