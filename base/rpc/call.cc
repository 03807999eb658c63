#include "base/rpc/call.h"

#include <grpcpp/security/auth_context.h>

namespace medidesk::rpc {
namespace {

constexpr std::size_t kMaxAuthorization = 4096;  // bytes

std::string_view Metadata(const grpc::CallbackServerContext& context, const char* key) {
  const auto& all = context.client_metadata();
  const auto found = all.find(key);
  return found == all.end() ? std::string_view() : std::string_view(found->second.data(), found->second.size());
}

bool StartsWith(std::string_view text, std::string_view prefix) { return text.substr(0, prefix.size()) == prefix; }

Caller ReadCaller(const grpc::CallbackServerContext& context) {
  Caller caller;
  const std::shared_ptr<const grpc::AuthContext> auth = context.auth_context();
  if (auth != nullptr && auth->IsPeerAuthenticated()) {
    caller.kind = Caller::Kind::kCertificate;
    for (const char* property : {GRPC_X509_SAN_PROPERTY_NAME, GRPC_X509_CN_PROPERTY_NAME}) {
      for (const grpc::string_ref& name : auth->FindPropertyValues(property)) {
        caller.names.emplace_back(name.data(), name.size());
      }
    }
    return caller;
  }
  // gRPC writes addresses as "ipv4:127.0.0.1:4711", "ipv6:%5B::1%5D:4711", "unix:...". "unknown" is its
  // word for a call that came over no connection: the channel inside the process.
  const std::string peer = context.peer();
  const bool local = peer == "unknown" || StartsWith(peer, "unix:") || StartsWith(peer, "ipv4:127.") ||
                     StartsWith(peer, "ipv6:%5B::1%5D:") || StartsWith(peer, "ipv6:[::1]:") ||
                     StartsWith(peer, "ipv6:%5B::ffff:127.") || StartsWith(peer, "ipv6:[::ffff:127.");
  caller.kind = local ? Caller::Kind::kLocal : Caller::Kind::kUnknown;
  return caller;
}

}  // namespace

Call ReadCall(const grpc::CallbackServerContext& context) {
  Call call;
  const auto trace = TraceContext::Parse(Metadata(context, "traceparent"));
  call.trace = trace ? *trace : TraceContext::New();
  call.deadline = context.deadline();
  call.caller = ReadCaller(context);
  const std::string_view authorization = Metadata(context, "authorization");
  // What is too long is kept as something that is there and is no token.
  call.authorization =
      Phi<std::string>(authorization.size() <= kMaxAuthorization ? std::string(authorization) : "oversized");
  return call;
}

}  // namespace medidesk::rpc
