// Reads what a number's messages need into memory while the store answers, so that an emergency is read and answered
// also while it does not: pre-keys, sessions, and who is who. As far as three quarters of the layer's memory hold them;
// people beyond, and new ones then, wait for the store.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>

#include "gateway/service/number_layer.h"
#include "gateway/wa/messages/message_layer.h"

namespace medidesk::gateway {

// On the layer's strand, `executor`; ends early when `closed` is set. All of them outlive it.
boost::asio::awaitable<void> ReadAhead(NumberPort& port, wa::MessageLayer& layer, boost::asio::any_io_executor executor,
                                       const bool& closed);

}  // namespace medidesk::gateway
