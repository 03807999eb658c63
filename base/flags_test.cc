#include "base/flags.h"

#include <gtest/gtest.h>

#include <map>

namespace medidesk {
namespace {

using std::chrono::milliseconds;

class FlagsTest : public testing::Test {
 protected:
  FlagsTest() : flags_("prog", "does things") {
    flags_.Add("database_url", &url_, "where");
    flags_.Add("pool_size", &pool_, "connections", {.min = 1, .max = 100});
    flags_.Add("webhook_open", &open_, "open to all");
    flags_.Add("budget", &budget_, "time for one answer");
    flags_.Twin("budget", "MEDIDESK_BUDGET");
  }
  absl::Status Parse(std::vector<const char*> args) {
    args.insert(args.begin(), "prog");
    return flags_.Parse(static_cast<int>(args.size()), args.data(), [this](const char* name) -> const char* {
      const auto found = environment_.find(name);
      return found == environment_.end() ? nullptr : found->second;
    });
  }

  std::map<std::string, const char*> environment_;
  std::string url_ = "default";
  int pool_ = 8;
  bool open_ = false;
  milliseconds budget_{25'000};
  FlagSet flags_;
};

TEST_F(FlagsTest, PrefersTheCommandLineThenTheEnvironment) {
  environment_ = {{"DATABASE_URL", "from env"}, {"POOL_SIZE", "3"}, {"MEDIDESK_BUDGET", "2m"}};
  ASSERT_TRUE(Parse({"--pool_size=5", "--webhook_open"}).ok());
  EXPECT_EQ(url_, "from env");
  EXPECT_EQ(pool_, 5);
  EXPECT_TRUE(open_);
  EXPECT_EQ(budget_, milliseconds(120'000));
}

TEST_F(FlagsTest, TakesTheValueAsTheNextArgument) {
  ASSERT_TRUE(Parse({"--pool_size", "7", "--no-webhook_open", "--budget", "250ms"}).ok());
  EXPECT_EQ(pool_, 7);
  EXPECT_FALSE(open_);
  EXPECT_EQ(budget_, milliseconds(250));
}

TEST_F(FlagsTest, CountsAnEmptyEnvironmentValueAsAbsent) {
  environment_ = {{"POOL_SIZE", ""}};
  EXPECT_TRUE(Parse({}).ok());
  EXPECT_EQ(pool_, 8);
}

TEST_F(FlagsTest, NamesTheFlagThatIsWrongAndNotItsValue) {
  EXPECT_EQ(Text(Parse({"--pool_size=secret"})), "--pool_size: expected a whole number from 1 to 100");
  EXPECT_EQ(Text(Parse({"--pool_size=101"})), "--pool_size: expected a whole number from 1 to 100");
  EXPECT_EQ(Text(Parse({"--webhook_open=maybe"})), "--webhook_open: expected 1 or 0");
  EXPECT_EQ(Text(Parse({"--budget=5"})), "--budget: expected a duration such as 250ms, 5s, 2m or 1h");
  EXPECT_EQ(Text(Parse({"--budget=99999999999999999h"})), "--budget: expected a duration such as 250ms, 5s, 2m or 1h");
  EXPECT_EQ(Text(Parse({"--pool_size"})), "--pool_size: needs a value");
  EXPECT_EQ(Text(Parse({"--nonsense=1"})), "argument 1: no such flag; see --help");
  EXPECT_EQ(Text(Parse({"stray"})), "argument 1: flags start with --; see --help");
  environment_ = {{"MEDIDESK_BUDGET", "soon"}};
  EXPECT_EQ(Text(Parse({})), "MEDIDESK_BUDGET: expected a duration such as 250ms, 5s, 2m or 1h");
}

TEST_F(FlagsTest, ExplainsItself) {
  ASSERT_TRUE(Parse({"--help"}).ok());
  EXPECT_TRUE(flags_.help_wanted());
  EXPECT_NE(flags_.Help().find("--budget [MEDIDESK_BUDGET]\n      time for one answer (default 25s)"),
            std::string::npos);
}

}  // namespace
}  // namespace medidesk
