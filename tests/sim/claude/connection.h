// One HTTP/1.1 connection to the stub: reads requests, applies faults, writes answers and streams.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/ip/tcp.hpp>

#include "tests/sim/claude/api.h"
#include "tests/sim/claude/stub_state.h"

namespace medidesk::claude_stub {

// Runs until the client closes or a fault closes it. `state` and `config` outlive it.
boost::asio::awaitable<void> ServeConnection(boost::asio::ip::tcp::socket socket, StubState& state,
                                             const ApiConfig& config);

}  // namespace medidesk::claude_stub
