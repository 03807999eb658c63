#include "admin/api/health.h"

#include <boost/json/parse.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace medidesk::admin {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

const std::chrono::system_clock::time_point kNow{milliseconds(1'705'314'600'123)};

boost::json::value Json(const HealthSnapshot& snapshot, bool show_user = true) {
  return boost::json::parse(HealthJson(snapshot, show_user, kNow, seconds(61), 4096));
}

HealthSnapshot Healthy() {
  return {.services = {{.name = "store", .up = true}, {.name = "assistant", .up = true}},
          .numbers = {{.name = "desk",
                       .user = "15550109999:7@s.whatsapp.net",
                       .enabled = true,
                       .connected = true,
                       .state = "connected"}}};
}

TEST(HealthJson, KeepsTheOriginalsShape) {
  EXPECT_EQ(HealthJson(Healthy(), true, kNow, seconds(61), 4096),
            R"({"status":"running","connected":true,"user":"15550109999:7@s.whatsapp.net",)"
            R"("timestamp":"2024-01-15T10:30:00.123Z","uptime":61,"memory":{"rss":4096},)"
            R"("services":{"store":"up","assistant":"up"},)"
            R"("numbers":[{"name":"desk","enabled":true,"connected":true,"state":"connected"}]})");
}

TEST(HealthJson, MasksTheUser) {
  EXPECT_EQ(Json(Healthy(), false).at("user").as_string(), "15*******99:7@s.whatsapp.net");
  EXPECT_EQ(MaskUser("+15550109999"), "+15*******99");
  EXPECT_EQ(MaskUser("123456@x"), "******@x");
  EXPECT_EQ(MaskUser(""), "");
}

TEST(HealthJson, IsDegradedWhenAServiceOrANumberIsLost) {
  HealthSnapshot snapshot = Healthy();
  snapshot.services[0].up = false;
  EXPECT_EQ(Json(snapshot).at("status").as_string(), "degraded");
  EXPECT_TRUE(Json(snapshot).at("connected").as_bool());
  snapshot = Healthy();
  snapshot.numbers.push_back(
      {.name = "second", .user = "", .enabled = true, .connected = false, .state = "needs_link"});
  EXPECT_EQ(Json(snapshot).at("status").as_string(), "degraded");
  EXPECT_FALSE(Json(snapshot).at("connected").as_bool());
  snapshot.numbers[1].enabled = false;
  EXPECT_EQ(Json(snapshot).at("status").as_string(), "running");
  EXPECT_TRUE(Json(snapshot).at("connected").as_bool());
}

TEST(HealthJson, IsRunningWithoutANumber) {
  const auto json = Json({.services = {{.name = "store", .up = true}}, .numbers = {}});
  EXPECT_EQ(json.at("status").as_string(), "running");
  EXPECT_FALSE(json.at("connected").as_bool());
  EXPECT_TRUE(json.at("user").is_null());
  EXPECT_TRUE(json.at("numbers").as_array().empty());
}

TEST(ResidentBytes, KnowsThisProcess) { EXPECT_GT(ResidentBytes(), 1 << 20); }

}  // namespace
}  // namespace medidesk::admin
