// medidesk-assistant: answers patients' messages. Stateless; any number of replicas.
#include <prometheus/exposer.h>

#include <cstdio>
#include <string_view>

#include "assistant/build.h"
#include "assistant/self_check.h"
#include "base/io_threads.h"
#include "base/rpc/process.h"
#include "base/rpc/server.h"

int main(int argc, char** argv) {
  using namespace medidesk;

  // `medidesk-assistant --check [FLAG...]` serves nothing: it prints what it finds about Claude and the texts.
  const bool check = argc > 1 && std::string_view(argv[1]) == "--check";
  if (check) --argc, ++argv;

  // 1. Configuration: read once, here, and passed down as values.
  FlagSet flags("medidesk-assistant", "answers patients' messages from the hospital's facts");
  rpc::ProcessConfig process;
  assistant::AssistantConfig config;
  std::string address = "127.0.0.1:7002", store_address = "127.0.0.1:7003", metrics_address = "127.0.0.1:9102";
  process.Register(flags);
  config.Register(flags);
  flags.Add("assistant_address", &address, "where the assistant listens");
  flags.Add("store_address", &store_address, "where the store is");
  flags.Add("metrics_address", &metrics_address, "where /metrics is served; empty: nowhere");
  if (const auto code = rpc::ConfigureProcess(flags, argc, argv, process, [&] { return config.Check(); })) return *code;
  if (check) {
    for (const Finding& finding : assistant::CheckAssistant(config)) std::printf("%s\n", ToJson(finding).c_str());
    return 0;
  }

  // 2. Objects, in the order they depend on each other; destroyed in reverse.
  IoThreads io(process.io_threads);
  const auto registry = std::make_shared<prometheus::Registry>();
  const auto store = rpc::Connect(store_address, {.tls = process.tls, .allow_plaintext = process.allow_plaintext});
  if (!store.ok()) return rpc::RefuseStart(store.status());
  const auto assistant = assistant::Assistant::Create(config, io.executor(), *registry, *store);
  if (!assistant.ok()) return rpc::RefuseStart(assistant.status());
  (*assistant)->TrustNetwork(process.TrustsNetwork());

  // 3. The servers open last.
  const auto metrics = rpc::ServeMetrics(metrics_address, registry);
  if (!metrics.ok()) return rpc::RefuseStart(metrics.status());
  const auto server = rpc::Server::Start((*assistant)->dispatcher(), (*assistant)->services(),
                                         {.addresses = {address},
                                          .tls = process.tls,
                                          .require_client_certificate = false,  // outside callers bring a token
                                          .allow_plaintext = process.allow_plaintext});
  if (!server.ok()) return rpc::RefuseStart(server.status());
  (*assistant)->Start();

  // 4. A stop signal drains: no new calls, then cancellation of what still runs.
  io.RunUntilSignal(process.drain_time, [&] { return (*server)->Drain(process.drain_time * 3 / 4); });
  (*server)->Shutdown(std::chrono::milliseconds(0));
  (*assistant)->Stop();
  io.Stop();
}
