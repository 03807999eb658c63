#include "admin/http/response.h"

#include <gtest/gtest.h>

namespace medidesk::http {
namespace {

TEST(AppendHead, WritesWhatSupabaseJsComparesExactly) {
  std::string out;
  AppendHead(out, JsonResponse(200, "{}"), "id-1", true, 784111777);
  EXPECT_EQ(out,
            "HTTP/1.1 200 OK\r\ndate: Sun, 06 Nov 1994 08:49:37 GMT\r\ncontent-type: application/json\r\n"
            "content-length: 2\r\nx-request-id: id-1\r\nconnection: keep-alive\r\n\r\n");
}

TEST(AppendHead, SendsNoLengthWithNoContent) {
  std::string out;
  AppendHead(out, {.status = 204}, "id-1", false, 0);
  EXPECT_EQ(out,
            "HTTP/1.1 204 No Content\r\ndate: Thu, 01 Jan 1970 00:00:00 GMT\r\nx-request-id: id-1\r\n"
            "connection: close\r\n\r\n");
}

TEST(AppendHead, LetsNoValueStartAHeaderOfItsOwn) {
  Response response;
  response.Add("x-echo", "a\r\nset-cookie: b\x7f");
  std::string out;
  AppendHead(out, response, "i\r\nd", true, 0);
  EXPECT_NE(out.find("x-echo: aset-cookie: b\r\n"), std::string::npos);
  EXPECT_NE(out.find("x-request-id: id\r\n"), std::string::npos);
}

TEST(ErrorResponse, HasTheOneShapeOfErrors) {
  Request request;
  request.id = "r-1";
  EXPECT_EQ(ErrorResponse(request, 400, "INVALID_PHONE", "Say \"phone\".").body,
            R"({"success":false,"error":"Say \"phone\".","code":"INVALID_PHONE","requestId":"r-1"})");
}

TEST(RetryLater, RoundsUpToWholeSeconds) {
  using std::chrono::milliseconds;
  for (const auto& [wait, seconds] : {std::pair{0, "1"}, std::pair{1000, "1"}, std::pair{1001, "2"}}) {
    const Response response = RetryLater({}, 429, "RATE_LIMITED", "Slow down.", milliseconds(wait));
    ASSERT_EQ(response.headers.size(), 1u);
    EXPECT_EQ(response.headers[0].name, "retry-after");
    EXPECT_EQ(response.headers[0].value, seconds);
  }
}

TEST(AppendJsonString, EscapesWhatJsonWantsEscaped) {
  std::string out;
  AppendJsonString(out, std::string_view("a\"\\\n\r\t\0\x1f\xc3\xa9", 10));
  EXPECT_EQ(out, "\"a\\\"\\\\\\n\\r\\t\\u0000\\u001f\xc3\xa9\"");
}

}  // namespace
}  // namespace medidesk::http
