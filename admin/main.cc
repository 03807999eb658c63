// medidesk-admin: HTTP for people and for the outside.
#include "admin/build.h"
#include "admin/feed/redis_feed.h"
#include "base/io_threads.h"
#include "base/rpc/process.h"

int main(int argc, char** argv) {
  using namespace medidesk;

  // 1. Configuration: read once, here, and passed down as values.
  FlagSet flags("medidesk-admin", "serves the webhook, health and metrics over HTTP");
  rpc::ProcessConfig process;
  admin::AdminConfig config;
  admin::RedisFeedConfig feed_config;
  std::string store_address = "127.0.0.1:7003", assistant_address = "127.0.0.1:7002",
              gateway_address = "127.0.0.1:7001";
  process.Register(flags);
  config.Register(flags);
  feed_config.Register(flags);
  flags.Add("store_address", &store_address, "where the store is");
  flags.Add("assistant_address", &assistant_address, "where the assistant is");
  flags.Add("gateway_address", &gateway_address, "where the gateway is");
  const auto check = [&]() -> absl::Status {
    MD_RETURN_IF_ERROR(feed_config.Check());
    return config.Check();
  };
  if (const auto code = rpc::ConfigureProcess(flags, argc, argv, process, check)) return *code;

  // 2. Objects, in the order they depend on each other; destroyed in reverse.
  IoThreads io(process.io_threads);
  const auto registry = std::make_shared<prometheus::Registry>();
  const rpc::ChannelOptions options{.tls = process.tls, .allow_plaintext = process.allow_plaintext};
  admin::Admin::Channels channels;
  for (const auto& [channel, address] :
       {std::pair(&channels.store, store_address), std::pair(&channels.assistant, assistant_address),
        std::pair(&channels.gateway, gateway_address)}) {
    auto connected = rpc::Connect(address, options);
    if (!connected.ok()) return rpc::RefuseStart(connected.status());
    *channel = *std::move(connected);
  }

  // 3. The server opens last.
  const auto admin = admin::Admin::Start(config, io.executor(), *registry, channels,
                                         {registry, std::make_shared<rpc::ProcessMetrics>()});
  if (!admin.ok()) return rpc::RefuseStart(admin.status());
  auto feed = admin::RedisFeed::Start(feed_config, channels.store, *registry);

  // 4. A stop signal drains: no new requests, then the running ones end.
  io.RunUntilSignal(process.drain_time, [&] { return (*admin)->Drain(process.drain_time * 3 / 4); });
  feed.reset();
  (*admin)->Stop();
  io.Stop();
}
