#include "assistant/claude/attempt.h"

#include <boost/beast/core/string.hpp>

#include <optional>
#include <utility>

#include "assistant/claude/sse_parser.h"
#include "assistant/claude/stream_accumulator.h"

namespace medidesk::assistant::claude {

namespace asio = boost::asio;

Api::Api(std::unique_ptr<ConnectionPool> pool, ApiKey key, Timing timing)
    : pool_(std::move(pool)), key_(std::move(key)), timing_(std::move(timing)) {}

HttpRequest Api::Build(std::string method, std::string target, std::string body) const {
  HttpRequest request;
  request.method = std::move(method);
  request.target = std::move(target);
  request.headers.Add("x-api-key", key_.Expose());
  request.headers.Add("anthropic-version", "2026-10-21");
  request.headers.Add("content-type", "application/json");
  request.headers.Add("accept", "application/json");
  request.headers.Add("user-agent", "medidesk/0.1");
  request.body = std::move(body);
  return request;
}

asio::awaitable<Attempt> Api::Post(std::string body, Deadline deadline, TextSink* sink) {
  Attempt out;
  HttpRequest request = Build("POST", "/v1/messages", std::move(body));
  absl::StatusOr<ConnectionPool::Answer> answer = co_await pool_->Send(std::move(request), deadline);
  if (!answer.ok()) {
    out.verdict = ClassifyTransport(answer.status());
    co_return out;
  }
  out.status = answer->head.status;
  out.request_id = SafeId(answer->head.headers.Find("request-id"));

  if (out.status != 200) {
    const absl::StatusOr<std::string> text = co_await answer->ReadAll(deadline);
    if (text.ok()) out.error = ParseError(*text);
    if (out.request_id.empty()) out.request_id = out.error.request_id;
    out.verdict = Classify(answer->head, out.error, timing_.wall());
    co_return out;
  }
  if (sink != nullptr) {
    co_await ReadStream(*answer, deadline, *sink, out);
    co_return out;
  }
  const absl::StatusOr<std::string> text = co_await answer->ReadAll(deadline);
  if (!text.ok()) {
    out.verdict = ClassifyTransport(text.status());
    co_return out;
  }
  absl::StatusOr<Response> response = ParseResponse(*text);
  if (response.ok()) {
    out.response = *std::move(response);
  } else {
    out.verdict = ClassifyTransport(response.status());
  }
  co_return out;
}

asio::awaitable<void> Api::ReadStream(ConnectionPool::Answer& answer, Deadline deadline, TextSink& sink, Attempt& out) {
  const std::string_view type = answer.head.headers.Find("content-type");
  if (!boost::beast::iequals(type.substr(0, type.find(';')), "text/event-stream")) {
    out.verdict = ClassifyTransport(Error(absl::StatusCode::kInternal, "not an event stream"));
    co_return;
  }
  SseParser parser;
  StreamAccumulator accumulator;
  // What was used is paid for, whatever becomes of the answer.
  struct KeepUsage {
    const StreamAccumulator& from;
    Attempt& to;
    ~KeepUsage() { to.response.usage = from.usage(); }
  } const keep{accumulator, out};
  while (!accumulator.done()) {
    const absl::StatusOr<std::string> bytes = co_await answer.ReadSome(sink.passed ? sink.after_text : deadline);
    if (!bytes.ok()) {
      out.verdict = ClassifyTransport(bytes.status());
      co_return;
    }
    if (bytes->empty()) break;  // Finish() says that the stream is cut
    const bool fits = parser.Feed(*bytes).ok();
    while (std::optional<SseEvent> event = parser.Next()) {
      absl::StatusOr<StreamAccumulator::Step> step = accumulator.Add(*event);
      if (!step.ok()) {
        out.verdict = ClassifyTransport(step.status());
        co_return;
      }
      if (step->error) {
        out.error = std::move(*step->error);
        out.verdict = ClassifyStreamError(out.error);
        co_return;
      }
      if (step->text.empty()) continue;
      sink.passed = true;
      absl::Status taken = co_await sink.on_text(step->text);
      if (!taken.ok()) {
        out.refused_by_caller = std::move(taken);
        out.verdict.trouble = Trouble::kCancelled;
        co_return;
      }
    }
    if (!fits) {
      out.verdict = ClassifyTransport(Error(absl::StatusCode::kInternal, "an event above its size limit"));
      co_return;
    }
  }
  absl::StatusOr<Response> response = accumulator.Finish();
  if (!response.ok()) {
    out.verdict = ClassifyTransport(response.status());
    if (!accumulator.done()) out.verdict.trouble = Trouble::kConnection;
    co_return;
  }
  out.response = *std::move(response);
  // The end of the body follows at once; having read it the connection can be used again.
  const Deadline rest = std::min(sink.after_text, timing_.now() + std::chrono::milliseconds(200));
  const absl::StatusOr<std::string> end = co_await answer.ReadSome(rest);
  static_cast<void>(end.ok());  // without it the connection is closed, and that is all
}

asio::awaitable<absl::StatusOr<std::string>> Api::Get(std::string target, Deadline deadline) {
  HttpRequest request = Build("GET", std::move(target), "");
  absl::StatusOr<ConnectionPool::Answer> answer = co_await pool_->Send(std::move(request), deadline);
  if (!answer.ok()) co_return std::move(answer).status();
  absl::StatusOr<std::string> body = co_await answer->ReadAll(deadline);
  if (!body.ok()) co_return body;
  if (answer->head.status == 404) co_return Error(absl::StatusCode::kNotFound, "the Claude API does not know it");
  if (answer->head.status != 200)
    co_return Error(absl::StatusCode::kUnavailable, "the Claude API did not answer with 200");
  co_return body;
}

}  // namespace medidesk::assistant::claude
