// A stand-in for the Claude Messages API on the loopback interface. A test tool: no production
// target links it.
//
//   auto stub = *ClaudeStub::Start({});
//   stub->QueueText("We open at nine.");
//   stub->Inject({.mode = Fault::Mode::kHttp, .status = 529});
//   ... a client on stub->url() ...
//   stub->WaitForRequests(2, 5s);
//   stub->Requests().back()->Header("x-api-key");
//
// Without anything queued it answers "stub: <last user text>". The same can be steered over HTTP, see
// control.h. Every method is thread-safe. Destruction closes all connections and joins the threads.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "base/status.h"
#include "tests/sim/claude/api.h"
#include "tests/sim/claude/stub_state.h"
#include "tests/sim/claude/types.h"

namespace medidesk::claude_stub {

class ClaudeStub {
 public:
  struct Options {
    int port = 0;  // 0: any free one
    int threads = 1;
    std::chrono::milliseconds latency{0};  // before the first byte of every message
    std::vector<std::string> models{};     // empty: DefaultModels()
    bool keep_bodies = true;               // in the log of requests
  };

  // UNAVAILABLE when the port cannot be opened.
  static absl::StatusOr<std::unique_ptr<ClaudeStub>> Start(Options options);
  ~ClaudeStub();
  ClaudeStub(const ClaudeStub&) = delete;
  ClaudeStub& operator=(const ClaudeStub&) = delete;

  int port() const;
  std::string url() const;  // "http://127.0.0.1:<port>"

  // For the next answer of POST /v1/messages, first in, first out. RESOURCE_EXHAUSTED: 10,000 wait.
  absl::Status QueueReply(Reply reply);
  absl::Status QueueText(std::string_view text);
  // For the next `times` requests on its path.
  absl::Status Inject(Fault fault);
  // The same from JSON, as the control plane reads it.
  absl::Status QueueReplyJson(std::string_view json);
  absl::Status InjectJson(std::string_view json);
  absl::Status LoadScriptJson(std::string_view json);
  void SetScript(Script script);
  // Clears faults, replies and log. The script stays.
  void Reset();

  // The last 1,000, in order of arrival; faulty ones and ones that met a fault included.
  std::vector<std::shared_ptr<const Request>> Requests() const;
  // Since the start or Reset().
  std::uint64_t request_count() const;
  // False when `timeout` passed before there were `count` requests.
  bool WaitForRequests(std::uint64_t count, std::chrono::milliseconds timeout) const;

 private:
  class Server;
  explicit ClaudeStub(std::unique_ptr<Server> server);
  std::unique_ptr<Server> server_;
};

}  // namespace medidesk::claude_stub
