#include "admin/api/rest/route_table.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "admin/api/rest/caller.h"
#include "base/rpc/method_scopes.h"
#include "base/rpc/token_check.h"

namespace medidesk::admin::rest {
namespace {

using testing::ElementsAre;
using testing::Pair;

TEST(RouteTable, BindsEachRpcAndPathOnce) {
  std::set<std::string_view> rpcs;
  std::set<std::pair<std::string_view, std::string_view>> paths;
  for (const Route& route : Routes()) {
    EXPECT_TRUE(rpcs.insert(route.rpc).second) << route.rpc;
    EXPECT_TRUE(paths.insert({route.method, route.path}).second) << route.path;
    EXPECT_TRUE(route.path.starts_with("/v1/"));
    EXPECT_NE(route.call, nullptr);
    EXPECT_TRUE(route.body.empty() || (route.method != "GET" && route.method != "DELETE")) << route.path;
  }
  EXPECT_GE(rpcs.size(), 50u);
}

TEST(RouteTable, WantsTheScopeThatTheSameCallWantsOverGrpc) {
  for (const Route& route : Routes()) {
    // A message to a patient over /v1 is what SendMessage is over gRPC; the store's own call is for services.
    if (route.call->name() == "QueueOutbound") continue;
    const std::string method = route.call->service()->name() + '/' + route.call->name();
    EXPECT_EQ(ScopeName(route.scope), rpc::ScopeName(rpc::ScopeOfMethod(method))) << method;
  }
}

TEST(FindRoute, FindsByMethodAndPath) {
  const RouteMatch match = FindRoute("GET", "/v1/conversations/abc/messages");
  ASSERT_NE(match.route, nullptr);
  EXPECT_EQ(match.route->call->name(), "ListMessages");
  EXPECT_THAT(match.captures, ElementsAre(Pair("conversation_id", "abc")));
}

TEST(FindRoute, TellsVerbsFromNames) {
  EXPECT_EQ(FindRoute("POST", "/v1/tasks/t1:claim").route->call->name(), "ClaimTask");
  EXPECT_EQ(FindRoute("POST", "/v1/assistant:reply").route->call->name(), "Reply");
  EXPECT_EQ(FindRoute("POST", "/v1/tasks/t1:dance").allow, "");
  // A colon that belongs to the name is sent as %3A.
  const RouteMatch match = FindRoute("GET", "/v1/tasks/a%3Ab");
  ASSERT_NE(match.route, nullptr);
  EXPECT_EQ(match.captures[0].second, "a:b");
}

TEST(FindRoute, AnswersHeadByGetAndSaysWhatAPathTakes) {
  EXPECT_EQ(FindRoute("HEAD", "/v1/conversations").route->call->name(), "ListConversations");
  const RouteMatch match = FindRoute("TRACE", "/v1/knowledge/faqs/parking");
  EXPECT_EQ(match.route, nullptr);
  EXPECT_EQ(match.allow, "GET, HEAD, PUT, DELETE, OPTIONS");
}

TEST(FindRoute, FindsNothingAtOtherPaths) {
  for (const char* path :
       {"", "/", "/v1", "/v1/", "/v1/nothing", "/v1/conversations/", "/v1//conversations", "/v1/conversations/a/b",
        "/v2/conversations", "/v1/conversations/%zz", "/v1/conversations/%00", "/v1/conversations/%ff", "*",
        "/v1/conversations:", "/v1/:reply", "/v1/{conversation_id}"}) {
    EXPECT_EQ(FindRoute("GET", path).allow, "") << path;
  }
}

TEST(PercentDecode, DecodesTextAndNothingElse) {
  std::string out;
  EXPECT_TRUE(PercentDecode("a%20b+c%C3%A9", /*form=*/true, out));
  EXPECT_EQ(out, "a b c\u00e9");
  EXPECT_TRUE(PercentDecode("a+b", /*form=*/false, out));
  EXPECT_EQ(out, "a+b");
  for (const char* bad : {"%", "%4", "%zz", "%c3", "%00", "%ed%a0%80"})
    EXPECT_FALSE(PercentDecode(bad, true, out)) << bad;
}

TEST(BearerToken, TakesOneSchemeAndVisibleCharacters) {
  EXPECT_EQ(BearerToken("Bearer abc"), "abc");
  EXPECT_EQ(BearerToken("bearer   abc"), "abc");
  for (const char* bad : {"", "Bearer", "Bearer ", "Basic abc", "Bearer a b", "abc"})
    EXPECT_EQ(BearerToken(bad), "") << bad;
  EXPECT_EQ(BearerToken("Bearer " + std::string(513, 'a')), "");
}

class MayGoWithoutTokenTest : public testing::Test {
 protected:
  MayGoWithoutTokenTest() {
    request_.method = "GET";
    request_.target = "/v1/conversations";
    request_.peer = boost::asio::ip::make_address("127.0.0.1");
    request_.headers = {{"host", "127.0.0.1:8080"}};
  }
  http::Request request_;
};

TEST_F(MayGoWithoutTokenTest, LetsThisMachinesProgramsThrough) {
  for (const char* host : {"127.0.0.1:8080", "localhost:8080", "LOCALHOST", "[::1]:8080", "127.0.0.1"}) {
    request_.headers = {{"host", host}};
    EXPECT_TRUE(MayGoWithoutToken(request_)) << host;
  }
  request_.headers = {
      {"host", "127.0.0.1:8080"}, {"origin", "http://127.0.0.1:8080"}, {"sec-fetch-site", "same-origin"}};
  EXPECT_TRUE(MayGoWithoutToken(request_)) << "our own page";
}

TEST_F(MayGoWithoutTokenTest, RefusesOtherMachines) {
  request_.peer = boost::asio::ip::make_address("192.168.1.7");
  EXPECT_FALSE(MayGoWithoutToken(request_));
}

TEST_F(MayGoWithoutTokenTest, RefusesWhatCameThroughAProxy) {
  for (const char* header : {"x-forwarded-for", "forwarded", "x-real-ip", "via"}) {
    request_.headers = {{"host", "127.0.0.1:8080"}, {header, "203.0.113.9"}};
    EXPECT_FALSE(MayGoWithoutToken(request_)) << header;
  }
  request_.headers = {{"host", "127.0.0.1:8080"}};
  request_.version = 10;
  EXPECT_FALSE(MayGoWithoutToken(request_)) << "a proxy's HTTP/1.0";
}

TEST_F(MayGoWithoutTokenTest, RefusesForeignWebPages) {
  request_.headers = {{"host", "evil.example:8080"}};
  EXPECT_FALSE(MayGoWithoutToken(request_)) << "a name that was rebound to 127.0.0.1";
  request_.headers = {{"host", "127.0.0.1:8080"}, {"origin", "https://evil.example"}};
  EXPECT_FALSE(MayGoWithoutToken(request_));
  request_.headers = {{"host", "127.0.0.1:8080"}, {"origin", "null"}};
  EXPECT_FALSE(MayGoWithoutToken(request_));
  request_.headers = {{"host", "127.0.0.1:8080"}, {"sec-fetch-site", "cross-site"}};
  EXPECT_FALSE(MayGoWithoutToken(request_));
  request_.headers = {{"host", "127.0.0.1:8080"}, {"origin", "http://127.0.0.1:3000"}};
  EXPECT_FALSE(MayGoWithoutToken(request_)) << "another program's page on this machine";
}

}  // namespace
}  // namespace medidesk::admin::rest
