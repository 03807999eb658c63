#include "admin/api/webhook.h"

#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <exception>

#include "admin/api/webhook_request.h"
#include "base/log.h"

namespace medidesk::admin {

namespace asio = boost::asio;

namespace {

constexpr std::string_view kFunctions = "/functions/v1/";

std::string SuccessBody(const ReplyResult& result, const std::string& message_id) {
  std::string body = R"({"success":true,"response":)";
  if (result.response) {
    http::AppendJsonString(body, result.response->Expose());
  } else {
    body += "null";
  }
  body += R"(,"conversationId":)";
  http::AppendJsonString(body, result.conversation_id);
  if (const std::string& id = result.message_id.empty() ? message_id : result.message_id; !id.empty()) {
    body += R"(,"messageId":)";
    http::AppendJsonString(body, id);
  }
  body += R"(,"status":)";
  http::AppendJsonString(body, result.status);
  body += result.duplicate ? R"(,"duplicate":true})" : R"(,"duplicate":false})";
  return body;
}

TraceContext TraceOf(const http::Request& request) {
  std::optional<TraceContext> sent = TraceContext::Parse(request.Find("traceparent"));
  return sent ? *std::move(sent) : TraceContext::New();
}

}  // namespace

bool IsWebhookPath(std::string_view path) {
  if (path.ends_with('/')) path.remove_suffix(1);
  return path == "/functions/v1/whatsapp-webhook" || path == "/whatsapp-webhook";
}

Webhook::Webhook(const WebhookCredentials& credentials, ReplyBackend& backend, Options options)
    : credentials_(credentials),
      backend_(backend),
      options_(std::move(options)),
      cors_(options_.allowed_origins),
      per_address_(options_.per_address),
      per_credential_(options_.per_credential),
      per_phone_(options_.per_phone) {}

void Webhook::AddRoutes(http::Router& router) {
  const http::Handler post = [this](http::Request& request) { return Post(request); };
  const http::Handler preflight = [this](http::Request&) -> asio::awaitable<http::Response> {
    co_return cors_.Preflight();
  };
  const http::Handler unknown = [](http::Request& request) -> asio::awaitable<http::Response> {
    co_return http::ErrorResponse(request, 404, "NOT_FOUND", "There is no function of this name.");
  };
  for (const char* path : {"/functions/v1/whatsapp-webhook", "/functions/v1/whatsapp-webhook/", "/whatsapp-webhook",
                           "/whatsapp-webhook/"}) {
    router.Add("POST", path, post);
    router.Add("OPTIONS", path, preflight, {.counts = false});
  }
  // A browser only gets to see the 404 when the preflight passes.
  router.Add("OPTIONS", "/functions/v1/*", preflight, {.counts = false});
  router.Add("*", "/functions/v1/*", unknown, {.counts = false});
}

void Webhook::Decorate(const http::Request& request, http::Response& response) const {
  // An empty target: the request could not be read, and may have been meant for us.
  if (request.target.empty() || request.path().starts_with(kFunctions) || IsWebhookPath(request.path())) {
    cors_.Decorate(request, response);
  }
}

void Webhook::Count(AdminMetrics::Limit limit) const {
  if (metrics_ != nullptr) metrics_->OnRejected(limit);
}

asio::awaitable<http::Response> Webhook::Post(http::Request& request) {
  const auto now = options_.now();
  const auto limited = [&request](const RateLimiter::Decision& decision) {
    return http::RetryLater(request, 429, "RATE_LIMITED", "Too many requests. Please try again later.",
                            decision.retry_after);
  };
  if (per_address_.limits() && !request.from_loopback()) {
    if (const auto decision = per_address_.Take(AddressKey(request.peer), now); !decision.allowed) {
      Count(AdminMetrics::Limit::kAddress);
      http::Response response = limited(decision);
      response.pause = kRefusedAddressPause;
      co_return response;
    }
  }
  const auto caller = credentials_.Check(request.Find("authorization"), request.Find("apikey"), options_.system_now());
  if (!caller.ok()) {
    http::Response response = http::ErrorResponse(request, 401, "UNAUTHORIZED", Text(caller.status()));
    response.Add("www-authenticate", "Bearer");
    co_return response;
  }
  if (!credentials_.open()) {
    if (const auto decision = per_credential_.Take(caller->id, now); !decision.allowed) {
      Count(AdminMetrics::Limit::kCredential);
      co_return limited(decision);
    }
  }
  auto parsed = ParseWebhookRequest(request.Find("content-type"), request.body);
  if (const WebhookError* error = std::get_if<WebhookError>(&parsed)) {
    co_return http::ErrorResponse(request, error->status, error->code, error->text);
  }
  WebhookMessage& message = std::get<WebhookMessage>(parsed);
  if (const auto decision = per_phone_.Take(message.phone.E164(), now); !decision.allowed) {
    Count(AdminMetrics::Limit::kPhone);
    co_return limited(decision);
  }
  std::string().swap(request.body);  // not needed while the answer is made

  const std::string message_id = message.message_id;
  ReplyCall call{.phone = std::move(message.phone),
                 .text = std::move(message.text),
                 .message_id = std::move(message.message_id),
                 .timestamp = message.timestamp,
                 .trace = TraceOf(request),
                 .deadline = std::chrono::steady_clock::now() + options_.budget};
  const std::string trace = call.trace.trace_id;
  const auto start = std::chrono::steady_clock::now();
  const absl::StatusOr<ReplyResult> result = co_await CallWithinBudget(std::move(call));
  const absl::StatusCode code = result.status().code();
  if (code == absl::StatusCode::kDeadlineExceeded && metrics_ != nullptr) metrics_->OnWebhookTimeout();
  http::Response response =
      result.ok() ? http::JsonResponse(200, SuccessBody(*result, message_id)) : Failed(request, result.status());
  const auto took = std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now() - start);
  log::Info("webhook_answered", {{"request", log::Public(request.id)},
                                 {"code", response.status},
                                 {"ms", took.count()},
                                 {"trace", log::Public(trace)}});
  co_return response;
}

asio::awaitable<absl::StatusOr<ReplyResult>> Webhook::CallWithinBudget(ReplyCall call) {
  using asio::experimental::awaitable_operators::operator||;
  asio::steady_timer timer(co_await asio::this_coro::executor, call.deadline);
  // Named: temporaries inside a co_await expression are destroyed twice by this compiler.
  asio::awaitable<absl::StatusOr<ReplyResult>> reply = CallBackend(std::move(call));
  asio::awaitable<void> late = timer.async_wait(asio::use_awaitable);
  auto first = co_await (std::move(reply) || std::move(late));
  if (first.index() == 0) co_return std::get<0>(std::move(first));
  co_return Error(absl::StatusCode::kDeadlineExceeded, "no reply within the budget");
}

asio::awaitable<absl::StatusOr<ReplyResult>> Webhook::CallBackend(ReplyCall call) {
  try {
    co_return co_await backend_.Reply(std::move(call));
  } catch (const std::exception&) {
  }
  co_return Error(absl::StatusCode::kInternal, "the backend threw");
}

http::Response Webhook::Failed(const http::Request& request, const absl::Status& status) {
  using std::chrono::seconds;
  switch (status.code()) {
    case absl::StatusCode::kInvalidArgument:
      return http::ErrorResponse(request, 400, "INVALID_REQUEST", "The message cannot be taken.");
    case absl::StatusCode::kAborted:
      return http::RetryLater(request, 409, "IN_PROGRESS", "This message is being answered already.", seconds(1));
    case absl::StatusCode::kDeadlineExceeded:
      return http::RetryLater(request, 503, "TIMEOUT", "The answer took too long. Please try again.", seconds(1));
    case absl::StatusCode::kResourceExhausted:
      return http::RetryLater(request, 503, "OVERLOADED", "The service is busy. Please try again shortly.", seconds(1));
    case absl::StatusCode::kUnavailable:
    case absl::StatusCode::kCancelled:
      return http::RetryLater(request, 503, "UNAVAILABLE", "The service is not available. Please try again shortly.",
                              seconds(2));
    default:  // UNAUTHENTICATED too: that would be our own key between services, not the caller's
      log::Error("webhook_failed", {{"request", log::Public(request.id)}, {"status", static_cast<int>(status.code())}});
      return http::ErrorResponse(request, 500, "INTERNAL", "Something went wrong on our side.");
  }
}

}  // namespace medidesk::admin
