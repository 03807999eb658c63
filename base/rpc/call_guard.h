// Decides whether a call may run, before its handler does. A server's dispatcher is given one:
//
//   CallGuard guard(&tokens, {});
//   dispatcher.SetGuard(&guard);
//
//   a token was presented       it decides, whoever presents it: PERMISSION_DENIED without the method's scope
//   a certificate of our CA     allowed when it names one of our services, else PERMISSION_DENIED
//   this machine or process     allowed
//   anybody else                UNAUTHENTICATED
//
// Health checks and reflection are gRPC's own and open to whoever may connect. Thread-safe.
#pragma once

#include <boost/asio/awaitable.hpp>

#include <atomic>
#include <string>
#include <string_view>
#include <vector>

#include "base/rpc/call.h"
#include "base/rpc/token_check.h"
#include "base/status.h"

namespace medidesk::rpc {

// The service a certificate's names stand for ("gateway", "assistant", "store", "admin", or "cli" for the
// operator's command line), or "". Its first label says so: `store`, `medidesk-store`, `site-medidesk-store.ns.svc`.
std::string_view ServiceOfNames(const std::vector<std::string>& names);

class CallGuard {
 public:
  struct Options {
    // Callers from other machines without certificate are taken for our own: a network that the operator trusts.
    bool trust_network = false;
  };

  // Without `tokens` every token is refused. It outlives the guard.
  CallGuard(TokenCheck* tokens, Options options) : tokens_(tokens), options_(options) {}

  // From now on; before the server starts.
  void TrustNetwork(bool trust) { options_.trust_network = trust; }

  // Settles the calls that need no waiting. False: ask Authorize().
  bool AllowsAtOnce(const Call& call) const;

  // OK sets `call->principal`. `method` is "Service/Method".
  boost::asio::awaitable<absl::Status> Authorize(Call* call, std::string_view method) const;

 private:
  TokenCheck* const tokens_;
  Options options_;
};

}  // namespace medidesk::rpc
