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

TEST_F(HealthMonitorTest, StopsAtAnyMoment) {
  monitor_.Stop();  // never started
  monitor_.Start();
  monitor_.Stop();
  monitor_.Stop();
}

}  // namespace
}  // namespace medidesk::admin
