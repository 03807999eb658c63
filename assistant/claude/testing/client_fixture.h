// A client against a scripted peer, with sleeps that take no time.
#pragma once

#include <boost/asio/io_context.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <prometheus/registry.h>

#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "assistant/claude/client.h"
#include "assistant/claude/testing/bodies.h"
#include "assistant/claude/testing/run.h"
#include "assistant/claude/testing/scripted_peer.h"

namespace medidesk::assistant::claude::testing {

inline constexpr char kPrimary[] = "claude-haiku-5-5";
inline constexpr char kFallback[] = "claude-sonnet-5-5";

class ClientTest : public ::testing::Test {
 protected:
  ClientTest() {
    options_.api_key = ApiKey("sk-ant-test");
    options_.base_url = peer_.base_url();
    options_.timing = time_.Make();
  }
  ~ClientTest() override {
    // No coroutine may be left that knows the client.
    client_.reset();
  }

  Client& client() {
    if (client_ == nullptr) {
      auto made = MakeClient(io_.get_executor(), options_, metrics_);
      if (!made.ok()) std::abort();
      client_ = *std::move(made);
    }
    return *client_;
  }
  Deadline In(std::chrono::milliseconds time) { return options_.timing.now() + time; }
  Deadline Plenty() { return In(std::chrono::seconds(25)); }

  absl::StatusOr<Result> Ask(Request request) { return Await(io_, client().Ask(std::move(request), Plenty())); }
  absl::StatusOr<Result> Ask() { return Ask(Question()); }
  absl::StatusOr<Result> Stream() {
    OnText on_text = [this](std::string_view text) -> boost::asio::awaitable<absl::Status> {
      heard_.emplace_back(text);
      co_return absl::OkStatus();
    };
    return Await(io_, client().Stream(Question(), Plenty(), std::move(on_text)));
  }
  static Request Question() {
    Request request;
    SystemBlock system;
    system.text = "You are the front desk.";
    request.system.push_back(std::move(system));
    request.messages.push_back(UserText("Can I see a doctor?"));
    return request;
  }

  void Answer(std::string_view text) { peer_.Enqueue(JsonReply(200, TextBody(text), {{"request-id", "req_1"}})); }
  void Fail(int status, std::string_view type, const ExtraHeaders& headers = {}, std::string_view code = {}) {
    peer_.Enqueue(JsonReply(status, ErrorBody(type, code), headers));
  }
  // The model each request named, in order.
  std::vector<std::string> Asked() const {
    std::vector<std::string> models;
    for (const auto& seen : peer_.requests()) {
      const std::size_t start = seen.body.find(R"("model":")") + 9;
      models.push_back(seen.body.substr(start, seen.body.find('"', start) - start));
    }
    return models;
  }
  // A counter's value or a histogram's count; -1 when there is no such series.
  double Metric(const std::string& name, const std::map<std::string, std::string>& labels) {
    for (const auto& family : registry_.Collect()) {
      if (family.name != name) continue;
      for (const auto& metric : family.metric) {
        std::map<std::string, std::string> found;
        for (const auto& label : metric.label) found[label.name] = label.value;
        if (found != labels) continue;
        return family.type == prometheus::MetricType::Histogram ? static_cast<double>(metric.histogram.sample_count)
                                                                : metric.counter.value;
      }
    }
    return -1;
  }

  boost::asio::io_context io_{1};
  ScriptedPeer peer_{io_};
  FakeTime time_;
  prometheus::Registry registry_;
  Metrics metrics_{registry_, kPrimary, kFallback};
  ClientOptions options_;
  std::unique_ptr<Client> client_;
  std::vector<std::string> heard_;
};

}  // namespace medidesk::assistant::claude::testing
