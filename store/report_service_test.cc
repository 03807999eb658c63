// ReportService over a real PostgreSQL: the way of a message, found by each of its ids.
#include "store/service/report_service.h"

#include <gmock/gmock.h>

#include "store/testing/store_fixture.h"

namespace medidesk::store {
namespace {

using ::testing::ElementsAre;

class ReportServiceTest : public testing::StoreFixture {
 protected:
  ReportServiceTest() : service_(dispatcher_, pool_) { call_.trace.trace_id = kTrace; }

  absl::StatusOr<v1::GetTraceResponse> ByTrace(const std::string& id) {
    v1::GetTraceRequest request;
    request.set_trace_id(id);
    return Wait(service_.GetTrace(call_, request));
  }
  absl::StatusOr<v1::GetTraceResponse> ByTurn(const std::string& id) {
    v1::GetTraceRequest request;
    request.set_turn_id(id);
    return Wait(service_.GetTrace(call_, request));
  }
  static std::vector<std::string> Steps(const absl::StatusOr<v1::GetTraceResponse>& response) {
    std::vector<std::string> steps;
    if (!response.ok()) return {std::string(Text(response.status()))};
    for (const v1::TraceStep& step : response->steps()) steps.push_back(step.service() + " " + step.step());
    return steps;
  }

  static constexpr char kTrace[] = "0af7651916cd43dd8448eb211c80319c";
  ReportService service_;
};

TEST_F(ReportServiceTest, TellsTheWayOfAnAnsweredMessage) {
  const v1::Turn turn = Accept("When is the ICU open?");
  call_.trace.trace_id = "11111111111111111111111111111111";
  const v1::Turn other = Accept("Where is the pharmacy?", "+15550100002");
  call_.trace.trace_id = kTrace;
  Answer(turn, "Daily 2-4 PM.");
  Answer(other, "On the ground floor.");
  const auto by_trace = ByTrace(kTrace), by_turn = ByTurn(turn.id());
  ASSERT_TRUE(by_trace.ok() && by_turn.ok()) << Text(by_trace.status());
  EXPECT_THAT(Steps(by_turn), ElementsAre("assistant accept", "store open", "store seal", "assistant commit_reply",
                                          "store answered", "assistant returned"));
  EXPECT_EQ(by_turn->trace_id(), kTrace);
  EXPECT_THAT(by_turn->turn_ids(), ElementsAre(turn.id()));
  // The reply to the other message was committed in a call of this trace.
  EXPECT_EQ(by_trace->turn_ids_size(), 2);
  EXPECT_EQ(by_turn->steps(0).resource_id(), turn.id());
  for (int i = 1; i < by_turn->steps_size(); ++i) {
    const auto micros = [](const google::protobuf::Timestamp& time) {
      return time.seconds() * 1'000'000 + time.nanos() / 1000;
    };
    const auto& step = by_turn->steps(i);
    const auto since = step.since_previous().seconds() * 1'000'000 + step.since_previous().nanos() / 1000;
    EXPECT_EQ(micros(step.step_time()) - micros(by_turn->steps(i - 1).step_time()), since);
  }
}

TEST_F(ReportServiceTest, FindsATurnByItsReply) {
  const v1::Turn turn = Accept("Is there parking?");
  Answer(turn, "Yes.");
  const std::string reply = database_.Value("select id from replies where turn_id = '" + turn.id() + "'");
  EXPECT_EQ(Steps(ByTurn(reply)), Steps(ByTurn(turn.id())));
}

TEST_F(ReportServiceTest, SaysWhenNothingIsStored) {
  EXPECT_EQ(ByTrace("22222222222222222222222222222222").status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(ByTurn(NewUuid()).status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(rpc::InvalidFieldName(ByTrace("0AF7").status()), "trace_id");
  EXPECT_EQ(rpc::InvalidFieldName(Wait(service_.GetTrace(call_, {})).status()), "trace_id");
}

}  // namespace
}  // namespace medidesk::store
