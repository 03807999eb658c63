// One WebSocket to WhatsApp, over TCP or TLS.
//
//   Open -> Read, Read, ... -> an error, or Close / Abort from our side;  Send at any time after Open
//
// Carries bytes: WhatsApp's frames are a stream inside binary messages, so Read gives what has come, not messages. Text
// messages are dropped. Errors: FAILED_PRECONDITION when the upgrade was refused for good, PERMISSION_DENIED when TLS
// could not verify the server, UNAVAILABLE for all else; CauseOf turns them into the session's terms.
//
// All calls on `executor`, which is a strand or a loop with one thread.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>

#include <chrono>
#include <memory>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#include "gateway/net/whatsapp_server.h"
#include "gateway/wa/bytes.h"
#include "gateway/wa/session.h"

namespace medidesk::gateway::net {

class WhatsAppSocket {
 public:
  static constexpr std::size_t kMaxQueued = 32u << 20;    // bytes not sent yet; beyond, the connection is lost
  static constexpr std::size_t kMaxMessage = 32u << 20;   // bytes of one incoming message
  static constexpr std::chrono::seconds kWriteLimit{60};  // for one message
  static constexpr std::chrono::seconds kCloseLimit{3};   // from Close to the end of the TCP connection

  virtual ~WhatsAppSocket() = default;

  // Name, TCP, TLS and upgrade, all within `limit`. Once.
  virtual boost::asio::awaitable<absl::Status> Open(std::chrono::milliseconds limit) = 0;
  // What has come; never empty. Valid until the next Read. One at a time.
  virtual boost::asio::awaitable<absl::StatusOr<wa::ByteView>> Read() = 0;
  // One binary message, after those before it. Dropped when the connection is over.
  virtual void Send(wa::Bytes message) = 0;
  // What was sent still leaves, then a close frame; the TCP connection ends with the peer's answer, or after
  // kCloseLimit. A socket that is being opened is aborted.
  virtual void Close() = 0;
  // Ends it at once, without a close frame.
  virtual void Abort() = 0;
  // Its TCP connection is gone.
  virtual bool ended() const = 0;
};

// UNAVAILABLE when there is no memory for TLS.
absl::StatusOr<std::shared_ptr<WhatsAppSocket>> MakeWhatsAppSocket(boost::asio::any_io_executor executor,
                                                                   const WhatsAppServer& server);

wa::CloseCause CauseOf(const absl::Status& error);

}  // namespace medidesk::gateway::net
