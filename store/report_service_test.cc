// ReportService over a real PostgreSQL: the way of a message, found by each of its ids, and what a day's rollups say.
#include "store/service/report_service.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <ctime>

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

// What the reports say of a day that is made up, message by message.
class ReportsOfTheDayTest : public testing::StoreFixture {
 protected:
  ReportsOfTheDayTest() : service_(dispatcher_, pool_) {}

  v1::ReportScope Scope() {
    v1::ReportScope scope;
    scope.mutable_time_range()->mutable_start_time()->set_seconds(std::time(nullptr) - 86'400);
    scope.set_timezone("Asia/Kolkata");
    return scope;
  }
  void RollUp() { database_.Sql("select medidesk.roll_up(200)"); }
  v1::GetCountsResponse Counts(v1::ReportInterval interval) {
    v1::GetCountsRequest request;
    *request.mutable_scope() = Scope();
    request.set_interval(interval);
    auto response = Wait(service_.GetCounts(call_, request));
    EXPECT_TRUE(response.ok()) << Text(response.status());
    return response.value_or(v1::GetCountsResponse());
  }
  v1::GetBreakdownResponse Breakdown(v1::BreakdownKind kind) {
    v1::GetBreakdownRequest request;
    *request.mutable_scope() = Scope();
    request.set_kind(kind);
    auto response = Wait(service_.GetBreakdown(call_, request));
    EXPECT_TRUE(response.ok()) << Text(response.status());
    return response.value_or(v1::GetBreakdownResponse());
  }

  ReportService service_;
};

TEST_F(ReportsOfTheDayTest, CountWhatHappened) {
  Answer(Accept("one", "+15550100001"), "first answer");
  Answer(Accept("two", "+15550100001"), "second answer");
  const v1::Turn waiting = Accept("three", "+15550100002");
  database_.Sql(
      "update messages set verdict = '{\"severity\":\"emergency\",\"family\":\"chest_pain\",\"language\":\"en\"}' "
      "where id = '" +
      waiting.id() + "'");
  database_.Sql("insert into tasks (conversation_id, turn_id, reason, urgent) values ('" + waiting.conversation_id() +
                "', '" + waiting.id() + "', 'emergency:chest_pain', true), ('" + waiting.conversation_id() + "', '" +
                waiting.id() + "', 'no_answer', false)");
  RollUp();
  RollUp();  // a second time changes nothing
  const v1::Counts total = Counts(v1::REPORT_INTERVAL_DAY).total();
  EXPECT_EQ(total.received_messages(), 3);
  EXPECT_EQ(total.bot_messages(), 2);
  EXPECT_EQ(total.turns(), 3);
  EXPECT_EQ(total.turns_answered_alone(), 2);
  EXPECT_EQ(total.active_conversations(), 2);
  EXPECT_EQ(total.new_contacts(), 2);
  EXPECT_EQ(total.emergencies(), 1);
  EXPECT_EQ(total.handovers(), 1);
  EXPECT_EQ(total.unanswered_questions(), 1);
  std::int64_t hours = 0, active = 0;
  const v1::GetCountsResponse by_hour = Counts(v1::REPORT_INTERVAL_HOUR);
  for (const auto& bucket : by_hour.buckets()) {
    hours += bucket.counts().received_messages();
    active += bucket.counts().active_conversations();
  }
  EXPECT_EQ(hours, 3);
  EXPECT_GE(active, 2);
  EXPECT_EQ(Breakdown(v1::BREAKDOWN_KIND_GATE_FAMILY).rows(0).value(), "chest_pain");
  EXPECT_EQ(Breakdown(v1::BREAKDOWN_KIND_ROUTE).rows(0).value(), "webhook");
  EXPECT_EQ(Breakdown(v1::BREAKDOWN_KIND_HANDOVER_REASON).rows(0).value(), "emergency:chest_pain");
  EXPECT_EQ(Breakdown(v1::BREAKDOWN_KIND_REPLY_SOURCE).rows(0).count(), 2);

  v1::ListEmergenciesRequest emergencies;
  *emergencies.mutable_scope() = Scope();
  *emergencies.mutable_actor() = Operator();
  const auto listed = Wait(service_.ListEmergencies(call_, emergencies));
  ASSERT_TRUE(listed.ok()) << Text(listed.status());
  ASSERT_EQ(listed->emergencies_size(), 1);
  EXPECT_EQ(listed->emergencies(0).family(), "chest_pain");
  v1::ListUnansweredQuestionsRequest questions;
  *questions.mutable_scope() = Scope();
  *questions.mutable_actor() = Operator();
  const auto asked = Wait(service_.ListUnansweredQuestions(call_, questions));
  ASSERT_TRUE(asked.ok()) << Text(asked.status());
  ASSERT_EQ(asked->questions_size(), 1);
  EXPECT_EQ(asked->questions(0).text(), "three");
}

TEST_F(ReportsOfTheDayTest, AnAnswerIsNotTheAssistantsAloneWhenStaffFollows) {
  const v1::Turn turn = Accept("one");
  Answer(turn, "first answer");
  database_.Sql(
      "insert into messages (conversation_id, contact_id, sender, content, direction, from_me, whatsapp_message_id) "
      "select conversation_id, "
      "contact_id, 'staff', 'let me add', 'sent', true, 'x' from messages limit 1");
  RollUp();
  const v1::Counts total = Counts(v1::REPORT_INTERVAL_DAY).total();
  EXPECT_EQ(total.turns_answered_alone(), 0);
  EXPECT_EQ(total.staff_messages(), 1);
}

TEST_F(ReportsOfTheDayTest, QuantilesAreExactToFivePercent) {
  for (int i = 1; i <= 20; ++i) Answer(Accept("m" + std::to_string(i), "+1555010" + std::to_string(1000 + i)), "a");
  database_.Sql(
      "update turns t set closed_at = opened_at + (x.n * interval '100 milliseconds') from (select id, row_number() "
      "over (order by first_seq) as n "
      "from turns) x where x.id = t.id");
  RollUp();
  v1::GetLatencyRequest request;
  *request.mutable_scope() = Scope();
  request.add_stages(v1::LATENCY_STAGE_TOTAL);
  const auto response = Wait(service_.GetLatency(call_, request));
  ASSERT_TRUE(response.ok()) << Text(response.status());
  ASSERT_EQ(response->total_size(), 1);
  const auto milliseconds = [](const google::protobuf::Duration& d) { return d.seconds() * 1000.0 + d.nanos() / 1e6; };
  EXPECT_EQ(response->total(0).count(), 20);
  EXPECT_NEAR(milliseconds(response->total(0).p50()), 1000, 60);
  EXPECT_NEAR(milliseconds(response->total(0).p95()), 1900, 100);
}

TEST_F(ReportsOfTheDayTest, ExportsADayAndNumberALine) {
  Answer(Accept("one"), "answer");
  RollUp();
  v1::ExportDailyReportRequest request;
  *request.mutable_scope() = Scope();
  *request.mutable_actor() = Operator();
  testing::CollectedStream<v1::ExportDailyReportResponse> stream;
  const absl::Status done = Wait(service_.ExportDailyReport(call_, request, stream));
  ASSERT_TRUE(done.ok()) << Text(done);
  ASSERT_EQ(stream.messages.size(), 1U);
  const std::string& csv = stream.messages[0].csv();
  EXPECT_EQ(std::count(csv.begin(), csv.end(), '\n'), 2);
  EXPECT_NE(csv.find(",webhook,1,1,0,"), std::string::npos) << csv;
}

TEST_F(ReportsOfTheDayTest, RatingsAndModelUseAreCountedOnce) {
  const v1::Turn turn = Accept("one");
  v1::RecordRatingRequest rating;
  rating.set_commit_id(NewUuid());
  rating.set_conversation_id(turn.conversation_id());
  rating.set_rating(5);
  EXPECT_FALSE(Wait(service_.RecordRating(call_, rating))->replaced());
  EXPECT_FALSE(Wait(service_.RecordRating(call_, rating))->replaced());
  rating.set_commit_id(NewUuid());
  rating.set_rating(3);
  EXPECT_TRUE(Wait(service_.RecordRating(call_, rating))->replaced());
  v1::RecordModelUsageRequest usage;
  usage.set_commit_id(NewUuid());
  usage.add_models()->set_model("claude-x");
  usage.mutable_models(0)->set_requests(7);
  usage.mutable_models(0)->set_cost_micro_usd(1234);
  EXPECT_TRUE(Wait(service_.RecordModelUsage(call_, usage)).ok());
  EXPECT_TRUE(Wait(service_.RecordModelUsage(call_, usage)).ok());
  v1::GetModelUsageRequest request;
  *request.mutable_scope() = Scope();
  const auto models = Wait(service_.GetModelUsage(call_, request));
  ASSERT_TRUE(models.ok() && models->models_size() == 1) << Text(models.status());
  EXPECT_EQ(models->models(0).requests(), 7);
  EXPECT_EQ(models->models(0).cost_micro_usd(), 1234);
  const v1::Counts total = Counts(v1::REPORT_INTERVAL_DAY).total();
  EXPECT_EQ(total.ratings(), 1);
  EXPECT_EQ(total.rating_sum(), 3);
}

TEST_F(ReportsOfTheDayTest, RefusesWhatItCannotShow) {
  v1::GetCountsRequest request;
  EXPECT_EQ(Wait(service_.GetCounts(call_, request)).status().code(), absl::StatusCode::kInvalidArgument);
  *request.mutable_scope() = Scope();
  request.mutable_scope()->set_timezone("Nowhere/At_All");
  EXPECT_EQ(Wait(service_.GetCounts(call_, request)).status().code(), absl::StatusCode::kInvalidArgument);
  *request.mutable_scope() = Scope();
  request.mutable_scope()->mutable_time_range()->mutable_start_time()->set_seconds(1'000'000'000);
  EXPECT_EQ(Wait(service_.GetCounts(call_, request)).status().code(), absl::StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace medidesk::store
