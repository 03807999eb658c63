#include "cli/audit_command.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sstream>

namespace medidesk::cli {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

TEST(PrintVerdict, ExitsWithOneAndThePlaceForABrokenChain) {
  store::v1::VerifyAuditResponse verdict;
  verdict.set_done(true);
  verdict.set_checked_count(40);
  verdict.set_first_bad_sequence(41);
  verdict.set_bad_count(5);
  verdict.mutable_bad_seal_time()->set_seconds(1'700'000'000);
  std::ostringstream out;
  EXPECT_EQ(PrintVerdict(verdict, out), 1);
  EXPECT_THAT(out.str(), StartsWith("BROKEN"));
  EXPECT_THAT(out.str(), HasSubstr("records 41 to 45"));
  EXPECT_THAT(out.str(), HasSubstr("2023-11-14 22:13:20 UTC"));
}

TEST(PrintVerdict, TellsTheTailAndWhatToKeep) {
  store::v1::VerifyAuditResponse verdict;
  verdict.set_done(true);
  verdict.set_valid(true);
  verdict.set_checked_count(40);
  verdict.set_unsealed_count(3);
  verdict.set_last_sequence(40);
  verdict.set_last_chain_hash(std::string(32, '\xab'));
  std::ostringstream out;
  EXPECT_EQ(PrintVerdict(verdict, out), 0);
  EXPECT_THAT(out.str(), HasSubstr("40 records checked, 3 not sealed yet"));
  EXPECT_THAT(out.str(), HasSubstr("--from 41 --hash abababab"));
}

TEST(AuditCommand, RefusesWrongWordsBeforeItCallsAnybody) {
  for (const std::vector<std::string>& words :
       std::vector<std::vector<std::string>>{{"audit"},
                                             {"audit", "list"},
                                             {"audit", "verify", "--from", "x"},
                                             {"audit", "verify", "--hash", "ab"},
                                             {"audit", "verify", "--from", "2", "--hash", "zz"}}) {
    std::ostringstream out, errors;
    const FlagSet::Environment nothing = [](const char*) -> const char* { return nullptr; };
    EXPECT_EQ(RunCommandLine(words, nothing, out, errors), 2) << words.size();
  }
}

}  // namespace
}  // namespace medidesk::cli
