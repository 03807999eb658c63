// The services behind /v1, as the handler calls them: a method of the contracts by its descriptor.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <google/protobuf/descriptor.h>
#include <google/protobuf/message.h>

#include <chrono>
#include <memory>

#include "base/status.h"
#include "base/trace.h"

namespace medidesk::admin::rest {

struct CallContext {
  std::chrono::milliseconds timeout{10'000};
  TraceContext trace = {};
};

using MessagePtr = std::unique_ptr<google::protobuf::Message>;

// One open server stream. Destroying it cancels the call.
class MessageStream {
 public:
  virtual ~MessageStream() = default;
  // The next message, null when the stream has ended well, else why it ended.
  virtual boost::asio::awaitable<absl::StatusOr<MessagePtr>> Next() = 0;
};

// Thread-safe. A method it does not know, and one that its service does not offer, is UNIMPLEMENTED.
class RpcBackend {
 public:
  virtual ~RpcBackend() = default;
  virtual boost::asio::awaitable<absl::StatusOr<MessagePtr>> Call(const google::protobuf::MethodDescriptor& method,
                                                                  MessagePtr request, CallContext context) = 0;
  virtual std::unique_ptr<MessageStream> Stream(const google::protobuf::MethodDescriptor& method, MessagePtr request,
                                                CallContext context) = 0;
};

}  // namespace medidesk::admin::rest
