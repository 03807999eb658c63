#include "base/uuid.h"

#include <gtest/gtest.h>

#include <set>

namespace medidesk {
namespace {

TEST(Uuid, IsUniqueOrderedByTimeAndWellFormed) {
  std::set<std::string> seen;
  for (int i = 0; i < 5000; ++i) {
    const std::string id = NewUuid();
    EXPECT_TRUE(IsUuid(id)) << id;
    EXPECT_EQ(id[14], '7');
    EXPECT_TRUE(id[19] == '8' || id[19] == '9' || id[19] == 'a' || id[19] == 'b') << id;
    EXPECT_TRUE(seen.insert(id).second);
  }
}

TEST(Uuid, RefusesOtherText) {
  EXPECT_FALSE(IsUuid(""));
  EXPECT_FALSE(IsUuid("6f1c1f5e-1f0e-4c53-8d3a-2a6d1b7f9c0"));
  EXPECT_FALSE(IsUuid("6f1c1f5e-1f0e-4c53-8d3a-2a6d1b7f9c0g"));
  EXPECT_FALSE(IsUuid("6f1c1f5e01f0e-4c53-8d3a-2a6d1b7f9c01"));
}

}  // namespace
}  // namespace medidesk
