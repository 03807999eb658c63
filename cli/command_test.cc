#include "cli/command.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <sstream>

#include "medidesk/store/v1/access.grpc.pb.h"

namespace medidesk::cli {
namespace {

using ::testing::HasSubstr;

absl::StatusOr<int> Try(Context& context, Arguments& arguments) {
  MD_ASSIGN_OR_RETURN(const std::string what, arguments.Word("WHAT"));
  MD_RETURN_IF_ERROR(arguments.Finish());
  context.out() << context.config().store_address << '\n';
  if (what == "busy") return Error(absl::StatusCode::kResourceExhausted, "too busy");
  if (what == "absent") return Error(absl::StatusCode::kNotFound, "no such thing");
  if (what == "call") {
    MD_ASSIGN_OR_RETURN(const auto response,
                        (context.Call<store::v1::AccessService>(context.Store(), MD_METHOD(ListTokens), {})));
  }
  return what == "fault" ? kRefused : kDone;
}
constexpr Command kTry = {"try", "tries it", "try WHAT\ntry --all", &Try};

struct Outcome {
  int code;
  std::string out, errors;
};

Outcome RunWords(const std::vector<std::string>& words, std::map<std::string, std::string> environment = {}) {
  std::ostringstream out, errors;
  const FlagSet::Environment read = [&](const char* name) -> const char* {
    const auto found = environment.find(name);
    return found == environment.end() ? nullptr : found->second.c_str();
  };
  const int code = RunCommandLine(words, read, out, errors, {&kTry});
  return {code, out.str(), errors.str()};
}

TEST(RunCommandLine, TakesTheConnectionFromFlagsAndTheirEnvironmentTwins) {
  EXPECT_EQ(RunWords({"try", "it"}).out, "127.0.0.1:7003\n");
  EXPECT_EQ(RunWords({"try", "it"}, {{"STORE_ADDRESS", "store:1"}}).out, "store:1\n");
  EXPECT_EQ(RunWords({"--store_address=store:2", "try", "it"}, {{"STORE_ADDRESS", "store:1"}}).out, "store:2\n");
}

TEST(RunCommandLine, TellsOutcomesApartByTheExitCode) {
  EXPECT_EQ(RunWords({"try", "it"}).code, kDone);
  EXPECT_EQ(RunWords({"try", "fault"}).code, kRefused);
  EXPECT_EQ(RunWords({"try", "absent"}).code, kRefused);
  EXPECT_EQ(RunWords({"try", "absent"}).errors, "medidesk try: no such thing\n");
  EXPECT_EQ(RunWords({"try", "busy"}).code, kUnreachable);
}

TEST(RunCommandLine, ShowsTheUsageOfACommandThatIsUsedWrongly) {
  const Outcome outcome = RunWords({"try"});
  EXPECT_EQ(outcome.code, kWrongUsage);
  EXPECT_EQ(outcome.errors, "medidesk try: WHAT is missing\nusage:\n  ./medidesk try WHAT\n  ./medidesk try --all\n");
  EXPECT_EQ(RunWords({"other"}).errors, "medidesk: unknown command; medidesk-cli --help lists them\n");
  EXPECT_EQ(RunWords({}).code, kWrongUsage);
  EXPECT_EQ(RunWords({"--nonsense=1", "try", "it"}).code, kWrongUsage);
}

TEST(RunCommandLine, HelpsWhenAsked) {
  const Outcome all = RunWords({"--help"}), one = RunWords({"try", "--help"});
  EXPECT_EQ(all.code, kDone);
  EXPECT_THAT(all.out, HasSubstr("  try      tries it\n"));
  EXPECT_THAT(all.out, HasSubstr("--store_address [STORE_ADDRESS]"));
  EXPECT_EQ(one.code, kDone);
  EXPECT_THAT(one.out, HasSubstr("  ./medidesk try WHAT\n"));
}

TEST(RunCommandLine, NamesTheServiceThatCannotBeReached) {
  const Outcome outcome = RunWords({"--store_address=127.0.0.1:1", "try", "call"});
  EXPECT_EQ(outcome.code, kUnreachable);
  EXPECT_THAT(outcome.errors, HasSubstr("cannot reach the store at 127.0.0.1:1"));
  EXPECT_EQ(RunWords({"--store_address=store.example:1", "try", "call"}).code, kWrongUsage);
}

TEST(AllCommands, HaveANameAPurposeAndAUsageThatBeginsWithIt) {
  for (const Command* command : AllCommands()) {
    EXPECT_FALSE(command->purpose.empty()) << command->name;
    EXPECT_EQ(command->usage.substr(0, command->name.size()), command->name);
    EXPECT_NE(command->run, nullptr);
  }
}

}  // namespace
}  // namespace medidesk::cli
