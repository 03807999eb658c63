// What one unary call costs: latency and CPU of the whole process, over each way a service is reached.
#include <benchmark/benchmark.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/rpc/client.h"
#include "base/rpc/server.h"
#include "base/rpc/testing/echo_service.h"

namespace medidesk::rpc::testing {
namespace {

double CpuSeconds() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) * 1e-6;
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

asio::awaitable<void> Caller(Client<EchoService> client, int calls) {
  EchoRequest request;
  request.set_id("0193a5b2-7c1d-7000-8000-000000000001");
  request.set_text("What are your visiting hours, and may I bring my children along on a Sunday?");
  for (int i = 0; i < calls; ++i) {
    auto response = co_await client.Call(MD_METHOD(Echo), request, Within(std::chrono::seconds(10)));
    if (!response.ok()) {
      std::fprintf(stderr, "%s\n", response.status().ToString().c_str());
      std::abort();
    }
  }
}

enum Way { kLocal, kInProcess, kUnixSocket };

void UnaryCall(benchmark::State& state) {
  const Way way = static_cast<Way>(state.range(0));
  const int in_flight = static_cast<int>(state.range(1));
  const int calls = 200;  // of each caller in an iteration

  Loop loop(2);
  prometheus::Registry registry;
  Dispatcher dispatcher(loop.executor(), registry, {.service = "bench"});
  EchoServiceImpl echo(dispatcher);
  const std::string address = "unix:/tmp/rpc_bench." + std::to_string(getpid());
  ServerOptions options;
  options.addresses = {address};
  auto server = Server::Start(dispatcher, {&echo}, options);
  if (!server.ok()) return state.SkipWithError("no server");
  Channel channel = way == kUnixSocket ? *Connect(address) : (*server)->InProcessChannel();
  if (way == kInProcess) channel.local = nullptr;
  const Client<EchoService> client(channel);
  loop.Run(Caller(client, 100));

  std::int64_t done = 0;
  const double cpu = CpuSeconds();
  const auto start = std::chrono::steady_clock::now();
  for (auto _ : state) {
    std::vector<std::future<void>> callers;
    for (int i = 0; i < in_flight; ++i) {
      callers.push_back(asio::co_spawn(loop.executor(), Caller(client, calls), asio::use_future));
    }
    for (auto& caller : callers) caller.get();
    done += calls * in_flight;
  }
  const double wall = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  state.counters["cpu_us"] = (CpuSeconds() - cpu) * 1e6 / static_cast<double>(done);
  state.counters["latency_us"] = wall * 1e6 / static_cast<double>(done) * in_flight;
  state.counters["calls/s"] = static_cast<double>(done) / wall;
}

BENCHMARK(UnaryCall)
    ->ArgNames({"way", "in_flight"})
    ->Args({kLocal, 1})
    ->Args({kLocal, 16})
    ->Args({kInProcess, 1})
    ->Args({kInProcess, 16})
    ->Args({kUnixSocket, 1})
    ->Args({kUnixSocket, 16})
    ->UseRealTime();

}  // namespace
}  // namespace medidesk::rpc::testing

BENCHMARK_MAIN();
