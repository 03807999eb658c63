// Where WhatsApp is, and whom TLS trusts on the way there.
#pragma once

#include <boost/asio/ssl/context.hpp>

#include <memory>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace medidesk::gateway::net {

struct WhatsAppServer {
  std::string host;  // a name or an address, without brackets
  std::string port;
  std::string target;       // path and query, "/ws/chat"
  std::string host_header;  // host, with the port where it is not the usual one
  // Present for wss://. Shared by all connections; immutable.
  std::shared_ptr<boost::asio::ssl::context> tls;

  // `url` is ws://host[:port]/path or wss://...; `ca_file` a PEM file of those to trust instead of the system's, may be
  // empty. INVALID_ARGUMENT for another URL (user info and fragments are refused) or a file that cannot be used;
  // neither is quoted.
  static absl::StatusOr<WhatsAppServer> Make(std::string_view url, const std::string& ca_file = {});
};

}  // namespace medidesk::gateway::net
