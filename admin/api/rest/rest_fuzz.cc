// Raw bytes of a connection through the HTTP reader, the route table, the JSON check and the transcoder, to
// services that answer at once: nothing crashes, nothing but a well-formed answer comes out.
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <cstring>

#include "admin/api/rest/json_check.h"
#include "admin/api/rest/rest_handler.h"
#include "admin/api/rest/transcoder.h"
#include "admin/http/request_reader.h"

namespace {

using namespace medidesk;
using namespace medidesk::admin::rest;
namespace asio = boost::asio;

// Echoes what fits: the response's fields of the request's names stay empty.
class Services final : public RpcBackend {
 public:
  asio::awaitable<absl::StatusOr<MessagePtr>> Call(const google::protobuf::MethodDescriptor& method, MessagePtr request,
                                                   CallContext) override {
    // What was understood must survive its own form in JSON.
    const auto json = WriteJson(*request);
    if (!json.ok() || !CheckJson(*json, *request->GetDescriptor(), "", {}).ok()) std::abort();
    co_return NewMessage(*method.output_type());
  }
  std::unique_ptr<MessageStream> Stream(const google::protobuf::MethodDescriptor& method, MessagePtr,
                                        CallContext) override {
    class One final : public MessageStream {
     public:
      explicit One(const google::protobuf::Descriptor& type) : message_(NewMessage(type)) {}
      asio::awaitable<absl::StatusOr<MessagePtr>> Next() override { co_return std::move(message_); }

     private:
      MessagePtr message_;
    };
    return std::make_unique<One>(*method.output_type());
  }
};

class Tokens final : public TokenChecker {
 public:
  asio::awaitable<absl::StatusOr<Checked>> Check(Phi<std::string>, Scope) override { co_return Checked{}; }
};

class Drain final : public http::BodyWriter {
 public:
  asio::awaitable<bool> Write(std::string_view) override { co_return true; }
};

void Handle(RestHandler& handler, asio::io_context& io, http::Request& request) {
  bool done = false;
  const auto run = [&]() -> asio::awaitable<void> {
    http::Response answer = co_await handler.Handle(request);
    handler.Decorate(request, answer);
    Drain drain;
    if (answer.stream != nullptr && !co_await answer.stream(drain)) std::abort();
    if (answer.status < 200 || answer.status > 599) std::abort();
    std::string head;
    http::AppendHead(head, answer, request.id, true, 0);
    done = true;
  };
  asio::co_spawn(io, run(), asio::detached);
  io.restart();
  while (!done) io.run_one_for(std::chrono::seconds(1));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static Services services;
  static Tokens tokens;
  static RestHandler::Options options = [] {
    RestHandler::Options unlimited;
    unlimited.per_address.per_second = unlimited.per_token.per_second = unlimited.per_phone.per_second = 0;
    return unlimited;
  }();
  static RestHandler handler(services, tokens, options);
  static asio::io_context io;

  if (size == 0) return 0;
  const std::string_view text(reinterpret_cast<const char*>(data + 1), size - 1);
  if (data[0] < 64) {
    // One route and its body, without the trouble of writing HTTP.
    const auto routes = Routes();
    const Route& route = routes[data[0] % routes.size()];
    http::Request request;
    request.method = route.method;
    request.target = route.path;
    request.id = "fuzz";
    std::replace(request.target.begin(), request.target.end(), '{', 'a');
    std::replace(request.target.begin(), request.target.end(), '}', 'a');
    const std::size_t line = std::min(text.find('\n'), text.size());
    request.target += '?' + std::string(text.substr(0, line));
    request.body = text.substr(std::min(line + 1, text.size()));
    request.headers = {{"authorization", "Bearer x"}, {"content-type", "application/json"}};
    Handle(handler, io, request);
    return 0;
  }
  http::RequestReader reader({}, nullptr);
  std::string_view left = text;
  while (true) {
    const auto event = reader.Next();
    if (event == http::RequestReader::Event::kRefused) break;
    if (event == http::RequestReader::Event::kRequest) {
      Handle(handler, io, reader.request());
      reader.Reset();
      continue;
    }
    if (event == http::RequestReader::Event::kExpectsContinue) continue;
    if (left.empty()) break;
    const auto room = reader.Prepare();
    const std::size_t taken = std::min(room.size(), left.size());
    std::memcpy(room.data(), left.data(), taken);
    reader.Commit(taken);
    left.remove_prefix(taken);
  }
  return 0;
}
