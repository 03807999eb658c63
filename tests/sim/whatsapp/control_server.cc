#include "tests/sim/whatsapp/control_server.h"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/string_body.hpp>
#include <boost/beast/http/write.hpp>

#include <utility>

#include "tests/sim/whatsapp/control.h"

namespace medidesk::whatsapp_sim {

namespace asio = boost::asio;
namespace http = boost::beast::http;

asio::awaitable<void> ServeControl(asio::ip::tcp::socket socket, World& world, std::string about) {
  constexpr auto kToken = asio::as_tuple(asio::use_awaitable);
  constexpr std::uint64_t kMaxBody = 16u << 20;  // bytes
  boost::beast::flat_buffer buffer;
  boost::system::error_code ignored;
  socket.set_option(asio::ip::tcp::no_delay(true), ignored);
  for (;;) {
    http::request_parser<http::string_body> parser;
    parser.body_limit(kMaxBody);
    const auto [read_error, read_size] = co_await http::async_read(socket, buffer, parser, kToken);
    if (read_error) co_return;
    const auto& request = parser.get();
    const std::string method(request.method_string()), target(request.target());
    ControlAnswer answer{.status = 200, .body = about};
    if (target != "/") answer = Control(world, method, target, request.body());
    http::response<http::string_body> response(static_cast<http::status>(answer.status), request.version());
    response.set(http::field::content_type, "application/json");
    response.body() = std::move(answer.body);
    response.keep_alive(request.keep_alive());
    response.prepare_payload();
    const auto [write_error, write_size] = co_await http::async_write(socket, response, kToken);
    if (write_error || !request.keep_alive()) co_return;
  }
}

}  // namespace medidesk::whatsapp_sim
