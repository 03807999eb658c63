#include "cli/arguments.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace medidesk::cli {
namespace {

using ::testing::ElementsAre;

TEST(Arguments, TakesOptionsSwitchesAndWords) {
  Arguments arguments({"create", "--scope", "reply,read", "lab-system", "--json", "--host=a", "--host", "b"});
  EXPECT_TRUE(arguments.Switch("--json"));
  EXPECT_FALSE(arguments.Switch("--json"));
  EXPECT_EQ(*arguments.Option("--scope"), "reply,read");
  EXPECT_EQ(*arguments.Option("--expires"), std::nullopt);
  EXPECT_THAT(*arguments.Options("--host"), ElementsAre("a", "b"));
  EXPECT_EQ(*arguments.Word("ACTION"), "create");
  EXPECT_EQ(*arguments.OptionalWord(), "lab-system");
  EXPECT_EQ(*arguments.OptionalWord(), std::nullopt);
  EXPECT_TRUE(arguments.Finish().ok());
}

TEST(Arguments, AsksForWhatIsMissing) {
  Arguments arguments({"--scope"});
  EXPECT_EQ(Text(arguments.Option("--scope").status()), "--scope needs a value");
  EXPECT_EQ(Text(Arguments({}).Word("NAME").status()), "NAME is missing");
  EXPECT_FALSE(Arguments({"--scope", "--json"}).Option("--scope").ok());
  EXPECT_FALSE(Arguments({"--scope=a", "--scope=b"}).Option("--scope").ok());
}

TEST(Arguments, RefusesWhatIsLeftWithoutQuotingIt) {
  for (const char* word : {"--unknown-4711", "word-4711"}) {
    const absl::Status status = Arguments({word}).Finish();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
    EXPECT_EQ(Text(status).find("4711"), std::string_view::npos);
  }
  EXPECT_FALSE(Arguments({"--unknown"}).Word("NAME").ok());
}

TEST(Arguments, TakesEverythingAfterTwoDashesAsWords) {
  Arguments arguments({"a", "--", "--b", "c"});
  EXPECT_FALSE(arguments.Switch("--b"));
  EXPECT_EQ(*arguments.Word("x"), "a");
  EXPECT_EQ(*arguments.Word("x"), "--b");
  EXPECT_FALSE(arguments.Finish().ok());
  EXPECT_EQ(*arguments.Word("x"), "c");
  EXPECT_TRUE(arguments.Finish().ok());
}

}  // namespace
}  // namespace medidesk::cli
