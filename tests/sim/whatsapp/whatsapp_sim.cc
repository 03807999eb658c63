#include "tests/sim/whatsapp/whatsapp_sim.h"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <fmt/format.h>

#include <chrono>
#include <future>
#include <optional>
#include <thread>
#include <utility>

#include "tests/sim/whatsapp/connection.h"
#include "tests/sim/whatsapp/control_server.h"

namespace medidesk::whatsapp_sim {

namespace asio = boost::asio;
using asio::ip::tcp;

namespace {

std::int64_t UnixMicros() {
  return std::chrono::duration_cast<std::chrono::microseconds>(std::chrono::system_clock::now().time_since_epoch())
      .count();
}

absl::Status Listen(tcp::acceptor& acceptor, int port) {
  const tcp::endpoint endpoint(asio::ip::address_v4::loopback(), static_cast<std::uint16_t>(port));
  boost::system::error_code error;
  acceptor.open(endpoint.protocol(), error);
  if (!error) acceptor.set_option(tcp::acceptor::reuse_address(true), error);
  if (!error) acceptor.bind(endpoint, error);
  if (!error) acceptor.listen(asio::socket_base::max_listen_connections, error);
  if (error) return Error(absl::StatusCode::kUnavailable, fmt::format("port {}: {}", port, error.message()));
  return absl::OkStatus();
}

}  // namespace

class WhatsAppSim::Server {
 public:
  explicit Server(const Settings& settings) : world(settings, UnixMicros), io_(1), clients_(io_), controls_(io_) {}

  ~Server() {
    io_.stop();
    if (thread_.joinable()) thread_.join();
  }

  absl::Status Open(const Options& options) {
    if (options.tls_cert.empty() != options.tls_key.empty()) {
      return Error(absl::StatusCode::kInvalidArgument, "give both of tls_cert and tls_key");
    }
    if (!options.tls_cert.empty()) {
      boost::system::error_code error;
      tls_.emplace(asio::ssl::context::tls_server);
      tls_->use_certificate_chain_file(options.tls_cert, error);
      if (error) return Error(absl::StatusCode::kInvalidArgument, "tls_cert: not a PEM file with a certificate");
      tls_->use_private_key_file(options.tls_key, asio::ssl::context::pem, error);
      if (error) return Error(absl::StatusCode::kInvalidArgument, "tls_key: not the PEM file of the certificate's key");
    }
    MD_RETURN_IF_ERROR(Listen(clients_, options.port));
    MD_RETURN_IF_ERROR(Listen(controls_, options.control_port));
    ws_url = fmt::format("{}://127.0.0.1:{}/ws/chat", tls_ ? "wss" : "ws", clients_.local_endpoint().port());
    control_url = fmt::format("http://127.0.0.1:{}", controls_.local_endpoint().port());
    root_key = Hex(world.authority.root_key());
    about = fmt::format(R"({{"ws_url":"{}","control_url":"{}","root_key":"{}"}})", ws_url, control_url, root_key);
    asio::co_spawn(
        io_,
        Accept(clients_,
               [this](tcp::socket socket) { StartConnection(std::move(socket), tls_ ? &*tls_ : nullptr, world); }),
        asio::detached);
    asio::co_spawn(io_,
                   Accept(controls_,
                          [this](tcp::socket socket) {
                            asio::co_spawn(io_, ServeControl(std::move(socket), world, about), asio::detached);
                          }),
                   asio::detached);
    thread_ = std::thread([this] { io_.run(); });
    return absl::OkStatus();
  }

  ControlAnswer Call(std::string_view method, std::string_view target, std::string_view body) {
    std::promise<ControlAnswer> answer;
    asio::post(io_, [&] { answer.set_value(Control(world, method, target, body)); });
    return answer.get_future().get();
  }

  World world;
  std::string ws_url, control_url, root_key, about;

 private:
  using OnSocket = std::function<void(tcp::socket)>;

  asio::awaitable<void> Accept(tcp::acceptor& acceptor, OnSocket on_socket) {
    constexpr auto kToken = asio::as_tuple(asio::use_awaitable);
    for (;;) {
      auto [error, socket] = co_await acceptor.async_accept(kToken);
      if (!error) {
        on_socket(std::move(socket));
        continue;
      }
      // Out of file descriptors, most likely: some will come free.
      asio::steady_timer pause(io_, std::chrono::milliseconds(20));
      co_await pause.async_wait(kToken);
    }
  }

  std::optional<asio::ssl::context> tls_;
  std::thread thread_;
  asio::io_context io_;  // its destructor ends the connections, which use everything above
  tcp::acceptor clients_, controls_;
};

WhatsAppSim::WhatsAppSim(std::unique_ptr<Server> server) : server_(std::move(server)) {}
WhatsAppSim::~WhatsAppSim() = default;

absl::StatusOr<std::unique_ptr<WhatsAppSim>> WhatsAppSim::Start(Options options) {
  auto server = std::make_unique<Server>(options.settings);
  MD_RETURN_IF_ERROR(server->Open(options));
  return std::unique_ptr<WhatsAppSim>(new WhatsAppSim(std::move(server)));
}

const std::string& WhatsAppSim::ws_url() const { return server_->ws_url; }
const std::string& WhatsAppSim::control_url() const { return server_->control_url; }
const std::string& WhatsAppSim::root_key() const { return server_->root_key; }
const std::string& WhatsAppSim::about() const { return server_->about; }
ControlAnswer WhatsAppSim::Get(std::string_view target) { return server_->Call("GET", target, {}); }
ControlAnswer WhatsAppSim::Post(std::string_view target, std::string_view body) {
  return server_->Call("POST", target, body);
}

}  // namespace medidesk::whatsapp_sim
