// medidesk-gateway: the WhatsApp linked devices.
#include <prometheus/exposer.h>

#include "base/io_threads.h"
#include "base/rpc/process.h"
#include "base/rpc/server.h"
#include "gateway/build.h"

int main(int argc, char** argv) {
  using namespace medidesk;

  FlagSet flags("medidesk-gateway", "owns the hospital's WhatsApp numbers");
  rpc::ProcessConfig process;
  gateway::GatewayConfig config;
  std::string address = "127.0.0.1:7001", assistant_address = "127.0.0.1:7002", store_address = "127.0.0.1:7003",
              metrics_address = "127.0.0.1:9101";
  process.Register(flags);
  config.Register(flags);
  config.RegisterSite(flags);
  flags.Add("gateway_address", &address, "where the gateway listens");
  flags.Add("assistant_address", &assistant_address, "where the assistant is");
  flags.Add("store_address", &store_address, "where the store is");
  flags.Add("metrics_address", &metrics_address, "where /metrics is served; empty: nowhere");
  if (const auto code = rpc::ConfigureProcess(flags, argc, argv, process, [&] { return config.Check(); })) return *code;

  IoThreads io(process.io_threads);
  const auto registry = std::make_shared<prometheus::Registry>();
  const auto store = rpc::Connect(store_address, {.tls = process.tls, .allow_plaintext = process.allow_plaintext});
  if (!store.ok()) return rpc::RefuseStart(store.status());
  const auto assistant =
      rpc::Connect(assistant_address, {.tls = process.tls, .allow_plaintext = process.allow_plaintext});
  if (!assistant.ok()) return rpc::RefuseStart(assistant.status());
  const auto gateway = gateway::Gateway::Create(config, io.executor(), *registry, *store, *assistant, address);
  if (!gateway.ok()) return rpc::RefuseStart(gateway.status());
  (*gateway)->TrustNetwork(process.TrustsNetwork());
  const auto metrics = rpc::ServeMetrics(metrics_address, registry);
  if (!metrics.ok()) return rpc::RefuseStart(metrics.status());
  const auto server = rpc::Server::Start((*gateway)->dispatcher(), (*gateway)->services(),
                                         {.addresses = {address},
                                          .tls = process.tls,
                                          .require_client_certificate = false,  // outside callers bring a token
                                          .allow_plaintext = process.allow_plaintext});
  if (!server.ok()) return rpc::RefuseStart(server.status());

  (*gateway)->Start();

  // Numbers first: another gateway may take them while the last calls end here.
  const auto drain = [&]() -> boost::asio::awaitable<void> {
    co_await (*gateway)->Drain();
    co_await (*server)->Drain(process.drain_time / 4);
  };
  io.RunUntilSignal(process.drain_time, drain);
  (*server)->Shutdown(std::chrono::milliseconds(0));
  (*gateway)->Stop();
  io.Stop();
}
