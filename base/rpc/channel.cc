#include "base/rpc/channel.h"

#include <grpcpp/client_context.h>
#include <grpcpp/create_channel.h>
#include <grpcpp/generic/generic_stub.h>

namespace medidesk::rpc {

void KeepCallbackThreads() {
  // Reached through a static and never destroyed. Its one call has run out of time before it begins.
  struct Held {
    std::shared_ptr<grpc::Channel> channel =
        grpc::CreateChannel("unix:/nonexistent", grpc::InsecureChannelCredentials());
    grpc::GenericStub stub{channel};
    grpc::ClientContext context;
    const grpc::ByteBuffer request{nullptr, 0};
    grpc::ByteBuffer response;
    Held() {
      context.set_deadline(std::chrono::system_clock::now());
      stub.UnaryCall(&context, "/none", {}, &request, &response, [](grpc::Status) {});
    }
  };
  static const Held* volatile held = new Held;  // volatile: leak checkers look for the pointer
  (void)held;
}

absl::StatusOr<Channel> Connect(const std::string& address, const ChannelOptions& options) {
  const bool unix_socket = IsUnixAddress(address);
  if (address.empty() || (!unix_socket && address.rfind(':') == std::string::npos)) {
    return Error(absl::StatusCode::kInvalidArgument, "service address: write host:port or unix:/path");
  }
  KeepCallbackThreads();
  std::shared_ptr<grpc::ChannelCredentials> credentials;
  if (!options.tls.empty() && !unix_socket) {
    MD_RETURN_IF_ERROR(CheckTlsFiles(options.tls));
    credentials = ClientTls(options.tls);
  } else if (IsLocalAddress(address) || options.allow_plaintext) {
    credentials = grpc::InsecureChannelCredentials();
  } else {
    return Error(absl::StatusCode::kInvalidArgument,
                 "service address " + address + " is not local: set TLS_CA, TLS_CERT and TLS_KEY");
  }

  grpc::ChannelArguments arguments;
  arguments.SetMaxReceiveMessageSize(options.max_message_bytes);
  arguments.SetLoadBalancingPolicyName("round_robin");
  // A server that is about to stop says so (server.cc): new calls go to the others before it refuses them.
  arguments.SetServiceConfigJSON(R"({"healthCheckConfig":{"serviceName":""}})");
  arguments.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, 100);
  arguments.SetInt(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, 1'000);  // also the connect time-out
  // While one of two instances restarts its callers knock this often, so that it is found before the other one stops.
  arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, 500);
  arguments.SetInt(GRPC_ARG_DNS_MIN_TIME_BETWEEN_RESOLUTIONS_MS, 2'000);
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIME_MS, 20'000);
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, 10'000);
  arguments.SetInt(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1);
  arguments.SetInt(GRPC_ARG_HTTP2_MAX_PINGS_WITHOUT_DATA, 0);
  // A channel of its own: equal arguments would share connections and their fate.
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  const std::string target = unix_socket ? address : "dns:///" + address;
  return Channel{grpc::CreateCustomChannel(target, credentials, arguments)};
}

}  // namespace medidesk::rpc
