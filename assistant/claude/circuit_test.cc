#include "assistant/claude/circuit.h"

#include <gtest/gtest.h>

namespace medidesk::assistant::claude {
namespace {

using std::chrono::seconds;

class CircuitTest : public ::testing::Test {
 protected:
  void Fail(int times) {
    for (int i = 0; i < times; ++i) circuit_.OnFailure(now_);
  }
  Circuit circuit_{{.failures_to_open = 3, .open_for = seconds(10)}};
  Circuit::Time now_{seconds(1000)};
};

TEST_F(CircuitTest, OpensAfterFailuresInARow) {
  Fail(2);
  EXPECT_TRUE(circuit_.Allow(now_));
  Fail(1);
  EXPECT_FALSE(circuit_.Allow(now_));
  EXPECT_TRUE(circuit_.open(now_));
}

TEST_F(CircuitTest, ForgetsFailuresAfterASuccess) {
  Fail(2);
  circuit_.OnSuccess();
  Fail(2);
  EXPECT_TRUE(circuit_.Allow(now_));
}

TEST_F(CircuitTest, LetsOneCallTryAgainAfterAWhile) {
  Fail(3);
  now_ += seconds(10);
  EXPECT_TRUE(circuit_.Allow(now_));
  EXPECT_FALSE(circuit_.Allow(now_));
  circuit_.OnSuccess();
  EXPECT_TRUE(circuit_.Allow(now_));
  EXPECT_TRUE(circuit_.Allow(now_));
}

TEST_F(CircuitTest, StaysOpenWhenTheTryFails) {
  Fail(3);
  now_ += seconds(10);
  EXPECT_TRUE(circuit_.Allow(now_));
  Fail(1);
  now_ += seconds(9);
  EXPECT_FALSE(circuit_.Allow(now_));
  now_ += seconds(1);
  EXPECT_TRUE(circuit_.Allow(now_));
}

TEST_F(CircuitTest, GivesTheTryToAnotherCallWhenItIsAbandoned) {
  Fail(3);
  now_ += seconds(10);
  EXPECT_TRUE(circuit_.Allow(now_));
  circuit_.OnAbandoned();
  EXPECT_TRUE(circuit_.Allow(now_));
}

}  // namespace
}  // namespace medidesk::assistant::claude
