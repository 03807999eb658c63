// medidesk-all: the four services in one process, over in-process channels; the same code.
#include <malloc.h>

#include "admin/build.h"
#include "admin/feed/redis_feed.h"
#include "assistant/build.h"
#include "base/io_threads.h"
#include "base/log.h"
#include "base/rpc/process.h"
#include "base/rpc/server.h"
#include "gateway/build.h"
#include "store/build.h"

int main(int argc, char** argv) {
  using namespace medidesk;
  mallopt(M_ARENA_MAX, 2);             // an arena a thread would cost more memory than the threads gain
  mallopt(M_TRIM_THRESHOLD, 4 << 20);  // a prompt's buffers come and go: not to the kernel each time
  mallopt(M_MMAP_THRESHOLD, 1 << 20);

  // 1. Configuration: read once, here, and passed down as values.
  FlagSet flags("medidesk-all", "the gateway, assistant, store and admin services in one process");
  rpc::ProcessConfig process;
  store::StoreConfig store_config;
  assistant::AssistantConfig assistant_config;
  admin::AdminConfig admin_config;
  admin::RedisFeedConfig feed_config;
  gateway::GatewayConfig gateway_config;
  std::string gateway_address = "127.0.0.1:7001", assistant_address = "127.0.0.1:7002",
              store_address = "127.0.0.1:7003";
  process.Register(flags);
  admin_config.Register(flags);
  feed_config.Register(flags);
  assistant_config.Register(flags);
  gateway_config.Register(flags);
  store_config.Register(flags);
  flags.Add("gateway_address", &gateway_address, "where the gateway listens; empty: nowhere");
  flags.Add("assistant_address", &assistant_address, "where the assistant listens; empty: nowhere");
  flags.Add("store_address", &store_address, "where the store listens; empty: nowhere");
  const auto check = [&]() -> absl::Status {
    MD_RETURN_IF_ERROR(store_config.Check());
    MD_RETURN_IF_ERROR(assistant_config.Check());
    MD_RETURN_IF_ERROR(gateway_config.Check());
    MD_RETURN_IF_ERROR(feed_config.Check());
    return admin_config.Check();
  };
  if (const auto code = rpc::ConfigureProcess(flags, argc, argv, process, check)) return *code;

  // 2. Objects, in the order they depend on each other; destroyed in reverse.
  IoThreads io(process.io_threads);
  const auto registry = std::make_shared<prometheus::Registry>();
  // Outside callers of the assistant and the gateway bring a token; the store wants a certificate of ours.
  const auto serve = [&](rpc::Dispatcher& dispatcher, std::vector<grpc::Service*> services, const std::string& address,
                         bool require_certificate) {
    rpc::ServerOptions options{.tls = process.tls,
                               .require_client_certificate = require_certificate,
                               .allow_plaintext = process.allow_plaintext};
    if (!address.empty()) options.addresses = {address};
    return rpc::Server::Start(dispatcher, std::move(services), std::move(options));
  };
  store::Store store(store_config, io.executor(), *registry);
  store.TrustNetwork(process.TrustsNetwork());
  const auto store_server = serve(store.dispatcher(), store.services(), store_address, true);
  if (!store_server.ok()) return rpc::RefuseStart(store_server.status());

  const auto assistant =
      assistant::Assistant::Create(assistant_config, io.executor(), *registry, (*store_server)->InProcessChannel());
  if (!assistant.ok()) return rpc::RefuseStart(assistant.status());
  (*assistant)->TrustNetwork(process.TrustsNetwork());
  const auto assistant_server = serve((*assistant)->dispatcher(), (*assistant)->services(), assistant_address, false);
  if (!assistant_server.ok()) return rpc::RefuseStart(assistant_server.status());

  gateway_config.emergency_number = assistant_config.emergency_number;
  gateway_config.crisis_line = assistant_config.crisis_line;
  const auto gateway =
      gateway::Gateway::Create(gateway_config, io.executor(), *registry, (*store_server)->InProcessChannel(),
                               (*assistant_server)->InProcessChannel(), gateway_address);
  if (!gateway.ok()) return rpc::RefuseStart(gateway.status());
  (*gateway)->TrustNetwork(process.TrustsNetwork());
  const auto gateway_server = serve((*gateway)->dispatcher(), (*gateway)->services(), gateway_address, false);
  if (!gateway_server.ok()) return rpc::RefuseStart(gateway_server.status());

  // 3. HTTP opens last.
  const admin::Admin::Channels channels{(*store_server)->InProcessChannel(), (*assistant_server)->InProcessChannel(),
                                        (*gateway_server)->InProcessChannel()};
  const auto admin = admin::Admin::Start(admin_config, io.executor(), *registry, channels,
                                         {registry, std::make_shared<rpc::ProcessMetrics>()});
  if (!admin.ok()) return rpc::RefuseStart(admin.status());
  auto feed = admin::RedisFeed::Start(feed_config, channels.store, *registry);
  (*assistant)->Start();
  (*gateway)->Start();
  log::Info("started", {{"http_port", (*admin)->port()}});

  // 4. A stop signal drains from the outside in: HTTP, WhatsApp, assistant, store.
  const auto drain = [&]() -> boost::asio::awaitable<void> {
    const std::chrono::milliseconds each = process.drain_time / 4;
    co_await (*admin)->Drain(each);
    co_await (*gateway)->Drain();
    co_await (*gateway_server)->Drain(each / 2);
    co_await (*assistant_server)->Drain(each);
  };
  io.RunUntilSignal(process.drain_time, drain);
  feed.reset();
  (*admin)->Stop();
  (*assistant)->Stop();
  (*gateway_server)->Shutdown(std::chrono::milliseconds(0));
  (*gateway)->Stop();
  for (const auto* server : {&assistant_server, &store_server}) (**server)->Shutdown(std::chrono::milliseconds(0));
  io.Stop();
}
