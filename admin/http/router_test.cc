#include "admin/http/router.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace medidesk::http {
namespace {

boost::asio::awaitable<Response> Nothing(Request&) { co_return Response{}; }

class RouterTest : public testing::Test {
 protected:
  RouterTest() {
    router_.Add("GET", "/a", Nothing);
    router_.Add("POST", "/a", Nothing);
    router_.Add("GET", "/files/*", Nothing);
    router_.Add("GET", "/files/private/*", Nothing, {.counts = false});
  }
  std::string_view Pattern(std::string_view method, std::string_view path) {
    const Router::Match match = router_.Find(method, path);
    return match.route == nullptr ? std::string_view() : match.route->pattern;
  }
  Router router_;
};

TEST_F(RouterTest, FindsByMethodAndPath) {
  EXPECT_EQ(Pattern("GET", "/a"), "/a");
  EXPECT_EQ(Pattern("HEAD", "/a"), "/a");
  EXPECT_EQ(Pattern("POST", "/a"), "/a");
  EXPECT_EQ(Pattern("GET", "/A"), "");
  EXPECT_EQ(Pattern("GET", "/a/"), "");
  EXPECT_EQ(Pattern("get", "/a"), "");
}

TEST_F(RouterTest, PrefersTheLongestPrefix) {
  EXPECT_EQ(Pattern("GET", "/files/x"), "/files/*");
  EXPECT_EQ(Pattern("GET", "/files/private/x"), "/files/private/*");
  EXPECT_EQ(Pattern("GET", "/files/private"), "/files/*");
  EXPECT_EQ(Pattern("GET", "/files"), "");
}

TEST_F(RouterTest, TellsAnUnknownMethodFromAnUnknownPath) {
  EXPECT_EQ(router_.Find("PUT", "/a").allow, "GET, HEAD, POST");
  EXPECT_EQ(router_.Find("PUT", "/a").pattern, "/a");
  EXPECT_EQ(router_.Find("PUT", "/b").allow, "");
  EXPECT_EQ(router_.Find("", "").allow, "");
}

TEST_F(RouterTest, TakesAnyMethodWhereAskedTo) {
  router_.Add("OPTIONS", "/b/*", Nothing);
  router_.Add("*", "/b/*", Nothing, {.counts = false});
  EXPECT_TRUE(router_.Find("OPTIONS", "/b/c").route->options.counts);
  EXPECT_FALSE(router_.Find("BREW", "/b/c").route->options.counts);
}

TEST_F(RouterTest, ListsItsPatterns) {
  EXPECT_THAT(router_.Patterns(), testing::UnorderedElementsAre("/a", "/files/*", "/files/private/*"));
}

}  // namespace
}  // namespace medidesk::http
