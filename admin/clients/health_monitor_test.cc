#include "admin/clients/health_monitor.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>

#include "admin/clients/testing/fake_services.h"

namespace medidesk::admin {
namespace {

using namespace std::chrono_literals;
using testing::FakeServices;

template <class Condition>
bool Eventually(Condition condition) {
  const auto end = std::chrono::steady_clock::now() + 20s;
  while (!condition()) {
    if (std::chrono::steady_clock::now() > end) return false;
    std::this_thread::sleep_for(2ms);
  }
  return true;
}

class HealthMonitorTest : public ::testing::Test {
 protected:
  // "store assistant", of what is up.
  std::string Up() {
    std::string up;
    for (const auto& service : monitor_.Snapshot().services) {
      if (service.up) up += (up.empty() ? "" : " ") + service.name;
    }
    return up;
  }
  void TearDown() override { monitor_.Stop(); }

  FakeServices services_;
  HealthMonitor monitor_{services_.io.executor(), services_.channel(), services_.channel(), services_.channel()};
};

TEST_F(HealthMonitorTest, ClaimsNothingBeforeItHasAsked) {
  EXPECT_EQ(Up(), "");
  const HealthSnapshot snapshot = monitor_.Snapshot();
  ASSERT_EQ(snapshot.services.size(), 3u);
  EXPECT_TRUE(snapshot.services[0].required);
  EXPECT_TRUE(snapshot.services[1].required);
  EXPECT_FALSE(snapshot.services[2].required) << "the webhook works without WhatsApp";
}

TEST_F(HealthMonitorTest, SeesWhoAnswersDownToTheDatabase) {
  services_.store.up = false;
  services_.assistant.up = false;
  monitor_.Start();
  ASSERT_TRUE(Eventually([&] { return services_.store.asked >= 2; }));
  EXPECT_EQ(Up(), "");
  services_.store.up = true;
  EXPECT_TRUE(Eventually([&] { return Up() == "store"; }));
  services_.assistant.up = true;
  EXPECT_TRUE(Eventually([&] { return Up() == "store assistant"; }));
  services_.gateway.up = true;
  EXPECT_TRUE(Eventually([&] { return Up() == "store assistant gateway"; }));
}

TEST_F(HealthMonitorTest, SeesThemGoAway) {
  services_.gateway.up = true;
  monitor_.Start();
  ASSERT_TRUE(Eventually([&] { return Up() == "store assistant gateway"; }));
  services_.store.up = false;
  services_.gateway.up = false;
  EXPECT_TRUE(Eventually([&] { return Up() == "assistant"; }));
  services_.server->Shutdown(0ms);
  EXPECT_TRUE(Eventually([&] { return Up() == ""; }));
}

TEST_F(HealthMonitorTest, ShowsTheNumbersAndWhoIsLoggedIn) {
  gateway::v1::ListNumbersResponse numbers;
  const auto add = [&](const char* name, store::v1::NumberState state, bool owner_alive) {
    store::v1::Number* number = numbers.add_numbers();
    number->set_name(name);
    number->set_enabled(true);
    number->set_state(state);
    number->set_device_jid("15550109999:7@s.whatsapp.net");
    number->set_owner_alive(owner_alive);
  };
  add("desk", store::v1::NUMBER_STATE_CONNECTED, true);
  add("lab", store::v1::NUMBER_STATE_CATCHING_UP, true);
  add("lost", store::v1::NUMBER_STATE_CONNECTED, false);
  add("out", store::v1::NUMBER_STATE_NEEDS_LINK, true);
  add("webhook", store::v1::NUMBER_STATE_NO_DEVICE, false);
  services_.gateway.Have(std::move(numbers));
  services_.gateway.up = true;
  monitor_.Start();
  ASSERT_TRUE(Eventually([&] { return !monitor_.Snapshot().numbers.empty(); }));
  const auto shown = monitor_.Snapshot().numbers;
  ASSERT_EQ(shown.size(), 4u) << "the row of the webhook is no number of WhatsApp";
  EXPECT_TRUE(shown[0].connected);
  EXPECT_EQ(shown[0].user, "15550109999:7@s.whatsapp.net");
  EXPECT_TRUE(shown[1].connected) << "logged in";
  EXPECT_FALSE(shown[2].connected) << "its owner is dead";
  EXPECT_FALSE(shown[3].connected);
  EXPECT_EQ(shown[3].state, "needs_link");
}

TEST_F(HealthMonitorTest, TellsAGatewayWithoutItsStoreFromNoGateway) {
  gateway::v1::ListNumbersResponse numbers;
  numbers.add_numbers()->set_name("desk");
  numbers.mutable_numbers(0)->set_state(store::v1::NUMBER_STATE_CONNECTED);
  numbers.mutable_numbers(0)->set_owner_alive(true);
  services_.gateway.Have(std::move(numbers));
  services_.gateway.up = true;
  services_.store.up = false;
  monitor_.Start();
  ASSERT_TRUE(Eventually([&] { return !monitor_.Snapshot().numbers.empty(); }));
  services_.gateway.store_away = true;
  EXPECT_TRUE(Eventually([&] { return monitor_.Snapshot().numbers[0].state == "unknown"; }));
  EXPECT_FALSE(monitor_.Snapshot().numbers[0].connected);
  EXPECT_EQ(Up(), "assistant gateway");
}

TEST_F(HealthMonitorTest, StopsAtAnyMoment) {
  monitor_.Stop();  // never started
  monitor_.Start();
  monitor_.Stop();
  monitor_.Stop();
}

}  // namespace
}  // namespace medidesk::admin
