#include "gateway/wa/connection_end.h"

#include <gtest/gtest.h>

namespace medidesk::gateway::wa {
namespace {

TEST(ConnectionEnd, KnowsEveryFailureOfTheTable) {
  const std::pair<const char*, EndKind> cases[] = {
      {"400", EndKind::kGenericRefusal},
      {"401", EndKind::kLoggedOut},
      {"402", EndKind::kBanned},
      {"403", EndKind::kLoggedOut},
      {"405", EndKind::kVersionRefused},
      {"406", EndKind::kLoggedOut},
      {"409", EndKind::kRefused},
      {"413", EndKind::kRefused},
      {"414", EndKind::kRefused},
      {"415", EndKind::kRefused},
      {"418", EndKind::kRefused},
      {"419", EndKind::kMaybeLoggedOut},
      {"429", EndKind::kSlowRetry},
      {"500", EndKind::kRetry},
      {"501", EndKind::kRefused},
      {"503", EndKind::kRetry},
      {"", EndKind::kRetry},
      {"x", EndKind::kRetry},
      {"99999999", EndKind::kRetry},
      {"777", EndKind::kRetry},
  };
  for (const auto& [reason, kind] : cases) {
    EXPECT_EQ(EndOfFailure(Node{"failure", {{"reason", reason}}, {}}).kind, kind) << reason;
  }
  EXPECT_EQ(EndOfFailure(Node{"failure", {{"reason", "401"}}, {}}).reason, "failure.401");
  EXPECT_EQ(EndOfFailure(Node{"failure", {}, {}}).code, 500);
}

TEST(ConnectionEnd, ReadsTheLengthOfABan) {
  const auto ban = EndOfFailure(Node{"failure", {{"reason", "402"}, {"code", "101"}, {"expire", "3600"}}, {}});
  EXPECT_EQ(ban.ban, std::chrono::seconds(3600));
  EXPECT_EQ(ban.ban_code, 101);
  for (const auto* none : {"", "0", "-5", "soon"}) {
    EXPECT_EQ(EndOfFailure(Node{"failure", {{"reason", "402"}, {"expire", none}}, {}}).ban, std::nullopt) << none;
  }
  const auto absurd = EndOfFailure(Node{"failure", {{"reason", "402"}, {"expire", "18446744073709551615"}}, {}});
  EXPECT_EQ(absurd.ban, std::chrono::hours(24 * 366));
}

TEST(ConnectionEnd, KnowsEveryStreamErrorOfTheTable) {
  const std::pair<const char*, EndKind> cases[] = {
      {"401", EndKind::kLoggedOut},    {"409", EndKind::kReplaced},  {"413", EndKind::kRefused},
      {"414", EndKind::kRefused},      {"429", EndKind::kSlowRetry}, {"500", EndKind::kRetry},
      {"503", EndKind::kRetry},        {"515", EndKind::kRestart},   {"516", EndKind::kLoggedOut},
      {"777", EndKind::kUnknownRetry}, {"", EndKind::kRetry},
  };
  for (const auto& [code, kind] : cases) {
    EXPECT_EQ(EndOfStreamError(Node{"stream:error", {{"code", code}}, {}}).kind, kind) << code;
  }
  EXPECT_EQ(EndOfStreamError(Node{"stream:error", {{"code", "503"}}, {}}).reason, "stream.503");
}

TEST(ConnectionEnd, LetsAConflictWinOverTheCode) {
  const auto end = [](const char* code, const char* type) {
    Node error{"stream:error", {}, Nodes{{"conflict", {{"type", type}}, {}}}};
    if (*code != 0) error.SetAttr({"code", code});
    return EndOfStreamError(error);
  };
  EXPECT_EQ(end("", "replaced").kind, EndKind::kReplaced);
  EXPECT_EQ(end("", "replaced").code, 440);
  EXPECT_EQ(end("503", "replaced").kind, EndKind::kReplaced);
  EXPECT_EQ(end("", "something new").kind, EndKind::kReplaced);
  EXPECT_EQ(end("401", "device_removed").kind, EndKind::kLoggedOut);
  EXPECT_EQ(end("", "device_removed").kind, EndKind::kLoggedOut);
  EXPECT_EQ(end("515", "replaced").kind, EndKind::kRestart);
}

TEST(ConnectionEnd, ToleratesOtherChildren) {
  const Node error{"stream:error", {}, Nodes{{"xml-not-well-formed", {}, {}}}};
  EXPECT_EQ(EndOfStreamError(error).kind, EndKind::kRetry);
}

}  // namespace
}  // namespace medidesk::gateway::wa
