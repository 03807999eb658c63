// medidesk-store: keeps conversations, turns and knowledge in PostgreSQL.
#include <prometheus/exposer.h>

#include <cstdio>
#include <string_view>

#include "base/io_threads.h"
#include "base/rpc/process.h"
#include "base/rpc/server.h"
#include "store/build.h"
#include "store/database_check.h"
#include "store/migrator.h"

int main(int argc, char** argv) {
  using namespace medidesk;

  // `medidesk-store --check [FLAG...]` serves nothing: it prints what it finds about the database.
  // `medidesk-store --migrate [FLAG...]` brings the database to this release's schema and ends.
  const std::string_view mode = argc > 1 ? argv[1] : "";
  const bool check = mode == "--check", migrate = mode == "--migrate";
  if (check || migrate) --argc, ++argv;

  // 1. Configuration: read once, here, and passed down as values.
  FlagSet flags("medidesk-store", "keeps conversations, turns and knowledge in PostgreSQL");
  rpc::ProcessConfig process;
  store::StoreConfig config;
  std::string address = "127.0.0.1:7003", metrics_address = "127.0.0.1:9103";
  process.Register(flags);
  config.Register(flags);
  flags.Add("store_address", &address, "where the store listens");
  flags.Add("metrics_address", &metrics_address, "where /metrics is served; empty: nowhere");
  if (const auto code = rpc::ConfigureProcess(flags, argc, argv, process, [&] { return config.Check(); })) return *code;
  if (check) {
    for (const Finding& finding : store::CheckDatabase(Phi(config.database_url), Phi(config.migrate_database_url))) {
      std::printf("%s\n", ToJson(finding).c_str());
    }
    return 0;
  }
  if (migrate) {
    const std::string& url = config.migrate_database_url.empty() ? config.database_url : config.migrate_database_url;
    const absl::Status done = store::Migrate(Phi(url), store::EmbeddedMigrations());
    return done.ok() ? 0 : rpc::RefuseStart(done);
  }

  // 2. Objects, in the order they depend on each other; destroyed in reverse.
  IoThreads io(process.io_threads);
  const auto registry = std::make_shared<prometheus::Registry>();
  store::Store store(config, io.executor(), *registry);
  store.TrustNetwork(process.TrustsNetwork());

  // 3. The servers open last.
  const auto metrics = rpc::ServeMetrics(metrics_address, registry);
  if (!metrics.ok()) return rpc::RefuseStart(metrics.status());
  const auto server =
      rpc::Server::Start(store.dispatcher(), store.services(),
                         {.addresses = {address}, .tls = process.tls, .allow_plaintext = process.allow_plaintext});
  if (!server.ok()) return rpc::RefuseStart(server.status());

  // 4. A stop signal drains: no new calls, then cancellation of what still runs.
  io.RunUntilSignal(process.drain_time, [&] { return (*server)->Drain(process.drain_time * 3 / 4); });
  (*server)->Shutdown(std::chrono::milliseconds(0));
  io.Stop();
}
