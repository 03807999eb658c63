#include "cli/trace_command.h"

#include <gmock/gmock.h>
#include <google/protobuf/util/time_util.h>

namespace medidesk::cli {
namespace {

using store::v1::TraceStep;
using ::testing::HasSubstr;

constexpr char kTrace[] = "0af7651916cd43dd8448eb211c80319c";

TEST(ReadLogLine, TakesTextAndJsonLinesOfTheTrace) {
  TraceStep text, json;
  ASSERT_TRUE(
      ReadLogLine("2026-11-24T10:00:00.005Z info webhook_answered request=r-1 code=200 ms=12 "
                  "trace=0af7651916cd43dd8448eb211c80319c",
                  kTrace, &text));
  EXPECT_EQ(text.service(), "admin");
  EXPECT_EQ(text.step(), "log webhook_answered");
  EXPECT_EQ(text.detail_code(), "code=200 ms=12");
  ASSERT_TRUE(ReadLogLine(R"({"time":"2026-11-24T10:00:00.005Z","level":"info","event":"rpc_ended","service":"store",)"
                          R"("method":"ConversationService/Accept","code":"OK","ms":3,"trace":)"
                          R"("0af7651916cd43dd8448eb211c80319c"})",
                          kTrace, &json));
  EXPECT_EQ(json.service(), "store");
  EXPECT_EQ(json.detail_code(), "method=ConversationService/Accept code=OK ms=3");
  EXPECT_EQ(google::protobuf::util::TimeUtil::TimestampToMilliseconds(json.step_time()), 1795514400005);
}

TEST(ReadLogLine, LeavesEveryOtherLine) {
  TraceStep step;
  for (const char* line : {"", "{", "{}", "[]", "trace=0af7651916cd43dd8448eb211c80319c",
                           "2026-11-24T10:00:00.005Z info x turn=0af7651916cd43dd8448eb211c80319c",
                           "yesterday info x trace=0af7651916cd43dd8448eb211c80319c",
                           "2026-11-24T10:00:00.005Z info x trace=11111111111111111111111111111111",
                           R"({"time":1,"trace":"0af7651916cd43dd8448eb211c80319c"})",
                           R"({"time":"2026","event":"x","trace":"0af7651916cd43dd8448eb211c80319c")"}) {
    EXPECT_FALSE(ReadLogLine(line, kTrace, &step)) << line;
  }
  EXPECT_FALSE(ReadLogLine("2026-11-24T10:00:00.005Z info x trace=", "", &step));
}

TEST(TraceTable, OrdersStepsByTime) {
  store::v1::GetTraceResponse trace;
  trace.set_trace_id(kTrace);
  const auto add = [&](const char* step, int millis) {
    TraceStep* added = trace.add_steps();
    added->set_step(step);
    added->set_service("store");
    *added->mutable_step_time() = google::protobuf::util::TimeUtil::MillisecondsToTimestamp(1795514400000 + millis);
  };
  add("later", 25);
  add("sooner", 5);
  const std::string table = TraceTable(trace);
  EXPECT_LT(table.find("sooner"), table.find("later"));
  EXPECT_THAT(table, HasSubstr("20.000 ms  +   20.000"));
}

}  // namespace
}  // namespace medidesk::cli
