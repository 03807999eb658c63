#include "tests/sim/whatsapp/control.h"

#include <boost/json/parse.hpp>
#include <gtest/gtest.h>

#include <string>

#include "tests/sim/whatsapp/session.h"
#include "tests/sim/whatsapp/testing/fake_link.h"

namespace medidesk::whatsapp_sim {
namespace {

class ControlTest : public ::testing::Test {
 protected:
  boost::json::value Post(std::string_view path, std::string_view body, int status = 200) {
    const ControlAnswer answer = Control(world, "POST", path, body);
    EXPECT_EQ(answer.status, status) << path << ' ' << body << ": " << answer.body;
    return boost::json::parse(answer.body);
  }
  boost::json::value Get(std::string_view path, int status = 200) {
    const ControlAnswer answer = Control(world, "GET", path, "");
    EXPECT_EQ(answer.status, status) << path << ": " << answer.body;
    return boost::json::parse(answer.body);
  }

  World world{Settings{}, [] { return std::int64_t{1'790'000'000'000'000}; }};
};

TEST_F(ControlTest, MakesPhonesWithAndWithoutANumber) {
  EXPECT_EQ(Post("/phones", R"({"phone":"447700900123","lid":"42","name":"Asha"})").at("jid").as_string(),
            "447700900123@s.whatsapp.net");
  const auto made_up = Post("/phones", "");
  EXPECT_EQ(made_up.at("phone").as_string().size(), 11u);
  Post("/phones", R"({"phone":"447700900123"})", 409);
  Post("/phones", R"({"lid":"42"})", 409);
  Post("/phones", R"({"phone":"+44"})", 400);
  EXPECT_EQ(Get("/phones").at("phones").as_array().size(), 2u);
}

TEST_F(ControlTest, SaysWhatIsWrongWithARequest) {
  Post("/phones", "{", 400);
  Post("/phones", "[]", 400);
  Post("/phones", R"({"nmae":"x"})", 400);
  Post("/phones", R"({"name":7})", 400);
  Post("/nowhere", "{}", 404);
  Get("/nowhere", 404);
  Post("/scan", R"({"phone":"1","qr":"x"})", 404);
  Post("/unlink", R"({"phone":"1","device":1})", 404);
  Post("/passkey", R"({"phone":"1"})", 404);
  Post("/send", R"({"phone":"1","device":1,"node":{"tag":"x"}})", 404);
}

TEST_F(ControlTest, QueuesFaultsAndRefusesWhatIsNone) {
  EXPECT_EQ(Post("/fault", R"({"kind":"failure","code":503})").at("met").as_int64(), 0);
  EXPECT_EQ(world.faults.size(), 1u);
  const auto taken = world.faults.Take(Fault::At::kLogin, {.phone = "1", .device = 1, .target = "/"});
  ASSERT_EQ(taken.size(), 1u);
  EXPECT_EQ(taken[0].code, 503);
  EXPECT_EQ(world.faults.size(), 0u);
  Post("/fault", R"({"kind":"explode"})", 400);
  Post("/fault", R"({"kind":"drop","at":"noon"})", 400);
  Post("/fault", R"({"kind":"drop","times":0})", 400);
  Post("/fault", R"({"kind":"failure"})", 400);
  Post("/fault", R"({"kind":"http","code":99})", 400);
  Post("/fault", R"({"kind":"chain","how":"nicely"})", 400);
  Post("/fault", R"({"kind":"adv","how":""})", 400);
  Post("/fault", R"({"kind":"bad_node","hex":"0"})", 400);
  EXPECT_EQ(world.faults.size(), 0u);
}

TEST_F(ControlTest, ChangesSettingsOneByOne) {
  EXPECT_EQ(Post("/settings", R"({"close_delay_ms":5})").at("close_delay_ms").as_int64(), 5);
  EXPECT_EQ(Post("/settings", R"({"clock_offset_s":-3600})").at("close_delay_ms").as_int64(), 5);
  EXPECT_EQ(world.server_time(), 1'790'000'000 - 3600);
  Post("/settings", R"({"refs":0})", 400);
  EXPECT_EQ(world.settings.refs, 6);
}

TEST_F(ControlTest, ListsConnectionsAndWhatHappenedSince) {
  testing::FakeLink link;
  Session session(world, link, "/ws/chat");
  EXPECT_EQ(Get("/connections").at("connections").as_array().at(0).at("state").as_string(), "intro");
  const auto events = Get("/logins").at("events").as_array();
  ASSERT_EQ(events.size(), 1u);
  EXPECT_EQ(events[0].at("event").as_string(), "open");
  const std::string after = "/logins?after=" + std::to_string(events[0].at("seq").as_int64());
  EXPECT_TRUE(Get(after).at("events").as_array().empty());
  session.OnClosed();
  EXPECT_EQ(Get(after).at("events").as_array().size(), 1u);
  EXPECT_TRUE(Get("/connections").at("connections").as_array().empty());
  Post("/reset", "");
  EXPECT_TRUE(Get("/logins").at("events").as_array().empty());
}

}  // namespace
}  // namespace medidesk::whatsapp_sim
