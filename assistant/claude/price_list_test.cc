#include "assistant/claude/price_list.h"

#include <gtest/gtest.h>

namespace medidesk::assistant::claude {
namespace {

TEST(PriceList, CountsWhatTheCacheSavesAndCosts) {
  const auto prices = PriceList::Parse("small=0.10/0.50,large=2/10");
  ASSERT_TRUE(prices.ok()) << prices.status();
  EXPECT_DOUBLE_EQ(prices->MicroUsd("small", {.input_tokens = 1000, .output_tokens = 100}), 150);
  EXPECT_DOUBLE_EQ(prices->MicroUsd("large", {.input_tokens = 10, .output_tokens = 3}), 50);
  EXPECT_DOUBLE_EQ(prices->MicroUsd("large", {.cache_read_tokens = 100, .cache_write_tokens = 10}), 60);
  EXPECT_DOUBLE_EQ(prices->MicroUsd("unknown", {.input_tokens = 1000}), 0);
  EXPECT_DOUBLE_EQ(PriceList().MicroUsd("small", {.input_tokens = 1000}), 0);
}

TEST(PriceList, RefusesWhatIsNoPrice) {
  EXPECT_TRUE(PriceList::Parse("").ok());
  for (const char* text : {"m", "m=1", "m=1/", "m=/1", "=1/2", "m=1/2/3", "m=-1/2", "m=nan/2", "m=1e9/2", "m=1/2,m=1/2",
                           "m=1/2,,n=1/2", "1/2=m", "m=1 /2", "m=999999999/1"}) {
    const auto prices = PriceList::Parse(text);
    EXPECT_EQ(prices.status().code(), absl::StatusCode::kInvalidArgument) << text;
    EXPECT_EQ(Text(prices.status()).find("999999999"), std::string_view::npos);
  }
}

}  // namespace
}  // namespace medidesk::assistant::claude
