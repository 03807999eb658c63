// bench_load: callers of the webhook. Each waits for its answer before it asks again.
//
//   bench_load --url http://127.0.0.1:8080/functions/v1/whatsapp-webhook --callers 16 --duration 5s --run a1
//
// One thread, one keep-alive connection a caller. Phones rotate, message ids are distinct within and
// across runs of different --run. Prints one JSON object: requests, rps, p50_ms, p90_ms, p99_ms,
// max_ms, errors, first_error. An error is anything but a 200 with a non-empty "response"; it is in no
// other figure. Exit code 0 when at least one answer was good, 1 otherwise.
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/message.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/string_body.hpp>
#include <boost/url/parse.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <iostream>
#include <string>
#include <vector>

#include "base/flags.h"

namespace medidesk::bench {
namespace {

namespace asio = boost::asio;
namespace http = boost::beast::http;
using asio::ip::tcp;
using Clock = std::chrono::steady_clock;

constexpr auto kToken = asio::as_tuple(asio::use_awaitable);

// What a patient might ask; none is an emergency or a wish for a person.
constexpr std::array<std::string_view, 8> kQuestions = {
    "What are your visiting hours?",           "Do you have parking, and what does it cost?",
    "Which insurance plans do you accept?",    "Where is the radiology department, please?",
    "On which days is the eye clinic open?",   "Can I get my blood test report by email?",
    "How early should I come for a check-up?", "Is there a pharmacy in the hospital that is open on Sundays?",
};

struct Options {
  std::string url, run = "run", key;
  int callers = 1, phones = 200;
  std::chrono::milliseconds duration{5000};
};

struct Target {
  tcp::endpoint endpoint;
  std::string head;  // request line and headers up to the length's value
};

struct Totals {
  std::uint64_t next = 0;                // number of the next request
  std::vector<std::uint32_t> latencies;  // microseconds, of good answers
  std::uint64_t errors = 0;
  std::string first_error;
};

absl::StatusOr<Target> ReadTarget(const Options& options) {
  const auto url = boost::urls::parse_uri(options.url);
  boost::system::error_code error;
  if (!url || url->scheme() != "http")
    return Error(absl::StatusCode::kInvalidArgument, "--url: expected http://ADDRESS:PORT/PATH");
  const auto address = asio::ip::make_address(std::string(url->encoded_host()), error);
  if (error || url->port_number() == 0) {
    return Error(absl::StatusCode::kInvalidArgument, "--url: expected a numeric IPv4 address and a port");
  }
  Target target{.endpoint = {address, url->port_number()}, .head = {}};
  target.head = fmt::format("POST {} HTTP/1.1\r\nhost: {}\r\ncontent-type: application/json\r\n{}content-length: ",
                            std::string(url->encoded_path()), std::string(url->encoded_host_and_port()),
                            options.key.empty() ? "" : fmt::format("apikey: {}\r\n", options.key));
  return target;
}

std::string RequestFor(const Target& target, const Options& options, std::uint64_t number) {
  const std::string body = fmt::format(R"({{"phone":"+1555{:07}","message":"{}","messageId":"bench-{}-{}"}})",
                                       number % static_cast<std::uint64_t>(options.phones),
                                       kQuestions[number % kQuestions.size()], options.run, number);
  return fmt::format("{}{}\r\n\r\n{}", target.head, body.size(), body);
}

// True when the JSON object has a member "response" that is a non-empty string.
bool HasResponse(std::string_view body) {
  constexpr std::string_view kName = "\"response\"";
  const std::size_t at = body.find(kName);
  if (at == std::string_view::npos) return false;
  body.remove_prefix(at + kName.size());
  const auto skip_to = [&](char expected) {
    body.remove_prefix(std::min(body.find_first_not_of(" \t\r\n"), body.size()));
    if (body.empty() || body.front() != expected) return false;
    body.remove_prefix(1);
    return true;
  };
  return skip_to(':') && skip_to('"') && !body.empty() && body.front() != '"';
}

// One caller: until `end`, or until its connection is lost for good.
asio::awaitable<void> Call(const Target& target, const Options& options, Totals& totals, Clock::time_point end) {
  const auto fail = [&](std::string why) {
    if (totals.errors++ == 0) totals.first_error = std::move(why);
  };
  tcp::socket socket(co_await asio::this_coro::executor);
  const auto [refused] = co_await socket.async_connect(target.endpoint, kToken);
  if (refused) {
    fail("no connection");
    co_return;
  }
  boost::system::error_code ignored;
  socket.set_option(tcp::no_delay(true), ignored);
  boost::beast::flat_buffer buffer;
  while (Clock::now() < end) {
    const std::string request = RequestFor(target, options, totals.next++);
    const auto start = Clock::now();
    const auto [unsent, written] = co_await asio::async_write(socket, asio::buffer(request), kToken);
    http::response_parser<http::string_body> parser;
    parser.body_limit(1u << 20);
    if (!unsent) {
      const auto [cut, bytes] = co_await http::async_read(socket, buffer, parser, kToken);
      if (!cut) {
        const auto spent = std::chrono::duration_cast<std::chrono::microseconds>(Clock::now() - start).count();
        const auto& answer = parser.get();
        if (answer.result_int() != 200) {
          fail(fmt::format("status {}", answer.result_int()));
        } else if (!HasResponse(answer.body())) {
          fail("200 without a response");
        } else {
          totals.latencies.push_back(static_cast<std::uint32_t>(std::min<std::int64_t>(spent, UINT32_MAX)));
        }
        if (answer.keep_alive()) continue;
      }
    }
    // A server may close a connection; the caller goes on with a new one.
    if (unsent || !parser.is_done()) fail("connection lost");
    socket = tcp::socket(socket.get_executor());
    buffer.clear();
    const auto [gone] = co_await socket.async_connect(target.endpoint, kToken);
    if (gone) co_return;
    socket.set_option(tcp::no_delay(true), ignored);
  }
}

// `sorted` not empty; nearest rank, in milliseconds.
double Percentile(const std::vector<std::uint32_t>& sorted, double percent) {
  const auto rank = static_cast<std::size_t>(std::ceil(percent / 100 * static_cast<double>(sorted.size())));
  return static_cast<double>(sorted[std::max<std::size_t>(rank, 1) - 1]) / 1000;
}

absl::StatusOr<bool> Run(int argc, char** argv) {
  Options options;
  FlagSet flags("bench_load", "Calls the webhook in a closed loop and prints what it measured.");
  flags.Add("url", &options.url, "the webhook: http://ADDRESS:PORT/PATH");
  flags.Add("callers", &options.callers, "callers at a time", {.min = 1, .max = 1000});
  flags.Add("duration", &options.duration, "how long");
  flags.Add("phones", &options.phones, "patients, who take turns", {.min = 1, .max = 1'000'000});
  flags.Add("run", &options.run, "letters and digits that make this run's message ids its own");
  flags.Add("key", &options.key, "sent as apikey");
  MD_RETURN_IF_ERROR(flags.Parse(argc, argv));
  if (flags.help_wanted()) {
    std::cout << flags.Help();
    return true;
  }
  MD_ASSIGN_OR_RETURN(const Target target, ReadTarget(options));

  asio::io_context io(1);
  Totals totals;
  totals.latencies.reserve(1u << 18);
  const auto start = Clock::now();
  for (int i = 0; i < options.callers; ++i) {
    asio::co_spawn(io, Call(target, options, totals, start + options.duration), asio::detached);
  }
  io.run();
  const double seconds = std::chrono::duration<double>(Clock::now() - start).count();

  auto& latencies = totals.latencies;
  std::sort(latencies.begin(), latencies.end());
  const auto at = [&](double percent) { return latencies.empty() ? 0.0 : Percentile(latencies, percent); };
  fmt::print(R"({{"callers":{},"seconds":{:.3f},"requests":{},"rps":{:.1f},"p50_ms":{:.3f},"p90_ms":{:.3f},)"
             R"("p99_ms":{:.3f},"max_ms":{:.3f},"errors":{},"first_error":"{}"}})"
             "\n",
             options.callers, seconds, latencies.size(), static_cast<double>(latencies.size()) / seconds, at(50),
             at(90), at(99), at(100), totals.errors, totals.first_error);
  return !latencies.empty();
}

}  // namespace
}  // namespace medidesk::bench

int main(int argc, char** argv) {
  const auto good = medidesk::bench::Run(argc, argv);
  if (good.ok()) return *good ? 0 : 1;
  std::cerr << "bench_load: " << medidesk::Text(good.status()) << '\n';
  return 2;
}
