#include "admin/api/rest/rest_handler.h"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/use_future.hpp>
#include <boost/json.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "admin/api/rest/testing/fake_backend.h"
#include "base/rpc/error_details.h"
#include "base/uuid.h"
#include "medidesk/assistant/v1/assistant.pb.h"
#include "medidesk/store/v1/audit.pb.h"
#include "medidesk/store/v1/conversation.pb.h"
#include "medidesk/store/v1/knowledge.pb.h"
#include "medidesk/store/v1/patient.pb.h"
#include "medidesk/store/v1/task.pb.h"

namespace medidesk::admin::rest {
namespace {

namespace asio = boost::asio;
using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

class Sink final : public http::BodyWriter {
 public:
  asio::awaitable<bool> Write(std::string_view bytes) override {
    text += bytes;
    ++writes;
    co_return writes < fail_after;
  }
  std::string text;
  int writes = 0, fail_after = 1000;
};

class RestHandlerTest : public testing::Test {
 protected:
  RestHandlerTest() {
    store::v1::GetConversationResponse got;
    got.mutable_conversation()->set_id("c1");
    got.mutable_conversation()->set_etag("771");
    backend_.Answer("GetConversation", got);
  }

  http::Request Request(std::string method, std::string target, std::string body = "") {
    http::Request request;
    request.method = std::move(method);
    request.target = std::move(target);
    request.body = std::move(body);
    request.id = "r1";
    request.peer = asio::ip::make_address("203.0.113.9");
    request.headers = {{"host", "desk.example.org"}, {"authorization", "Bearer admin-token"}};
    if (!request.body.empty()) request.headers.push_back({"content-type", "application/json"});
    return request;
  }
  http::Response Handle(http::Request request) {
    auto answer = asio::co_spawn(io_, Handler().Handle(request), asio::use_future);
    auto work = asio::make_work_guard(io_);  // long JSON comes back from another thread
    io_.restart();
    while (answer.wait_for(0s) != std::future_status::ready) io_.run_one_for(1s);
    http::Response response = answer.get();
    Handler().Decorate(request, response);
    return response;
  }
  http::Response Ask(std::string method, std::string target, std::string body = "") {
    return Handle(Request(std::move(method), std::move(target), std::move(body)));
  }
  RestHandler& Handler() {
    if (handler_ == nullptr) handler_ = std::make_unique<RestHandler>(backend_, tokens_, options_);
    return *handler_;
  }
  static std::string Header(const http::Response& response, std::string_view name) {
    for (const auto& header : response.headers) {
      if (header.name == name) return header.value;
    }
    return "";
  }
  // The code of a google.rpc.Status.
  static int Code(const http::Response& response) {
    boost::json::error_code error;
    const auto value = boost::json::parse(response.body, error);
    return error ? -1 : static_cast<int>(value.as_object().at("code").as_int64());
  }
  static bool Send(const http::Response& response, Sink& sink) {
    asio::io_context io;
    auto done = asio::co_spawn(io, response.stream(sink), asio::use_future);
    io.run();
    return done.get();
  }

  asio::io_context io_;
  FakeBackend backend_;
  FakeTokens tokens_;
  RestHandler::Options options_;
  std::unique_ptr<RestHandler> handler_;
};

TEST_F(RestHandlerTest, AnswersWithTheMessageAndItsVersion) {
  const auto answer = Ask("GET", "/v1/conversations/c1");
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(answer.content_type, "application/json");
  EXPECT_THAT(answer.body, HasSubstr(R"("conversation":{"id":"c1")"));
  EXPECT_EQ(Header(answer, "etag"), "\"771\"");
  EXPECT_EQ(Header(answer, "cache-control"), "no-store");
  EXPECT_EQ(Header(answer, "access-control-allow-origin"), "");
}

TEST_F(RestHandlerTest, RecordsWhoReadsAConversationBeforeItIsShown) {
  Ask("GET", "/v1/conversations/c1");
  EXPECT_THAT(backend_.calls(), ElementsAre("GetConversation", "AppendReadEvent"));
  const auto events = backend_.Asked<store::v1::AppendReadEventRequest>("AppendReadEvent");
  ASSERT_EQ(events.size(), 1u);
  EXPECT_EQ(events[0].actor().kind(), store::v1::ACTOR_KIND_TOKEN);
  EXPECT_EQ(events[0].actor().id(), FakeTokens::kId);
  EXPECT_EQ(events[0].actor().address(), "203.0.113.9");
  EXPECT_EQ(events[0].resource(), store::v1::RESOURCE_KIND_CONVERSATION);
  EXPECT_THAT(events[0].resource_ids(), ElementsAre("c1"));
  EXPECT_TRUE(IsUuid(events[0].commit_id()));
}

TEST_F(RestHandlerTest, RecordsEachConversationOfAPageAndThatOfMessages) {
  store::v1::ListConversationsResponse page;
  page.add_conversations()->set_id("a");
  page.add_conversations()->set_id("b");
  backend_.Answer("ListConversations", page);
  EXPECT_EQ(Ask("GET", "/v1/conversations?pageSize=2").status, 200);
  EXPECT_EQ(Ask("GET", "/v1/conversations/c9/messages").status, 200);
  const auto events = backend_.Asked<store::v1::AppendReadEventRequest>("AppendReadEvent");
  ASSERT_EQ(events.size(), 2u);
  EXPECT_THAT(events[0].resource_ids(), ElementsAre("a", "b"));
  EXPECT_THAT(events[1].resource_ids(), ElementsAre("c9"));
}

TEST_F(RestHandlerTest, ShowsNothingWhoseReadingIsNotRecorded) {
  backend_.Fail("AppendReadEvent", absl::UnavailableError("database away"));
  const auto answer = Ask("GET", "/v1/conversations/c1");
  EXPECT_EQ(answer.status, 503);
  EXPECT_THAT(answer.body, Not(HasSubstr("c1")));
  EXPECT_EQ(Header(answer, "etag"), "");
  EXPECT_EQ(Header(answer, "retry-after"), "1");
}

TEST_F(RestHandlerTest, LeavesTheRecordToServicesThatKnowTheActor) {
  EXPECT_EQ(Ask("GET", "/v1/patients/p1").status, 200);
  EXPECT_THAT(backend_.calls(), ElementsAre("GetPatient"));
  EXPECT_EQ(backend_.Asked<store::v1::GetPatientRequest>("GetPatient")[0].actor().id(), FakeTokens::kId);
}

TEST_F(RestHandlerTest, WantsATokenWithTheScope) {
  http::Request request = Request("GET", "/v1/conversations/c1");
  request.headers = {{"host", "desk.example.org"}};
  auto answer = Handle(request);
  EXPECT_EQ(answer.status, 401);
  EXPECT_EQ(Code(answer), 16);
  EXPECT_EQ(Header(answer, "www-authenticate"), "Bearer");
  request.headers = {{"authorization", "Bearer wrong"}};
  EXPECT_EQ(Handle(request).status, 401);
  request.headers = {{"authorization", "Basic YTpi"}};
  EXPECT_EQ(Handle(request).status, 401);
  request.headers = {{"authorization", "Bearer reply-token"}};
  answer = Handle(request);
  EXPECT_EQ(answer.status, 403);
  EXPECT_EQ(Header(answer, "www-authenticate"), "Bearer error=\"insufficient_scope\", scope=\"read\"");
  request.headers = {{"authorization", "Bearer read-token"}};
  EXPECT_EQ(Handle(request).status, 200);
  EXPECT_THAT(backend_.calls(), ElementsAre("GetConversation", "AppendReadEvent"));
}

TEST_F(RestHandlerTest, OpensEachOperationToItsScopeAlone) {
  options_.per_address.per_second = options_.per_token.per_second = 0;
  for (const Route& route : Routes()) {
    std::string target(route.path);
    while (target.find('{') != std::string::npos) {
      const std::size_t open = target.find('{');
      target.replace(open, target.find('}') - open + 1, "x");
    }
    for (const Scope scope :
         {Scope::kReply, Scope::kScreen, Scope::kPreview, Scope::kSend, Scope::kRead, Scope::kAdmin}) {
      http::Request request = Request(std::string(route.method), target, route.body.empty() ? "" : "{}");
      request.headers[1].value = "Bearer " + std::string(ScopeName(scope)) + "-token";
      const bool allowed = scope == route.scope || scope == Scope::kAdmin;
      EXPECT_EQ(Handle(request).status != 403, allowed) << route.method << ' ' << route.path << ' ' << ScopeName(scope);
    }
  }
}

TEST_F(RestHandlerTest, SaysUnavailableWhenTokensCannotBeChecked) {
  tokens_.down = true;
  const auto answer = Ask("GET", "/v1/conversations/c1");
  EXPECT_EQ(answer.status, 503);
  EXPECT_NE(Header(answer, "retry-after"), "");
}

TEST_F(RestHandlerTest, TakesThisMachineForTheOperatorOnlyWhereItIsOpen) {
  http::Request request = Request("GET", "/v1/conversations/c1");
  request.peer = asio::ip::make_address("127.0.0.1");
  request.headers = {{"host", "127.0.0.1:8080"}};
  EXPECT_EQ(Handle(request).status, 401);
  handler_ = nullptr;
  options_.open_on_loopback = true;
  EXPECT_EQ(Handle(request).status, 200);
  EXPECT_EQ(backend_.Asked<store::v1::AppendReadEventRequest>("AppendReadEvent")[0].actor().kind(),
            store::v1::ACTOR_KIND_OPERATOR);
  request.headers.push_back({"authorization", "Bearer wrong"});
  EXPECT_EQ(Handle(request).status, 401) << "a token that is there must be good";
  request.headers = {{"host", "127.0.0.1:8080"}};
  request.peer = asio::ip::make_address("203.0.113.9");
  EXPECT_EQ(Handle(request).status, 401);
}

TEST_F(RestHandlerTest, ComparesVersions) {
  http::Request request = Request("PUT", "/v1/knowledge/faqs/parking", R"({"question":"a","answer":"b"})");
  request.headers.push_back({"if-match", "\"12\""});
  store::v1::UpdateFaqResponse updated;
  updated.mutable_faq()->set_revision(13);
  backend_.Answer("UpdateFaq", updated);
  auto answer = Handle(request);
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(Header(answer, "etag"), "\"13\"");
  EXPECT_EQ(backend_.Asked<store::v1::UpdateFaqRequest>("UpdateFaq")[0].expected_revision(), 12);

  backend_.Fail("UpdateFaq", absl::AbortedError("the row has changed since; read it again, then decide"));
  answer = Handle(request);
  EXPECT_EQ(answer.status, 412);
  EXPECT_EQ(Code(answer), 10);
  request.headers.back().value = "\"abc\"";
  EXPECT_EQ(Handle(request).status, 412) << "no row has such a version";
  request.headers.back().value = "W/\"12\"";
  EXPECT_EQ(Handle(request).status, 400);
  request.headers.back().value = "*";
  EXPECT_EQ(Handle(request).status, 409) << "a conflict that no If-Match asked for";
  request.headers.pop_back();
  EXPECT_EQ(Handle(request).status, 409);
  EXPECT_EQ(backend_.Asked<store::v1::UpdateFaqRequest>("UpdateFaq").back().expected_revision(), 0);
}

TEST_F(RestHandlerTest, RefusesIfMatchWhereNothingIsCompared) {
  http::Request request = Request("POST", "/v1/conversations/c1:takeOver");
  request.headers.push_back({"if-match", "\"12\""});
  EXPECT_EQ(Handle(request).status, 400);
}

TEST_F(RestHandlerTest, AnswersNotModified) {
  http::Request request = Request("GET", "/v1/conversations/c1");
  request.headers.push_back({"if-none-match", "\"771\""});
  const auto answer = Handle(request);
  EXPECT_EQ(answer.status, 304);
  EXPECT_EQ(answer.body, "");
  EXPECT_EQ(Header(answer, "etag"), "\"771\"");
}

TEST_F(RestHandlerTest, MakesACommitIdOrTakesTheCallers) {
  const std::string id = NewUuid();
  http::Request request = Request("POST", "/v1/patients", R"({"name":"Asha"})");
  EXPECT_EQ(Handle(request).status, 201);
  request.headers.push_back({"idempotency-key", id});
  EXPECT_EQ(Handle(request).status, 201);
  const auto asked = backend_.Asked<store::v1::CreatePatientRequest>("CreatePatient");
  EXPECT_TRUE(IsUuid(asked[0].commit_id()));
  EXPECT_EQ(asked[1].commit_id(), id);
  request.headers.back().value = "again";
  EXPECT_EQ(Handle(request).status, 400);
}

TEST_F(RestHandlerTest, SendsAsAServiceAlone) {
  http::Request request = Request("POST", "/v1/conversations/c1/messages", R"({"text":"Your report is ready."})");
  request.headers[1].value = "Bearer send-token";
  EXPECT_EQ(Handle(request).status, 202);
  const auto asked = backend_.Asked<store::v1::QueueOutboundRequest>("QueueOutbound");
  EXPECT_EQ(asked[0].origin(), store::v1::REPLY_ORIGIN_SERVICE);
  EXPECT_EQ(asked[0].conversation_id(), "c1");
  EXPECT_TRUE(IsUuid(asked[0].commit_id()));
}

TEST_F(RestHandlerTest, SaysWhatAPathTakes) {
  auto answer = Ask("POST", "/v1/conversations");
  EXPECT_EQ(answer.status, 405);
  EXPECT_EQ(Header(answer, "allow"), "GET, HEAD, OPTIONS");
  answer = Ask("OPTIONS", "/v1/conversations");
  EXPECT_EQ(answer.status, 204);
  EXPECT_EQ(Header(answer, "allow"), "GET, HEAD, OPTIONS");
  EXPECT_EQ(Header(answer, "access-control-allow-methods"), "");
  answer = Ask("GET", "/v1/nothing");
  EXPECT_EQ(answer.status, 404);
  EXPECT_EQ(Code(answer), 5);
  EXPECT_EQ(Ask("HEAD", "/v1/conversations/c1").status, 200);
}

TEST_F(RestHandlerTest, LetsConfiguredOriginsIn) {
  options_.allowed_origins = "https://desk.example.org";
  http::Request request = Request("OPTIONS", "/v1/conversations");
  request.headers = {{"origin", "https://desk.example.org"}};
  auto answer = Handle(request);
  EXPECT_EQ(answer.status, 204);
  EXPECT_EQ(Header(answer, "access-control-allow-origin"), "https://desk.example.org");
  EXPECT_THAT(Header(answer, "access-control-allow-headers"), HasSubstr("if-match"));
  request.headers[0].value = "https://evil.example";
  EXPECT_EQ(Header(Handle(request), "access-control-allow-origin"), "");
}

TEST_F(RestHandlerTest, WantsJson) {
  for (const char* type : {"", "text/plain", "application/x-www-form-urlencoded", "application/jsonx", "application"}) {
    http::Request request = Request("POST", "/v1/knowledge/faqs", "{}");
    request.headers.back().value = type;
    EXPECT_EQ(Handle(request).status, 415) << type;
  }
  http::Request request = Request("POST", "/v1/knowledge/faqs", "{}");
  request.headers.back().value = "Application/JSON; charset=utf-8";
  EXPECT_EQ(Handle(request).status, 201);
}

TEST_F(RestHandlerTest, GivesEachCodeItsHttpCode) {
  const struct {
    absl::StatusCode code;
    int http;
  } cases[] = {{absl::StatusCode::kInvalidArgument, 400},   {absl::StatusCode::kFailedPrecondition, 400},
               {absl::StatusCode::kOutOfRange, 400},        {absl::StatusCode::kPermissionDenied, 403},
               {absl::StatusCode::kNotFound, 404},          {absl::StatusCode::kAborted, 409},
               {absl::StatusCode::kAlreadyExists, 409},     {absl::StatusCode::kCancelled, 499},
               {absl::StatusCode::kUnauthenticated, 500},   {absl::StatusCode::kInternal, 500},
               {absl::StatusCode::kDataLoss, 500},          {absl::StatusCode::kUnknown, 500},
               {absl::StatusCode::kUnimplemented, 501},     {absl::StatusCode::kUnavailable, 503},
               {absl::StatusCode::kResourceExhausted, 503}, {absl::StatusCode::kDeadlineExceeded, 504}};
  for (const auto& [code, http] : cases) {
    backend_.Fail("GetTask", Error(code, "told by the service"));
    const auto answer = Ask("GET", "/v1/tasks/t1");
    EXPECT_EQ(answer.status, http) << static_cast<int>(code);
    EXPECT_EQ(Header(answer, "retry-after") != "", http == 503 || http == 504);
    EXPECT_EQ(answer.body.find("told by") != std::string::npos, http < 500) << answer.body;
  }
}

TEST_F(RestHandlerTest, CarriesDetailsOfErrors) {
  backend_.Fail("GetTask", rpc::WithReason(Error(absl::StatusCode::kFailedPrecondition, "no"), "TASK_CLAIMED"));
  const auto answer = Ask("GET", "/v1/tasks/t1");
  EXPECT_THAT(answer.body, HasSubstr(R"("@type":"type.googleapis.com/google.rpc.ErrorInfo")"));
  EXPECT_THAT(answer.body, HasSubstr(R"("reason":"TASK_CLAIMED")"));
  EXPECT_THAT(Ask("GET", "/v1/tasks?pageSize=x").body, HasSubstr(R"("field":"page_size")"));
}

TEST_F(RestHandlerTest, GivesTheServersOwnErrorsItsShape) {
  const http::Request request = Request("POST", "/v1/knowledge/faqs");
  http::Response too_large = http::ErrorResponse(request, 413, "BODY_TOO_LARGE", "The \"body\" is too large.");
  Handler().Decorate(request, too_large);
  EXPECT_EQ(Code(too_large), 3);
  EXPECT_THAT(too_large.body, HasSubstr(R"("message":"The \"body\" is too large.")"));
  http::Response others = http::ErrorResponse(request, 404, "NOT_FOUND", "There is nothing at this path.");
  Handler().Decorate(Request("GET", "/v12"), others);
  EXPECT_THAT(others.body, HasSubstr("success"));
}

TEST_F(RestHandlerTest, LimitsAddressesTokensAndPhones) {
  options_.per_address = {.per_second = 1, .burst = 3, .max_keys = 8};
  EXPECT_EQ(Ask("GET", "/v1/tasks").status, 200);
  EXPECT_EQ(Ask("GET", "/v1/nothing").status, 404);
  EXPECT_EQ(Ask("GET", "/v1/tasks").status, 200);
  const auto refused = Ask("GET", "/v1/tasks");
  EXPECT_EQ(refused.status, 429);
  EXPECT_EQ(Code(refused), 8);
  EXPECT_EQ(Header(refused, "retry-after"), "1");
  EXPECT_THAT(refused.body, HasSubstr("google.rpc.RetryInfo"));

  handler_ = nullptr;
  options_.per_address.per_second = 0;
  options_.per_token = {.per_second = 1, .burst = 1, .max_keys = 8};
  EXPECT_EQ(Ask("GET", "/v1/tasks").status, 200);
  EXPECT_EQ(Ask("GET", "/v1/tasks").status, 429);

  handler_ = nullptr;
  options_.per_token.per_second = 0;
  options_.per_phone = {.per_second = 1, .burst = 1, .max_keys = 8};
  const auto say = [&](const char* phone) {
    return Ask("POST", "/v1/assistant:reply", std::string(R"({"inbound":{"phone":")") + phone + R"(","text":"a"}})")
        .status;
  };
  EXPECT_EQ(say("+15550100001"), 200);
  EXPECT_EQ(say("1 (555) 010-0001"), 429) << "the same number, written otherwise";
  EXPECT_EQ(say("+15550100002"), 200);
}

TEST_F(RestHandlerTest, PassesOnALimitOfTheTokenItself) {
  tokens_.limited = 2500ms;
  const auto answer = Ask("GET", "/v1/tasks");
  EXPECT_EQ(answer.status, 429);
  EXPECT_EQ(Header(answer, "retry-after"), "3");
  EXPECT_THAT(backend_.calls(), ElementsAre());
}

TEST_F(RestHandlerTest, CarriesTheTrace) {
  http::Request request = Request("GET", "/v1/tasks");
  request.headers.push_back({"traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"});
  Handle(request);
  EXPECT_EQ(backend_.last_context().trace.trace_id, "4bf92f3577b34da6a3ce929d0e0e4736");
}

TEST_F(RestHandlerTest, StreamsOneObjectALineOrEvents) {
  assistant::v1::StreamReplyResponse delta, result;
  delta.set_text_delta("We open\nat 9.");
  result.mutable_result()->set_text("We open at 9.");
  backend_.AnswerStream(std::vector{delta, result});
  http::Request request =
      Request("POST", "/v1/assistant:streamReply", R"({"inbound":{"phone":"+15550100001","text":"a"}})");
  auto answer = Handle(request);
  ASSERT_NE(answer.stream, nullptr);
  EXPECT_EQ(answer.content_type, "application/x-ndjson");
  Sink lines;
  EXPECT_TRUE(Send(answer, lines));
  EXPECT_EQ(lines.writes, 2);
  EXPECT_THAT(lines.text, testing::StartsWith("{\"textDelta\":\"We open\\nat 9.\"}\n{\"result\":{"));

  request = Request("POST", "/v1/assistant:streamReply", R"({"inbound":{"phone":"+15550100001","text":"a"}})");
  request.headers.push_back({"accept", "text/event-stream"});
  answer = Handle(request);
  EXPECT_EQ(answer.content_type, "text/event-stream");
  Sink events;
  EXPECT_TRUE(Send(answer, events));
  EXPECT_THAT(events.text,
              testing::StartsWith("event: textDelta\ndata: {\"textDelta\":\"We open\\nat 9.\"}\n\nevent: result\n"));
}

TEST_F(RestHandlerTest, TellsAStreamsFailure) {
  const std::string body = R"({"inbound":{"phone":"+15550100001","text":"a"}})";
  backend_.AnswerStream(std::vector<assistant::v1::StreamReplyResponse>(), absl::AbortedError("being answered"));
  EXPECT_EQ(Ask("POST", "/v1/assistant:streamReply", body).status, 409);
  assistant::v1::StreamReplyResponse delta;
  delta.set_text_delta("We");
  backend_.AnswerStream(std::vector{delta}, absl::UnavailableError("gone"));
  const auto answer = Ask("POST", "/v1/assistant:streamReply", body);
  Sink sink;
  EXPECT_TRUE(Send(answer, sink));
  EXPECT_THAT(sink.text, HasSubstr("\n{\"error\":{\"code\":14"));
  Sink closed;
  closed.fail_after = 1;
  EXPECT_FALSE(Send(Ask("POST", "/v1/assistant:streamReply", body), closed));
}

TEST_F(RestHandlerTest, SendsADocumentInPiecesAndCutsOffAFailedOne) {
  store::v1::ExportPatientResponse first, second;
  first.set_chunk("{\"patient\":");
  second.set_chunk("{}}");
  backend_.AnswerStream(std::vector{first, second});
  auto answer = Ask("GET", "/v1/patients/p1:export");
  ASSERT_NE(answer.stream, nullptr);
  EXPECT_EQ(answer.content_type, "application/json");
  Sink sink;
  EXPECT_TRUE(Send(answer, sink));
  EXPECT_EQ(sink.text, "{\"patient\":{}}");
  backend_.AnswerStream(std::vector{first}, absl::UnavailableError("gone"));
  Sink cut;
  EXPECT_FALSE(Send(Ask("GET", "/v1/patients/p1:export"), cut));
}

TEST_F(RestHandlerTest, ReadsAndWritesLongMessages) {
  const std::string text(200'000, 'x');
  store::v1::CreateFaqResponse created;
  created.mutable_faq()->set_answer(text);
  backend_.Answer("CreateFaq", created);
  const auto answer = Ask("POST", "/v1/knowledge/faqs", R"({"answer":")" + text + "\"}");
  EXPECT_EQ(answer.status, 201);
  EXPECT_THAT(answer.body, HasSubstr(text));
  EXPECT_EQ(backend_.Asked<store::v1::CreateFaqRequest>("CreateFaq")[0].faq().answer(), text);
}

}  // namespace
}  // namespace medidesk::admin::rest
