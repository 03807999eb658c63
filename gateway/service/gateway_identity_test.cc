#include "gateway/service/gateway_identity.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <optional>

#include "base/status.h"
#include "base/uuid.h"

namespace medidesk::gateway {
namespace {

class GatewayIdentityTest : public ::testing::Test {
 protected:
  GatewayIdentityTest() { std::filesystem::remove_all(folder_); }
  ~GatewayIdentityTest() override { std::filesystem::remove_all(folder_); }

  const std::string folder_ = ::testing::TempDir() + "gateway_identity_" + std::to_string(getpid());
};

TEST_F(GatewayIdentityTest, KeepsItsIdAcrossRunsAndHoldsTheLock) {
  std::optional<GatewayIdentity> first(GatewayIdentity::Make("", folder_).value());
  EXPECT_TRUE(first->lock_held());
  EXPECT_TRUE(IsUuid(first->instance_id()));
  const std::string id = first->gateway_id(), instance = first->instance_id();
  first.reset();
  const GatewayIdentity second = GatewayIdentity::Make("", folder_).value();
  EXPECT_EQ(second.gateway_id(), id);
  EXPECT_NE(second.instance_id(), instance);
  EXPECT_TRUE(second.lock_held());
}

TEST_F(GatewayIdentityTest, IsAnotherOneWhileTheFirstLives) {
  const GatewayIdentity first = GatewayIdentity::Make("", folder_).value();
  const GatewayIdentity second = GatewayIdentity::Make("", folder_).value();
  EXPECT_FALSE(second.lock_held());
  EXPECT_NE(second.gateway_id(), first.gateway_id());
}

TEST_F(GatewayIdentityTest, TakesTheIdItIsGiven) {
  const GatewayIdentity given = GatewayIdentity::Make("front-1", folder_).value();
  EXPECT_EQ(given.gateway_id(), "front-1");
  EXPECT_TRUE(given.lock_held());
}

TEST_F(GatewayIdentityTest, GoesWithoutAFolder) {
  const GatewayIdentity none = GatewayIdentity::Make("", "").value();
  EXPECT_FALSE(none.lock_held());
  EXPECT_NE(none.gateway_id(), GatewayIdentity::Make("", "").value().gateway_id());
}

TEST_F(GatewayIdentityTest, MakesAnIdAnewWhereTheFileHoldsNone) {
  std::filesystem::create_directories(folder_);
  std::ofstream(folder_ + "/gateway_id") << "not an id\n";
  const std::string id = GatewayIdentity::Make("", folder_).value().gateway_id();
  EXPECT_EQ(id.size(), 20u);
  EXPECT_EQ(GatewayIdentity::Make("", folder_).value().gateway_id(), id);
}

TEST_F(GatewayIdentityTest, RefusesAMalformedIdAndAFolderThatIsNone) {
  EXPECT_EQ(GatewayIdentity::Make("a b", "").status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(GatewayIdentity::Make(std::string(65, 'a'), "").status().code(), absl::StatusCode::kInvalidArgument);
  std::ofstream(folder_) << "a file";
  EXPECT_EQ(GatewayIdentity::Make("", folder_ + "/below").status().code(), absl::StatusCode::kFailedPrecondition);
}

}  // namespace
}  // namespace medidesk::gateway
