#include "tests/sim/whatsapp/whatsapp_sim.h"

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/string_body.hpp>
#include <boost/beast/http/write.hpp>
#include <boost/beast/websocket.hpp>
#include <boost/json/parse.hpp>
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <string>

#include "tests/sim/whatsapp/testing/test_client.h"

namespace medidesk::whatsapp_sim {
namespace {

namespace asio = boost::asio;
namespace http = boost::beast::http;
namespace wa = gateway::wa;
namespace websocket = boost::beast::websocket;

using asio::ip::tcp;

tcp::endpoint EndpointOf(const std::string& url) {
  const std::size_t colon = url.rfind(':');
  return {asio::ip::address_v4::loopback(), static_cast<std::uint16_t>(std::stoi(url.substr(colon + 1)))};
}

// A client on a real socket. Blocking; what does not come within 30 s is an error.
class SocketClient {
 public:
  explicit SocketClient(const WhatsAppSim& sim) : ws_(io_) {
    boost::beast::get_lowest_layer(ws_).socket().connect(EndpointOf(sim.ws_url()), error);
    timeval limit{30, 0};
    setsockopt(boost::beast::get_lowest_layer(ws_).socket().native_handle(), SOL_SOCKET, SO_RCVTIMEO, &limit,
               sizeof limit);
    if (!error) ws_.handshake(response, "127.0.0.1", "/ws/chat", error);
    ws_.binary(true);
  }

  void Send(const Bytes& bytes) { ws_.write(asio::buffer(bytes), error); }
  // One message into the client.
  void Hear(testing::TestClient& client) {
    boost::beast::flat_buffer buffer;
    ws_.read(buffer, error);
    if (!error) client.Feed({static_cast<const std::uint8_t*>(buffer.data().data()), buffer.size()});
  }
  std::optional<wa::Node> Next(testing::TestClient& client) {
    for (;;) {
      if (auto node = client.Next()) return node;
      Hear(client);
      if (error) return std::nullopt;
    }
  }

  boost::system::error_code error;
  websocket::response_type response;

 private:
  asio::io_context io_;
  websocket::stream<boost::beast::tcp_stream> ws_;
};

class WhatsAppSimTest : public ::testing::Test {
 protected:
  boost::json::value Post(std::string_view path, std::string_view body) {
    const ControlAnswer answer = sim->Post(path, body);
    EXPECT_EQ(answer.status, 200) << answer.body;
    return boost::json::parse(answer.body);
  }
  void Fault(std::string_view body) { Post("/fault", body); }

  // The client is registered and has its refs.
  std::string Register(SocketClient& socket) {
    socket.Send(client.Hello());
    socket.Hear(client);
    socket.Send(client.FinishAsNew().value());
    const auto refs = socket.Next(client);
    return refs ? std::string(refs->Child("pair-device")->Child("ref")->ContentText()) : "";
  }

  const std::unique_ptr<WhatsAppSim> sim = WhatsAppSim::Start({}).value();
  testing::TestClient client;
};

TEST_F(WhatsAppSimTest, LinksAndLogsInOverASocket) {
  Post("/phones", R"({"phone":"15550001111"})");
  {
    SocketClient socket(*sim);
    ASSERT_FALSE(socket.error) << socket.error.message();
    const std::string ref = Register(socket);
    Post("/scan", fmt::format(R"({{"phone":"15550001111","qr":"{}"}})", client.Qr(ref)));
    socket.Send(client.Seal(client.Sign(*socket.Next(client)).value()));
    EXPECT_EQ(socket.Next(client)->Attr("code"), "515");
    EXPECT_FALSE(socket.Next(client));
    EXPECT_EQ(socket.error, websocket::error::closed);
  }
  SocketClient socket(*sim);
  socket.Send(client.Hello());
  socket.Hear(client);
  socket.Send(client.FinishAsDevice(15550001111, 1).value());
  EXPECT_EQ(socket.Next(client)->tag, "success");
}

TEST_F(WhatsAppSimTest, ServesItsControlOverHttp) {
  asio::io_context io;
  boost::beast::tcp_stream stream(io);
  stream.connect(EndpointOf(sim->control_url()));
  boost::beast::flat_buffer buffer;
  const auto ask = [&](http::verb verb, const char* target, const char* body) {
    http::request<http::string_body> request(verb, target, 11, body);
    request.prepare_payload();
    http::write(stream, request);
    http::response<http::string_body> response;
    http::read(stream, buffer, response);
    return response;
  };
  EXPECT_EQ(ask(http::verb::get, "/", "").body(), sim->about());
  EXPECT_EQ(ask(http::verb::post, "/phones", "{}").result_int(), 200u);
  EXPECT_EQ(ask(http::verb::post, "/scan", "{}").result_int(), 404u);
  EXPECT_EQ(ask(http::verb::get, "/phones", "").result_int(), 200u);
}

TEST_F(WhatsAppSimTest, AnswersTheUpgradeAsOrdered) {
  Fault(R"({"kind":"http","code":503})");
  SocketClient refused(*sim);
  EXPECT_TRUE(refused.error);
  EXPECT_EQ(refused.response.result_int(), 503u);
  Fault(R"({"kind":"drop","at":"upgrade"})");
  SocketClient dropped(*sim);
  EXPECT_TRUE(dropped.error);
  SocketClient served(*sim);
  EXPECT_FALSE(served.error);
}

TEST_F(WhatsAppSimTest, EndsConnectionsInThreeWays) {
  const std::pair<const char*, boost::system::error_code> kEnds[] = {
      {R"({"kind":"close","code":1011})", websocket::error::closed},
      {R"({"kind":"cut"})", asio::error::eof},
      {R"({"kind":"drop"})", asio::error::connection_reset},
  };
  for (const auto& [fault, error] : kEnds) {
    SocketClient socket(*sim);
    Register(socket);
    Fault(fault);
    EXPECT_FALSE(socket.Next(client));
    EXPECT_EQ(socket.error, error) << fault << ": " << socket.error.message();
  }
}

TEST_F(WhatsAppSimTest, SaysWhatIsWrongWithItsFiles) {
  WhatsAppSim::Options options;
  options.tls_cert = "no/such/file.pem";
  EXPECT_FALSE(WhatsAppSim::Start(options).ok());
  options.tls_key = options.tls_cert;
  EXPECT_FALSE(WhatsAppSim::Start(options).ok());
}

}  // namespace
}  // namespace medidesk::whatsapp_sim
