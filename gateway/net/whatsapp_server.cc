#include "gateway/net/whatsapp_server.h"

#include <boost/url/parse.hpp>
#include <boost/url/url_view.hpp>

#include <utility>

#include "base/status.h"

namespace medidesk::gateway::net {
namespace {

absl::Status BadUrl() {
  return Error(absl::StatusCode::kInvalidArgument,
               "whatsapp_url: expected ws://host[:port]/path or wss://host[:port]/path");
}

absl::StatusOr<std::shared_ptr<boost::asio::ssl::context>> MakeTls(const std::string& ca_file) {
  boost::system::error_code error;
  try {
    auto context = std::make_shared<boost::asio::ssl::context>(boost::asio::ssl::context::tls_client);
    SSL_CTX_set_min_proto_version(context->native_handle(), TLS1_2_VERSION);
    context->set_verify_mode(boost::asio::ssl::verify_peer, error);
    if (!error && ca_file.empty()) context->set_default_verify_paths(error);
    if (!error && !ca_file.empty()) context->load_verify_file(ca_file, error);
    if (!error) return context;
  } catch (const boost::system::system_error&) {
    return Error(absl::StatusCode::kInternal, "OpenSSL cannot make a TLS client");
  }
  return Error(absl::StatusCode::kInvalidArgument,
               ca_file.empty() ? "the system's certificate authorities cannot be read: install ca-certificates"
                               : "whatsapp_ca: expected a readable PEM file of certificates");
}

}  // namespace

absl::StatusOr<WhatsAppServer> WhatsAppServer::Make(std::string_view url, const std::string& ca_file) {
  const auto parsed = boost::urls::parse_uri(boost::urls::string_view(url.data(), url.size()));
  if (!parsed) return BadUrl();
  const boost::urls::url_view& view = *parsed;
  const bool secure = view.scheme() == "wss";
  if ((!secure && view.scheme() != "ws") || view.has_userinfo() || view.has_fragment()) return BadUrl();
  if (view.host_address().empty() || (view.has_port() && view.port_number() == 0)) return BadUrl();

  WhatsAppServer server;
  server.host = view.host_address();
  server.port = view.has_port() ? std::to_string(view.port_number()) : secure ? "443" : "80";
  const auto target = view.encoded_target();
  server.target.assign(target.data(), target.size());
  if (server.target.empty() || server.target.front() != '/') server.target.insert(0, "/");
  const auto host = view.encoded_host();
  server.host_header.assign(host.data(), host.size());
  if (view.has_port()) server.host_header += ":" + server.port;
  if (secure) {
    MD_ASSIGN_OR_RETURN(server.tls, MakeTls(ca_file));
  }
  return server;
}

}  // namespace medidesk::gateway::net
