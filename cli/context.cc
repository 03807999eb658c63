#include "cli/context.h"

#include <fmt/format.h>

namespace medidesk::cli {

void CliConfig::Register(FlagSet& flags) {
  flags.Add("store_address", &store_address, "where the store is");
  flags.Add("assistant_address", &assistant_address, "where the assistant is");
  flags.Add("gateway_address", &gateway_address, "where the gateway is");
  flags.Add("admin_url", &admin_url, "where HTTP is served; empty: http://127.0.0.1 and the port");
  flags.Add("port", &port, "HTTP port", {.min = 0, .max = 65535});
  flags.Add("tls_ca", &tls.ca, "PEM file of the CA that signs the services' certificates");
  flags.Add("tls_cert", &tls.cert, "PEM file of our certificate");
  flags.Add("tls_key", &tls.key, "PEM file of its private key");
  flags.Add("allow_plaintext", &allow_plaintext, "gRPC without TLS also beyond loopback");
  flags.Add("token", &token, "bearer token shown to the services; empty: none");
  flags.Twin("token", "MEDIDESK_TOKEN");
  flags.Add("timeout", &timeout, "how long one call may take");
  flags.Twin("timeout", "MEDIDESK_TIMEOUT");
}

std::string CliConfig::AdminUrl() const {
  return admin_url.empty() ? fmt::format("http://127.0.0.1:{}", port) : admin_url;
}

rpc::CallOptions Context::Options() const {
  rpc::CallOptions options = rpc::Within(config_.timeout);
  if (!config_.token.empty()) options.authorization = Phi<std::string>("Bearer " + config_.token);
  return options;
}

Target Context::Reach(std::string name, const std::string& address) const {
  return {std::move(name), address,
          rpc::Connect(address, {.tls = config_.tls, .allow_plaintext = config_.allow_plaintext})};
}

absl::Status Context::Explain(const absl::Status& status, const Target& target) {
  // gRPC's own words for a connection that was not made; ours say more.
  const std::string_view text = Text(status);
  const bool unreached = text.find("connections to all backends failing") != std::string_view::npos ||
                         text.find("failed to connect") != std::string_view::npos ||
                         text.find("DNS resolution failed") != std::string_view::npos ||
                         text.find("Socket closed") != std::string_view::npos ||
                         text.find("recvmsg") != std::string_view::npos;
  if (status.code() == absl::StatusCode::kUnavailable && unreached) {
    return Error(status.code(), fmt::format("cannot reach the {} at {}: is it running there, and are TLS_CA, TLS_CERT "
                                            "and TLS_KEY its own?",
                                            target.name, target.address));
  }
  if (status.code() == absl::StatusCode::kDeadlineExceeded) {
    return Error(status.code(), fmt::format("the {} at {} did not answer in time", target.name, target.address));
  }
  return status;
}

store::v1::Actor Context::Operator() {
  store::v1::Actor actor;
  actor.set_kind(store::v1::ACTOR_KIND_OPERATOR);
  return actor;
}

}  // namespace medidesk::cli
