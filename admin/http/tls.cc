#include "admin/http/tls.h"

#include <openssl/ssl.h>

namespace medidesk::http {

namespace ssl = boost::asio::ssl;

absl::StatusOr<std::shared_ptr<ssl::context>> MakeServerTls(const std::string& certificate_file,
                                                            const std::string& key_file) {
  auto context = std::make_shared<ssl::context>(ssl::context::tls_server);
  SSL_CTX_set_min_proto_version(context->native_handle(), TLS1_2_VERSION);
  SSL_CTX_set_options(context->native_handle(), SSL_OP_NO_RENEGOTIATION | SSL_OP_CIPHER_SERVER_PREFERENCE);
  SSL_CTX_set_mode(context->native_handle(), SSL_MODE_RELEASE_BUFFERS);  // idle connections hold no buffers
  boost::system::error_code error;
  context->use_certificate_chain_file(certificate_file, error);
  if (error) return Error(absl::StatusCode::kInvalidArgument, "TLS certificate: not a readable PEM file");
  context->use_private_key_file(key_file, ssl::context::pem, error);
  if (error) {
    return Error(absl::StatusCode::kInvalidArgument, "TLS key: not a readable PEM file, or not of the certificate");
  }
  return context;
}

}  // namespace medidesk::http
