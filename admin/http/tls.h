// The server side's TLS settings: 1.2 or newer, from a PEM certificate chain and key.
#pragma once

#include <boost/asio/ssl/context.hpp>

#include <memory>
#include <string>

#include "base/status.h"

namespace medidesk::http {

// INVALID_ARGUMENT names the flag whose file cannot be used.
absl::StatusOr<std::shared_ptr<boost::asio::ssl::context>> MakeServerTls(const std::string& certificate_file,
                                                                         const std::string& key_file);

}  // namespace medidesk::http
