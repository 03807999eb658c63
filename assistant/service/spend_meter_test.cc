#include "assistant/service/spend_meter.h"

#include <gtest/gtest.h>

namespace medidesk::assistant {
namespace {

using std::chrono::hours;

constexpr std::chrono::system_clock::time_point kMorning{hours(24 * 20'000 + 8)};

claude::Usage Output(std::int64_t tokens) {
  claude::Usage usage;
  usage.output_tokens = tokens;
  return usage;
}

TEST(SpendMeter, WeighsTokensByWhatTheyCost) {
  EXPECT_EQ(SpendMeter::Weigh(
                {.input_tokens = 100, .output_tokens = 10, .cache_read_tokens = 1'000, .cache_write_tokens = 7}),
            100 + 50 + 100 + 14);
}

TEST(SpendMeter, StopsAContactForTheDay) {
  SpendMeter meter({.contact_a_day = 100});
  EXPECT_TRUE(meter.MaySpend("a", kMorning));
  meter.Add("a", Output(20), kMorning);
  EXPECT_FALSE(meter.MaySpend("a", kMorning + hours(1)));
  EXPECT_TRUE(meter.MaySpend("b", kMorning + hours(1)));
  EXPECT_TRUE(meter.MaySpend("a", kMorning + hours(24)));
}

TEST(SpendMeter, StopsEverybodyForTheDay) {
  SpendMeter meter({.contact_a_day = 0, .hospital_a_day = 100});
  meter.Add("a", Output(10), kMorning);
  EXPECT_TRUE(meter.MaySpend("c", kMorning));
  meter.Add("b", Output(10), kMorning);
  EXPECT_FALSE(meter.MaySpend("c", kMorning));
  EXPECT_TRUE(meter.MaySpend("c", kMorning + hours(24)));
}

TEST(SpendMeter, LimitsNothingByDefault) {
  SpendMeter meter({});
  meter.Add("a", Output(1'000'000'000), kMorning);
  EXPECT_TRUE(meter.MaySpend("a", kMorning));
}

}  // namespace
}  // namespace medidesk::assistant
