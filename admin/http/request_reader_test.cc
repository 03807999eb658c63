#include "admin/http/request_reader.h"

#include <gtest/gtest.h>

#include <cstring>

#include "base/uuid.h"

namespace medidesk::http {
namespace {

using Event = RequestReader::Event;

// Feeds at most `step` bytes at a time until something other than kNeedMore happens or they end.
Event Feed(RequestReader& reader, std::string_view& bytes, std::size_t step = SIZE_MAX) {
  for (;;) {
    const Event event = reader.Next();
    if (event != Event::kNeedMore || bytes.empty()) return event;
    const std::span<char> room = reader.Prepare();
    EXPECT_FALSE(room.empty());
    const std::size_t size = std::min({room.size(), bytes.size(), step});
    std::memcpy(room.data(), bytes.data(), size);
    reader.Commit(size);
    bytes.remove_prefix(size);
  }
}

struct Outcome {
  Event event;
  int status;  // of a refusal, else 0
  bool keep_alive;
};

Outcome Judge(std::string_view bytes, RequestReader::Limits limits = {}) {
  RequestReader reader(limits, nullptr);
  const Event event = Feed(reader, bytes);
  return {event, event == Event::kRefused ? reader.refusal().status : 0, reader.keep_alive()};
}

int StatusOf(std::string_view bytes, RequestReader::Limits limits = {}) { return Judge(bytes, limits).status; }

TEST(RequestReader, ReadsARequestHoweverItIsCut) {
  const std::string whole =
      "POST /a/b?c=d&e HTTP/1.1\r\nHost: x\r\nContent-Type: Application/JSON\r\nX-Request-Id: abc-1\r\n"
      "Content-Length: 5\r\n\r\nhello";
  for (std::size_t step = 1; step <= whole.size(); ++step) {
    RequestReader reader({}, nullptr);
    std::string_view bytes = whole;
    ASSERT_EQ(Feed(reader, bytes, step), Event::kRequest) << step;
    const Request& request = reader.request();
    EXPECT_EQ(request.method, "POST");
    EXPECT_EQ(request.path(), "/a/b");
    EXPECT_EQ(request.query(), "c=d&e");
    EXPECT_EQ(request.Find("content-type"), "Application/JSON");
    EXPECT_EQ(request.Find("absent"), "");
    EXPECT_EQ(request.body, "hello");
    EXPECT_EQ(request.id, "abc-1");
    EXPECT_TRUE(reader.keep_alive());
  }
}

TEST(RequestReader, ReadsChunksHoweverTheyAreCut) {
  const std::string whole =
      "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
      "3;ext=1\r\nhel\r\n2\r\nlo\r\n0\r\nX-Trailer: dropped\r\n\r\n";
  for (std::size_t step = 1; step <= whole.size(); ++step) {
    RequestReader reader({}, nullptr);
    std::string_view bytes = whole;
    ASSERT_EQ(Feed(reader, bytes, step), Event::kRequest) << step;
    EXPECT_EQ(reader.request().body, "hello");
    EXPECT_EQ(reader.request().Find("x-trailer"), "");
  }
}

TEST(RequestReader, WantsMoreOfEveryPrefix) {
  const std::string whole = "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc";
  for (std::size_t size = 0; size < whole.size(); ++size) {
    EXPECT_EQ(Judge(std::string_view(whole).substr(0, size)).event, Event::kNeedMore) << size;
  }
}

TEST(RequestReader, KeepsPipelinedRequestsApart) {
  RequestReader reader({}, nullptr);
  std::string_view bytes =
      "\r\nGET /1 HTTP/1.1\r\nHost: x\r\n\r\n"
      "POST /2 HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nab\r\n"
      "GET /3 HTTP/1.0\r\n\r\n";
  EXPECT_FALSE(reader.started());
  ASSERT_EQ(Feed(reader, bytes), Event::kRequest);
  EXPECT_EQ(reader.request().target, "/1");
  EXPECT_EQ(reader.request().body, "");
  reader.Reset();
  EXPECT_TRUE(reader.started());
  ASSERT_EQ(Feed(reader, bytes), Event::kRequest);
  EXPECT_EQ(reader.request().target, "/2");
  EXPECT_EQ(reader.request().body, "ab");
  EXPECT_TRUE(reader.keep_alive());
  reader.Reset();
  ASSERT_EQ(Feed(reader, bytes), Event::kRequest);
  EXPECT_EQ(reader.request().target, "/3");
  EXPECT_FALSE(reader.keep_alive());
  reader.Reset();
  EXPECT_FALSE(reader.started());
}

TEST(RequestReader, MakesAnIdWhereTheCallersIsNotFitForALog) {
  for (const std::string_view id : {"", "a b", "<script>", "\xff", "x\ty"}) {
    RequestReader reader({}, nullptr);
    const std::string text = "GET / HTTP/1.1\r\nHost: x\r\nX-Request-Id: " + std::string(id) + "\r\n\r\n";
    std::string_view bytes = text;
    ASSERT_EQ(Feed(reader, bytes), Event::kRequest);
    EXPECT_TRUE(IsUuid(reader.request().id));
  }
}

TEST(RequestReader, TakesTheAbsoluteForm) {
  for (const auto& [sent, expected] : {std::pair{"http://h:1/a?b", "/a?b"}, std::pair{"HTTPS://h", "/"},
                                       std::pair{"*", "*"}, std::pair{"/x://y", "/x://y"}}) {
    RequestReader reader({}, nullptr);
    const std::string text = std::string("OPTIONS ") + sent + " HTTP/1.1\r\nHost: x\r\n\r\n";
    std::string_view bytes = text;
    ASSERT_EQ(Feed(reader, bytes), Event::kRequest) << sent;
    EXPECT_EQ(reader.request().target, expected);
  }
  EXPECT_EQ(StatusOf("CONNECT host:443 HTTP/1.1\r\nHost: x\r\n\r\n"), 400);
  EXPECT_EQ(StatusOf("GET ftp://h/a HTTP/1.1\r\nHost: x\r\n\r\n"), 400);
}

TEST(RequestReader, RefusesWhatIsNotHttp) {
  EXPECT_EQ(StatusOf("\x16\x03\x01\x02\x00\x01\x00\x01\xfc"), 400);  // TLS on the plain port
  EXPECT_EQ(StatusOf("GET / HTTP/1.1\nHost: x\n\n"), 505);
  EXPECT_EQ(StatusOf("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), 505);
  EXPECT_EQ(StatusOf("GET / HTTP/1.1\r\nBad Header: x\r\n\r\n"), 400);
  EXPECT_EQ(StatusOf("GET / HTTP/1.1\r\nHost : x\r\n\r\n"), 400);
  EXPECT_EQ(StatusOf(std::string_view("GET / HTTP/1.1\r\nHost: x\r\nA: b\0c\r\n\r\n", 35)), 400);
  EXPECT_EQ(StatusOf("GET / HTTP/1.1\r\n\r\n"), 400);                        // no Host
  EXPECT_EQ(StatusOf("GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n"), 400);  // two
  EXPECT_EQ(Judge("GET / HTTP/1.0\r\n\r\n").event, Event::kRequest);         // 1.0 needs none
}

TEST(RequestReader, RefusesBodiesWhoseEndIsInDoubt) {
  const std::string head = "POST / HTTP/1.1\r\nHost: x\r\n";
  EXPECT_EQ(StatusOf(head + "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"), 400);
  EXPECT_EQ(StatusOf(head + "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n"), 400);
  EXPECT_EQ(StatusOf(head + "Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello"), 400);
  EXPECT_EQ(StatusOf(head + "Content-Length: -1\r\n\r\n"), 400);
  EXPECT_EQ(StatusOf(head + "Content-Length: 99999999999999999999999\r\n\r\n"), 400);
  EXPECT_EQ(StatusOf(head + "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n"), 501);
  EXPECT_EQ(StatusOf(head + "Transfer-Encoding: gzip\r\n\r\n"), 501);
  EXPECT_EQ(StatusOf(head + "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"), 400);
  EXPECT_EQ(StatusOf("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"), 501);
  EXPECT_EQ(StatusOf(head + "Transfer-Encoding: chunked\r\n\r\nzz\r\n"), 400);
  EXPECT_EQ(StatusOf(head + "Transfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\n"), 400);
  EXPECT_EQ(StatusOf(head + "Transfer-Encoding: chunked\r\n\r\n1\r\nabc\r\n"), 400);
}

TEST(RequestReader, BoundsTheHead) {
  const std::string start = "GET / HTTP/1.1\r\nHost: x\r\n";
  EXPECT_EQ(StatusOf(start + "A: " + std::string(20'000, 'a') + "\r\n\r\n"), 431);
  EXPECT_EQ(StatusOf("GET /" + std::string(20'000, 'a')), 431);
  EXPECT_EQ(Judge(start + "A: " + std::string(15'000, 'a') + "\r\n\r\n").event, Event::kRequest);
  std::string many = start;
  for (int i = 0; i < 101; ++i) many += "A: b\r\n";
  EXPECT_EQ(StatusOf(many + "\r\n"), 431);
}

TEST(RequestReader, BoundsAHeadThatArrivesLineByLine) {
  RequestReader reader({.max_headers = 1'000'000}, nullptr);
  std::string_view bytes = "GET / HTTP/1.1\r\nHost: x\r\n";
  ASSERT_EQ(Feed(reader, bytes), Event::kNeedMore);
  Event event = Event::kNeedMore;
  int lines = 0;
  while (event == Event::kNeedMore && ++lines < 100'000) {
    bytes = "A: b\r\n";
    event = Feed(reader, bytes);
  }
  EXPECT_EQ(event, Event::kRefused);
  EXPECT_EQ(reader.refusal().status, 431);
  EXPECT_LE(lines, 16'384 / 6);
}

TEST(RequestReader, BoundsChunkExtensionsAndTrailers) {
  const std::string head = "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n";
  EXPECT_EQ(StatusOf(head + "1;" + std::string(100'000, 'a')), 431);
  std::string trailers = head + "0\r\n";
  for (int i = 0; i < 20'000; ++i) trailers += "A: b\r\n";
  EXPECT_EQ(StatusOf(trailers), 431);
}

TEST(RequestReader, DropsABodyAboveTheLimitAndGoesOn) {
  const RequestReader::Limits limits{.max_body = 10, .max_drain = 1000};
  for (const char* const request :
       {"POST /big HTTP/1.1\r\nHost: x\r\nContent-Length: 11\r\n\r\nhello world",
        "POST /big HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n6\r\nhello \r\n5\r\nworld\r\n0\r\n\r\n"}) {
    RequestReader reader(limits, nullptr);
    const std::string text = std::string(request) + "GET /next HTTP/1.1\r\nHost: x\r\n\r\n";
    std::string_view bytes = text;
    ASSERT_EQ(Feed(reader, bytes), Event::kRefused);
    EXPECT_EQ(reader.refusal().status, 413);
    EXPECT_EQ(reader.request().path(), "/big");
    EXPECT_EQ(reader.request().body, "");
    ASSERT_TRUE(reader.keep_alive());
    reader.Reset();
    ASSERT_EQ(Feed(reader, bytes), Event::kRequest);
    EXPECT_EQ(reader.request().path(), "/next");
  }
  EXPECT_EQ(Judge("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n0123456789", limits).event, Event::kRequest);
}

TEST(RequestReader, GivesUpOnABodyAboveWhatItWouldDrop) {
  const RequestReader::Limits limits{.max_body = 10, .max_drain = 1000};
  const Outcome announced = Judge("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1011\r\n\r\n", limits);
  EXPECT_EQ(announced.status, 413);
  EXPECT_FALSE(announced.keep_alive);
  std::string chunks = "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n";
  for (int i = 0; i < 200; ++i) chunks += "a\r\n0123456789\r\n";
  const Outcome chunked = Judge(chunks, limits);
  EXPECT_EQ(chunked.status, 413);
  EXPECT_FALSE(chunked.keep_alive);
}

TEST(RequestReader, AsksForTheBodyOnceWhenTheClientWaits) {
  RequestReader reader({}, nullptr);
  std::string_view bytes = "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n";
  ASSERT_EQ(Feed(reader, bytes), Event::kExpectsContinue);
  ASSERT_EQ(Feed(reader, bytes), Event::kNeedMore);
  bytes = "ok";
  ASSERT_EQ(Feed(reader, bytes), Event::kRequest);
  EXPECT_EQ(StatusOf("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2000000\r\nExpect: 100-continue\r\n\r\n"), 413);
}

TEST(RequestReader, SharesTheBodyBudgetAndGivesItBack) {
  std::atomic<std::int64_t> budget{10};
  const std::string text = "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 6\r\n\r\nabcdef";
  {
    RequestReader first({}, &budget), second({}, &budget);
    std::string_view bytes = text;
    ASSERT_EQ(Feed(first, bytes), Event::kRequest);
    EXPECT_EQ(budget, 4);
    bytes = text;
    ASSERT_EQ(Feed(second, bytes), Event::kRefused);
    EXPECT_EQ(second.refusal().status, 503);
    EXPECT_TRUE(second.keep_alive());
    EXPECT_EQ(budget, 4);
    first.Reset();
    EXPECT_EQ(budget, 10);
    second.Reset();
    bytes = text;
    ASSERT_EQ(Feed(second, bytes), Event::kRequest);
  }
  EXPECT_EQ(budget, 10);
}

}  // namespace
}  // namespace medidesk::http
