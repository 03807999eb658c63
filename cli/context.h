// What a command works with: where the services are, the credentials to show them, and where to write.
//
//   MD_ASSIGN_OR_RETURN(const auto response,
//                       context.Call<store::v1::AccessService>(context.Store(), MD_METHOD(ListTokens), request));
//
// Not thread-safe: a command is one thread, which waits for its calls.
#pragma once

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/use_future.hpp>

#include <chrono>
#include <memory>
#include <optional>
#include <ostream>
#include <string>

#include "base/flags.h"
#include "base/io_threads.h"
#include "base/rpc/client.h"
#include "medidesk/store/v1/common.pb.h"

namespace medidesk::cli {

// Read from the same variables as the services' own flags, so `.env` serves both.
struct CliConfig {
  std::string store_address = "127.0.0.1:7003";
  std::string assistant_address = "127.0.0.1:7002";
  std::string gateway_address = "127.0.0.1:7001";
  std::string admin_url;  // of the HTTP side; empty: http://127.0.0.1:<port>
  int port = 8080;
  rpc::TlsFiles tls = {};
  bool allow_plaintext = false;
  std::string token;                          // shown with every call; empty: none
  std::chrono::milliseconds timeout{10'000};  // of one call

  void Register(FlagSet& flags);
  std::string AdminUrl() const;
};

// One service and how to reach it; `name` and `address` are for error lines.
struct Target {
  std::string name, address;
  absl::StatusOr<rpc::Channel> channel;
};

class Context {
 public:
  // The streams outlive it.
  Context(CliConfig config, std::ostream& out, std::ostream& notes)
      : config_(std::move(config)), out_(out), notes_(notes) {}

  const CliConfig& config() const { return config_; }
  std::ostream& out() { return out_; }      // the answer, for people and scripts
  std::ostream& notes() { return notes_; }  // progress and warnings

  Target Store() { return Reach("store", config_.store_address); }
  Target Assistant() { return Reach("assistant", config_.assistant_address); }
  Target Gateway() { return Reach("gateway", config_.gateway_address); }

  // A deadline from --timeout, and the token.
  rpc::CallOptions Options() const;

  // One unary call. A service that cannot be reached is UNAVAILABLE with a text that names it.
  template <class Service, class Name>
  absl::StatusOr<typename rpc::internal::MethodOf<Name, Service>::Response> Call(
      const Target& target, Name name, typename rpc::internal::MethodOf<Name, Service>::Request request) {
    if (!target.channel.ok()) return target.channel.status();
    const rpc::Client<Service> client(*target.channel);
    auto response = Wait(client.Call(name, std::move(request), Options()));
    if (!response.ok()) return Explain(response.status(), target);
    return response;
  }

  // Runs a coroutine to its end; for streams and whatever Call() does not do.
  template <class T>
  T Wait(boost::asio::awaitable<T> work) {
    if (io_ == nullptr) io_ = std::make_unique<IoThreads>(1);
    return boost::asio::co_spawn(io_->executor(), std::move(work), boost::asio::use_future).get();
  }

  // The status with a text that helps at the command line.
  static absl::Status Explain(const absl::Status& status, const Target& target);

  // Who acts, for requests that ask.
  static store::v1::Actor Operator();

 private:
  Target Reach(std::string name, const std::string& address) const;

  const CliConfig config_;
  std::ostream& out_;
  std::ostream& notes_;
  std::unique_ptr<IoThreads> io_;  // made with the first call
};

}  // namespace medidesk::cli
