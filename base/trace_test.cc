#include "base/trace.h"

#include <gtest/gtest.h>

namespace medidesk {
namespace {

TEST(TraceContext, CarriesTheTraceIdOn) {
  const auto context = TraceContext::Parse("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01");
  ASSERT_TRUE(context.has_value());
  const auto next = TraceContext::Parse(context->Header());
  ASSERT_TRUE(next.has_value());
  EXPECT_EQ(next->trace_id, "4bf92f3577b34da6a3ce929d0e0e4736");
  EXPECT_NE(next->parent_id, "00f067aa0ba902b7");
}

TEST(TraceContext, RefusesWhatTheRecommendationRefuses) {
  for (const char* text : {"", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7",
                           "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
                           "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
                           "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
                           "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
                           "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-x"}) {
    EXPECT_FALSE(TraceContext::Parse(text).has_value()) << text;
  }
}

TEST(TraceContext, MakesValidOnes) { EXPECT_TRUE(TraceContext::Parse(TraceContext::New().Header()).has_value()); }

}  // namespace
}  // namespace medidesk
