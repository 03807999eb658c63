// One TCP connection to the simulator: TLS when asked for, the WebSocket, its queue of messages out, and the faults
// that strike below the protocol. What is said over it is a Session.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl/context.hpp>

#include "tests/sim/whatsapp/world.h"

namespace medidesk::whatsapp_sim {

// Runs by itself until the connection ends. `tls` may be null: plain. Both outlive the executor's work.
void StartConnection(boost::asio::ip::tcp::socket socket, boost::asio::ssl::context* tls, World& world);

}  // namespace medidesk::whatsapp_sim
