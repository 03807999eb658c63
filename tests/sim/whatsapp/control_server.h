// The control plane over HTTP/1.1; see control.h. One connection.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/ip/tcp.hpp>

#include <string>

#include "tests/sim/whatsapp/world.h"

namespace medidesk::whatsapp_sim {

// Until the client closes. `world` outlives it. `about`: the answer to GET /.
boost::asio::awaitable<void> ServeControl(boost::asio::ip::tcp::socket socket, World& world, std::string about);

}  // namespace medidesk::whatsapp_sim
