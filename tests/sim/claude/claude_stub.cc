#include "tests/sim/claude/claude_stub.h"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <fmt/format.h>

#include <thread>
#include <utility>

#include "tests/sim/claude/connection.h"
#include "tests/sim/claude/control.h"
#include "tests/sim/claude/message_json.h"
#include "tests/sim/claude/models.h"

namespace medidesk::claude_stub {

namespace asio = boost::asio;
using asio::ip::tcp;

class ClaudeStub::Server {
 public:
  explicit Server(Options options)
      : state(options.keep_bodies),
        config_{.models = options.models.empty() ? DefaultModels() : std::move(options.models),
                .latency = options.latency},
        io_(options.threads),
        acceptor_(io_) {}

  ~Server() {
    io_.stop();
    for (std::thread& thread : threads_) thread.join();
  }

  absl::Status Listen(int port) {
    const tcp::endpoint endpoint(asio::ip::address_v4::loopback(), static_cast<std::uint16_t>(port));
    boost::system::error_code error;
    acceptor_.open(endpoint.protocol(), error);
    if (!error) acceptor_.set_option(tcp::acceptor::reuse_address(true), error);
    if (!error) acceptor_.bind(endpoint, error);
    if (!error) acceptor_.listen(asio::socket_base::max_listen_connections, error);
    if (!error) port_ = acceptor_.local_endpoint(error).port();
    if (error) return Error(absl::StatusCode::kUnavailable, fmt::format("port {}: {}", port, error.message()));
    return absl::OkStatus();
  }

  void Run(int threads) {
    asio::co_spawn(io_, Accept(), asio::detached);
    for (int i = 0; i < threads; ++i) {
      threads_.emplace_back([this] { io_.run(); });
    }
  }

  int port() const { return port_; }

  StubState state;

 private:
  asio::awaitable<void> Accept() {
    constexpr auto kToken = asio::as_tuple(asio::use_awaitable);
    for (;;) {
      auto [error, socket] = co_await acceptor_.async_accept(kToken);
      if (!error) {
        asio::co_spawn(io_, ServeConnection(std::move(socket), state, config_), asio::detached);
        continue;
      }
      // Out of file descriptors, most likely: some will come free.
      asio::steady_timer pause(io_, std::chrono::milliseconds(20));
      co_await pause.async_wait(kToken);
    }
  }

  const ApiConfig config_;
  int port_ = 0;
  std::vector<std::thread> threads_;
  asio::io_context io_;  // its destructor ends the connections, which use everything above
  tcp::acceptor acceptor_;
};

ClaudeStub::ClaudeStub(std::unique_ptr<Server> server) : server_(std::move(server)) {}
ClaudeStub::~ClaudeStub() = default;

absl::StatusOr<std::unique_ptr<ClaudeStub>> ClaudeStub::Start(Options options) {
  const int port = options.port;
  const int threads = options.threads < 1 ? 1 : options.threads;
  options.threads = threads;
  auto server = std::make_unique<Server>(std::move(options));
  MD_RETURN_IF_ERROR(server->Listen(port));
  server->Run(threads);
  return std::unique_ptr<ClaudeStub>(new ClaudeStub(std::move(server)));
}

int ClaudeStub::port() const { return server_->port(); }
std::string ClaudeStub::url() const { return fmt::format("http://127.0.0.1:{}", port()); }

absl::Status ClaudeStub::QueueReply(Reply reply) { return server_->state.QueueReply(std::move(reply)); }
absl::Status ClaudeStub::QueueText(std::string_view text) { return QueueReply(TextReply(text)); }
absl::Status ClaudeStub::Inject(Fault fault) { return server_->state.Inject(std::move(fault)); }

absl::Status ClaudeStub::QueueReplyJson(std::string_view json) {
  MD_ASSIGN_OR_RETURN(Reply reply, ParseReply(json));
  return QueueReply(std::move(reply));
}

absl::Status ClaudeStub::InjectJson(std::string_view json) {
  MD_ASSIGN_OR_RETURN(Fault fault, ParseFault(json));
  return Inject(std::move(fault));
}

absl::Status ClaudeStub::LoadScriptJson(std::string_view json) {
  MD_ASSIGN_OR_RETURN(Script script, ParseScript(json));
  SetScript(std::move(script));
  return absl::OkStatus();
}

void ClaudeStub::SetScript(Script script) { server_->state.SetScript(std::move(script)); }
void ClaudeStub::Reset() { server_->state.Reset(); }

std::vector<std::shared_ptr<const Request>> ClaudeStub::Requests() const { return server_->state.Requests(); }
std::uint64_t ClaudeStub::request_count() const { return server_->state.request_count(); }
bool ClaudeStub::WaitForRequests(std::uint64_t count, std::chrono::milliseconds timeout) const {
  return server_->state.WaitForRequests(count, timeout);
}

}  // namespace medidesk::claude_stub
