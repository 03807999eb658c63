// wa_patients: patients who write to the hospital over WhatsApp's simulator, and time its answers.
//
//   wa_patients --sim http://127.0.0.1:PORT --to 100000000001@lid --patients 40
//
// Links all of them, prints {"linked":40}, and then measures once for every line of standard input, a JSON object:
//
//   {"first":0,"patients":20,"seconds":10}                 closed loop: each writes again when its answer has come
//   {"first":20,"patients":20,"seconds":10,"rate":50}      so many messages a second, the patients taking turns
//   "messages":N ends either after N messages; at most 10 s later, what is not answered then is an error.
//
// An answer is a text that brings a message's token back, decrypted; a latency runs from the moment when the message
// was due. Prints one JSON object a line: patients, seconds, messages, round_trips, per_second, p50_ms, p90_ms, p99_ms,
// max_ms, repeated (answers that came again), errors, first_error, cpu_seconds (our own). One thread. Ends with 0 when
// its input ends, with 2 when it cannot begin.
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/streambuf.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/string_body.hpp>
#include <boost/beast/http/write.hpp>
#include <boost/json.hpp>
#include <boost/url/parse.hpp>
#include <fmt/format.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <iostream>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/flags.h"
#include "tests/bench/patient.h"

namespace medidesk::bench {
namespace {

namespace asio = boost::asio;
namespace http = boost::beast::http;
namespace json = boost::json;
namespace net = gateway::net;
namespace wa = gateway::wa;
using asio::ip::tcp;
using Clock = std::chrono::steady_clock;

constexpr int kLinksAtATime = 8;
constexpr std::chrono::seconds kLinkLimit{120}, kDrainLimit{10};

// What a patient might ask; none is an emergency or a wish for a person.
constexpr std::array<std::string_view, 4> kQuestions = {
    "What are your visiting hours?", "Do you have parking, and what does it cost?",
    "Which insurance plans do you accept?", "On which days is the eye clinic open?"};

std::string String(const json::object& object, std::string_view name) {
  const json::value* value = object.if_contains(json::string_view(name.data(), name.size()));
  return value != nullptr && value->is_string() ? std::string(value->as_string()) : std::string();
}

double Number(const json::object& object, std::string_view name) {
  const json::value* value = object.if_contains(json::string_view(name.data(), name.size()));
  boost::system::error_code error;
  const double number = value != nullptr ? value->to_number<double>(error) : 0;
  return error ? 0 : number;
}

double CpuSeconds() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

std::optional<wa::Key32> KeyFromHex(std::string_view hex) {
  wa::Key32 key{};
  if (hex.size() != 2 * key.size() || hex.find_first_not_of("0123456789abcdefABCDEF") != hex.npos) return std::nullopt;
  for (std::size_t i = 0; i < key.size(); ++i) {
    key[i] = static_cast<std::uint8_t>(std::stoi(std::string(hex.substr(2 * i, 2)), nullptr, 16));
  }
  return key;
}

// The simulator's control plane; each call waits for its answer.
class Simulator {
 public:
  explicit Simulator(tcp::endpoint endpoint) : endpoint_(std::move(endpoint)) {}

  absl::StatusOr<json::object> Call(http::verb method, const std::string& target, const json::object& body) const {
    boost::system::error_code error;
    asio::io_context io;
    tcp::socket socket(io);
    http::request<http::string_body> request(method, target, 11);
    request.set(http::field::host, "127.0.0.1");
    request.set(http::field::connection, "close");
    request.body() = method == http::verb::get ? "" : json::serialize(body);
    request.prepare_payload();
    boost::beast::flat_buffer buffer;
    http::response<http::string_body> answer;
    socket.connect(endpoint_, error);
    if (!error) http::write(socket, request, error);
    if (!error) http::read(socket, buffer, answer, error);
    const json::value value = error ? json::value() : json::parse(answer.body(), error);
    if (error || answer.result_int() != 200 || !value.is_object()) {
      return Error(absl::StatusCode::kUnavailable, "the simulator did not answer " + target + " as it should");
    }
    return value.as_object();
  }

 private:
  tcp::endpoint endpoint_;
};

struct Measurement {
  std::size_t first = 0, patients = 1;
  double seconds = 5, rate = 0;  // rate 0: a closed loop
  std::uint64_t messages = 0;    // 0: no limit but the time
};

class Load {
 public:
  Load(asio::io_context& io, Simulator simulator) : io_(io), simulator_(std::move(simulator)), timer_(io) {}

  // Links so many; UNAVAILABLE when not all of them are in time.
  asio::awaitable<absl::Status> Link(Patient::Options common, std::size_t count) {
    for (std::size_t i = 0; i < count; ++i) {
      const auto phone = simulator_.Call(http::verb::post, "/phones", {{"name", "Patient"}});
      if (!phone.ok()) co_return phone.status();
      Patient::Options options = common;
      options.scan = [this, digits = String(*phone, "phone")](const std::string& qr) {
        const json::object scan{{"phone", digits}, {"qr", qr}};
        if (!simulator_.Call(http::verb::post, "/scan", scan).ok()) Trouble("a phone could not scan");
      };
      options.on_ready = [this] { ++ready_, timer_.cancel(); };
      options.on_text = [this, i](const std::string& text) { OnText(i, text); };
      options.on_trouble = [this](std::string why) { Trouble(std::move(why)); };
      people_.push_back({.patient = std::make_shared<Patient>(io_, std::move(options))});
    }
    const auto end = Clock::now() + kLinkLimit;
    for (std::size_t begun = 0; ready_ < count;) {
      while (begun < count && begun < ready_ + kLinksAtATime) people_[begun++].patient->Link();
      co_await WaitUntil(end);
      if (Clock::now() >= end || errors_ > 0) {
        co_return Error(absl::StatusCode::kUnavailable,
                        fmt::format("{} of {} patients are linked; {}", ready_, count, first_error_));
      }
    }
    co_return absl::OkStatus();
  }

  asio::awaitable<json::object> Measure(const Measurement wanted) {
    run_ = wanted;
    sent_ = answered_ = repeated_ = errors_ = 0;
    first_error_.clear();
    latencies_.clear();
    const double cpu = CpuSeconds();
    const auto start = Clock::now();
    end_ = start + std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(wanted.seconds));
    measuring_ = true;
    if (wanted.rate > 0) {
      for (; MayWrite(); ++next_) {
        const auto due = start + std::chrono::duration_cast<Clock::duration>(
                                     std::chrono::duration<double>(static_cast<double>(sent_) / wanted.rate));
        while (Clock::now() < due) co_await WaitUntil(due);
        Write(wanted.first + next_ % wanted.patients, due);
      }
    } else {
      for (std::size_t i = 0; i < wanted.patients && MayWrite(); ++i) Write(wanted.first + i, Clock::now());
      while (MayWrite()) co_await WaitUntil(end_);
    }
    measuring_ = false;
    const double seconds = std::chrono::duration<double>(Clock::now() - start).count();
    const std::size_t in_time = latencies_.size();
    const auto limit = Clock::now() + kDrainLimit;
    while (answered_ < sent_ && Clock::now() < limit) co_await WaitUntil(limit);
    for (Person& person : people_) {
      for (std::size_t i = 0; i < person.waiting.size(); ++i) Trouble("a message was not answered");
      person.waiting.clear();
    }
    co_return Report(wanted, seconds, in_time, CpuSeconds() - cpu);
  }

  asio::awaitable<void> Stop() {
    for (Person& person : people_) co_await person.patient->Stop();
  }

 private:
  struct Person {
    std::shared_ptr<Patient> patient;
    std::map<std::string, Clock::time_point> waiting = {};  // token -> when its message was due
    std::uint64_t written = 0;
  };

  bool MayWrite() const {
    return Clock::now() < end_ && (run_.messages == 0 || sent_ < run_.messages) && errors_ < 100;
  }

  void Write(std::size_t index, Clock::time_point due) {
    Person& person = people_[index];
    const std::uint64_t number = person.written++;
    const std::string token = fmt::format("t{}x{}e", index, number);
    person.waiting.emplace(token, due);
    ++sent_;
    person.patient->Write(fmt::format("{} ({})", kQuestions[number % kQuestions.size()], token));
  }

  void OnText(std::size_t index, const std::string& text) {
    Person& person = people_[index];
    const auto now = Clock::now();
    std::size_t found = 0;
    for (auto it = person.waiting.begin(); it != person.waiting.end();) {
      if (text.find(it->first) == text.npos) {
        ++it;
        continue;
      }
      latencies_.push_back(std::chrono::duration<double, std::milli>(now - it->second).count());
      it = person.waiting.erase(it);
      ++found;
    }
    answered_ += found;
    if (found == 0) ++repeated_;
    if (measuring_ && run_.rate == 0 && found > 0 && MayWrite()) Write(index, Clock::now());
    if (run_.rate == 0 || !measuring_) timer_.cancel();
  }

  void Trouble(std::string why) {
    if (errors_++ == 0) first_error_ = std::move(why);
    timer_.cancel();
  }

  // Until then, or until something has happened.
  asio::awaitable<void> WaitUntil(Clock::time_point time) {
    timer_.expires_at(time);
    boost::system::error_code woken;
    co_await timer_.async_wait(asio::redirect_error(asio::use_awaitable, woken));
  }

  json::object Report(const Measurement& wanted, double seconds, std::size_t in_time, double cpu) {
    std::sort(latencies_.begin(), latencies_.end());
    const auto at = [&](double percent) {  // nearest rank
      if (latencies_.empty()) return 0.0;
      const auto rank = static_cast<std::size_t>(std::ceil(percent / 100 * static_cast<double>(latencies_.size())));
      return std::round(latencies_[std::max<std::size_t>(rank, 1) - 1] * 1000) / 1000;
    };
    return {{"patients", wanted.patients},
            {"seconds", seconds},
            {"messages", sent_},
            {"round_trips", answered_},
            {"per_second", std::round(static_cast<double>(in_time) / seconds * 10) / 10},
            {"p50_ms", at(50)},
            {"p90_ms", at(90)},
            {"p99_ms", at(99)},
            {"max_ms", at(100)},
            {"repeated", repeated_},
            {"errors", errors_},
            {"first_error", json::string(first_error_.data(), first_error_.size())},
            {"cpu_seconds", cpu}};
  }

  asio::io_context& io_;
  const Simulator simulator_;
  asio::steady_timer timer_;
  std::vector<Person> people_;
  std::size_t ready_ = 0;

  Measurement run_;
  bool measuring_ = false;
  Clock::time_point end_{};
  std::uint64_t next_ = 0;  // whose turn it is at a fixed rate
  std::uint64_t sent_ = 0, answered_ = 0, repeated_ = 0, errors_ = 0;
  std::string first_error_;
  std::vector<double> latencies_;  // milliseconds
};

struct Options {
  std::string sim, to;
  int patients = 20;
};

absl::StatusOr<Measurement> ReadMeasurement(const std::string& line, std::size_t people) {
  boost::system::error_code error;
  const json::value value = json::parse(line, error);
  if (error || !value.is_object()) return Error(absl::StatusCode::kInvalidArgument, "a line is no JSON object");
  const json::object& object = value.as_object();
  Measurement wanted{.first = static_cast<std::size_t>(std::max(0.0, Number(object, "first"))),
                     .patients = static_cast<std::size_t>(std::max(0.0, Number(object, "patients"))),
                     .seconds = Number(object, "seconds"),
                     .rate = Number(object, "rate"),
                     .messages = static_cast<std::uint64_t>(std::max(0.0, Number(object, "messages")))};
  if (wanted.patients == 0 || wanted.first + wanted.patients > people || wanted.seconds <= 0 ||
      wanted.seconds > 36'000 || wanted.rate < 0 || wanted.rate > 100'000) {
    return Error(absl::StatusCode::kInvalidArgument, "patients, seconds or rate of a line are out of range");
  }
  return wanted;
}

// Linked, then a measurement for each line. Between them receipts and pings still go their way.
asio::awaitable<absl::Status> Serve(asio::io_context& io, Load& load, Patient::Options common, std::size_t count) {
  const absl::Status linked = co_await load.Link(std::move(common), count);
  if (!linked.ok()) co_return linked;
  std::cout << json::serialize(json::object{{"linked", count}}) << std::endl;
  asio::posix::stream_descriptor input(io, ::dup(STDIN_FILENO));
  asio::streambuf buffer;
  for (;;) {
    boost::system::error_code ended;
    co_await asio::async_read_until(input, buffer, '\n', asio::redirect_error(asio::use_awaitable, ended));
    if (ended) break;
    std::istream stream(&buffer);
    std::string line;
    std::getline(stream, line);
    const auto wanted = ReadMeasurement(line, count);
    if (!wanted.ok()) co_return wanted.status();
    const json::object report = co_await load.Measure(*wanted);
    std::cout << json::serialize(report) << std::endl;
  }
  co_await load.Stop();
  co_return absl::OkStatus();
}

absl::Status Run(int argc, char** argv) {
  Options options;
  FlagSet flags("wa_patients", "Plays patients on WhatsApp's simulator and prints how soon they are answered.");
  flags.Add("sim", &options.sim, "the simulator's control plane: http://ADDRESS:PORT");
  flags.Add("to", &options.to, "the hospital's WhatsApp address");
  flags.Add("patients", &options.patients, "how many are linked", {.min = 1, .max = 2000});
  MD_RETURN_IF_ERROR(flags.Parse(argc, argv));
  if (flags.help_wanted()) {
    std::cout << flags.Help();
    return absl::OkStatus();
  }
  const auto url = boost::urls::parse_uri(options.sim);
  boost::system::error_code error;
  const auto address = asio::ip::make_address(url ? std::string(url->encoded_host()) : "", error);
  const auto hospital = wa::Jid::Parse(options.to);
  if (!url || error) return Error(absl::StatusCode::kInvalidArgument, "--sim: expected http://ADDRESS:PORT");
  if (!hospital) return Error(absl::StatusCode::kInvalidArgument, "--to: expected DIGITS@lid or DIGITS@s.whatsapp.net");

  Simulator simulator({address, url->port_number()});
  MD_ASSIGN_OR_RETURN(const json::object about, simulator.Call(http::verb::get, "/", {}));
  const auto root_key = KeyFromHex(String(about, "root_key"));
  if (!root_key) return Error(absl::StatusCode::kUnavailable, "the simulator told no root key");
  MD_ASSIGN_OR_RETURN(net::WhatsAppServer server, net::WhatsAppServer::Make(String(about, "ws_url")));

  asio::io_context io(1);
  Load load(io, simulator);
  Patient::Options common{.server = std::move(server), .root_key = *root_key, .hospital = *hospital};
  absl::Status status;
  asio::co_spawn(io, Serve(io, load, std::move(common), static_cast<std::size_t>(options.patients)),
                 [&](const std::exception_ptr& thrown, const absl::Status& served) {
                   status = thrown ? Error(absl::StatusCode::kInternal, "it ended unexpectedly") : served;
                   io.stop();
                 });
  io.run();
  return status;
}

}  // namespace
}  // namespace medidesk::bench

int main(int argc, char** argv) {
  const absl::Status status = medidesk::bench::Run(argc, argv);
  if (status.ok()) return 0;
  std::cerr << "wa_patients: " << medidesk::Text(status) << '\n';
  return 2;
}
