// What a handler knows about the call it answers.
#pragma once

#include <grpcpp/support/server_callback.h>

#include <algorithm>
#include <chrono>
#include <string>
#include <vector>

#include "base/phi.h"
#include "base/rpc/principal.h"
#include "base/trace.h"

namespace medidesk::rpc {

// Who is at the other end of the connection.
struct Caller {
  enum class Kind {
    kLocal,        // this process, a unix socket or a loopback address, without a certificate
    kCertificate,  // a certificate that our CA signed
    kUnknown,      // another machine without a certificate
  };
  Kind kind = Kind::kLocal;
  // kCertificate: the DNS and other alternative names, then the common name. Else empty.
  std::vector<std::string> names;

  bool HasName(std::string_view name) const { return std::find(names.begin(), names.end(), name) != names.end(); }
};

// Lives as long as the handler runs. Tests make one by hand: `Call call;`.
struct Call {
  using Clock = std::chrono::system_clock;

  TraceContext trace = {};  // the caller's, or a fresh one
  // The handler is cancelled when it passes. time_point::max() for a stream without one.
  Clock::time_point deadline = Clock::time_point::max();
  Caller caller = {};
  // The whole value of the `authorization` metadata ("Bearer ..."). Above 4 KiB it is "oversized".
  Phi<std::string> authorization = {};
  // Set by the server's CallGuard before the handler runs; without one everybody is kLocal.
  Principal principal = {};

  // What is left until the deadline, never negative; for handlers that hand out budgets.
  std::chrono::milliseconds Left() const {
    if (deadline == Clock::time_point::max()) return std::chrono::hours(24);
    return std::max(std::chrono::duration_cast<std::chrono::milliseconds>(deadline - Clock::now()),
                    std::chrono::milliseconds(0));
  }
};

// Reads metadata, deadline and peer of a call that came over gRPC.
Call ReadCall(const grpc::CallbackServerContext& context);

}  // namespace medidesk::rpc
