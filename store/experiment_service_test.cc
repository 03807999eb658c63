// ExperimentService over a real PostgreSQL.
#include "store/service/experiment_service.h"

#include <gmock/gmock.h>

#include <map>
#include <set>

#include "store/testing/store_fixture.h"

namespace medidesk::store {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

class ExperimentServiceTest : public testing::StoreFixture {
 protected:
  ExperimentServiceTest() : service_(dispatcher_, pool_) {}

  static v1::Experiment Draft(const std::string& name = "warm-style") {
    v1::Experiment experiment;
    experiment.set_name(name);
    experiment.set_primary_outcome(v1::OUTCOME_KIND_SATISFACTION);
    v1::Variant* control = experiment.add_variants();
    control->set_name("control");
    control->set_weight(1);
    control->set_control(true);
    v1::Variant* warm = experiment.add_variants();
    warm->set_name("warm");
    warm->set_weight(1);
    warm->set_prompt_style("Be warm.");
    return experiment;
  }
  absl::StatusOr<v1::CreateExperimentResponse> Create(const v1::Experiment& experiment) {
    v1::CreateExperimentRequest request;
    request.set_commit_id(NewUuid());
    *request.mutable_experiment() = experiment;
    *request.mutable_actor() = Operator();
    return Wait(service_.CreateExperiment(call_, request));
  }
  std::string Running(const v1::Experiment& experiment) {
    const auto created = Create(experiment);
    EXPECT_TRUE(created.ok()) << Text(created.status());
    const std::string id = created->experiment().id();
    EXPECT_TRUE(Start(id).ok());
    return id;
  }
  absl::StatusOr<v1::StartExperimentResponse> Start(const std::string& id) {
    v1::StartExperimentRequest request;
    request.set_experiment_id(id);
    *request.mutable_actor() = Operator();
    return Wait(service_.StartExperiment(call_, request));
  }
  absl::StatusOr<v1::AssignVariantResponse> Assign(const std::string& turn_id) {
    v1::AssignVariantRequest request;
    request.set_turn_id(turn_id);
    return Wait(service_.AssignVariant(call_, request));
  }
  absl::StatusOr<v1::RecordOutcomeResponse> Record(const std::string& turn_id, v1::OutcomeKind kind, double value) {
    v1::RecordOutcomeRequest request;
    request.set_commit_id(NewUuid());
    request.set_turn_id(turn_id);
    request.set_kind(kind);
    request.set_value(value);
    return Wait(service_.RecordOutcome(call_, request));
  }
  v1::ReportExperimentResponse Report(const std::string& id) {
    v1::ReportExperimentRequest request;
    request.set_experiment_id(id);
    auto response = Wait(service_.ReportExperiment(call_, request));
    EXPECT_TRUE(response.ok()) << Text(response.status());
    return response.value_or(v1::ReportExperimentResponse());
  }
  v1::Experiment Get(const std::string& id) {
    v1::GetExperimentRequest request;
    request.set_experiment_id(id);
    return Wait(service_.GetExperiment(call_, request))->experiment();
  }
  // Exposed turns with an outcome, without a conversation behind each.
  void Expose(const std::string& id, const std::string& variant, int turns, const std::string& kind,
              const std::string& value) {
    database_.Sql(
        "with t as (insert into medidesk.experiment_turns (experiment_id, turn_id, conversation_id, variant) select '" +
        id + "', gen_random_uuid(), gen_random_uuid(), '" + variant + "' from generate_series(1, " +
        std::to_string(turns) +
        ") returning *) insert into medidesk.experiment_outcomes select experiment_id, turn_id, variant, '" + kind +
        "', " + value + " from t");
  }

  ExperimentService service_;
};

TEST_F(ExperimentServiceTest, RefusesWhatVariantsMayNotDo) {
  const auto code = [&](const v1::Experiment& experiment) { return Create(experiment).status().code(); };
  v1::Experiment one = Draft();
  one.mutable_variants()->RemoveLast();
  EXPECT_EQ(code(one), absl::StatusCode::kInvalidArgument);
  one = Draft();
  (*one.mutable_variants(1)->mutable_parameters())["gate"] = "off";
  EXPECT_EQ(code(one), absl::StatusCode::kInvalidArgument);
  one = Draft();
  (*one.mutable_variants(1)->mutable_parameters())["max_tokens"] = "9999999";
  EXPECT_EQ(code(one), absl::StatusCode::kInvalidArgument);
  one = Draft();
  one.mutable_variants(0)->set_model("other");
  EXPECT_EQ(code(one), absl::StatusCode::kInvalidArgument) << "the control changes nothing";
  one = Draft();
  one.set_primary_outcome(v1::OUTCOME_KIND_LATE_EMERGENCY);
  EXPECT_EQ(code(one), absl::StatusCode::kInvalidArgument);
  EXPECT_TRUE(Create(Draft()).ok());
  EXPECT_EQ(code(Draft()), absl::StatusCode::kAlreadyExists);
}

TEST_F(ExperimentServiceTest, DealsByWeightAndKeepsAConversationWhereItIs) {
  const std::string id = Running(Draft());
  std::map<std::string, int> dealt;
  for (int i = 0; i < 40; ++i) {
    const std::string phone = "+1555020" + std::to_string(1000 + i);
    const v1::Turn turn = Accept("hello", phone);
    const auto first = Assign(turn.id());
    ASSERT_TRUE(first.ok()) << Text(first.status());
    ASSERT_EQ(first->assignments_size(), 1);
    const std::string variant = first->assignments(0).variant().name();
    ++dealt[variant];
    EXPECT_EQ(Assign(turn.id())->assignments(0).variant().name(), variant);
    Answer(turn, "hi");
    EXPECT_EQ(Assign(Accept("again", phone).id())->assignments(0).variant().name(), variant) << "sticky";
  }
  EXPECT_GT(dealt["control"], 5);
  EXPECT_GT(dealt["warm"], 5);
  const auto report = Report(id);
  EXPECT_EQ(report.method(), "msprt");
  ASSERT_THAT(report.variants(), SizeIs(2));
  EXPECT_EQ(report.variants(0).turn_count() + report.variants(1).turn_count(), 80);
  EXPECT_EQ(report.variants(0).conversation_count() + report.variants(1).conversation_count(), 40);
}

TEST_F(ExperimentServiceTest, StartsOnceAndNotOverAnother) {
  const std::string id = Running(Draft());
  EXPECT_EQ(Start(id).status().code(), absl::StatusCode::kFailedPrecondition);
  const auto other = Create(Draft("other"));
  ASSERT_TRUE(other.ok());
  EXPECT_EQ(Start(other->experiment().id()).status().code(), absl::StatusCode::kFailedPrecondition) << "OVERLAP";
  v1::StopExperimentRequest stop;
  stop.set_experiment_id(id);
  *stop.mutable_actor() = Operator();
  ASSERT_TRUE(Wait(service_.StopExperiment(call_, stop)).ok());
  EXPECT_EQ(Get(id).stop_cause(), v1::STOP_CAUSE_STAFF);
  EXPECT_TRUE(Start(other->experiment().id()).ok());
  EXPECT_THAT(Assign(Accept("hello").id())->assignments(), SizeIs(1));
}

TEST_F(ExperimentServiceTest, StopsByItselfWhenAVariantIsLessSafe) {
  const std::string id = Running(Draft());
  Expose(id, "control", 50, "latency_ms", "900");
  int failures = 0;
  std::vector<std::string> stopped;
  for (int i = 0; i < 40 && stopped.empty(); ++i) {
    const v1::Turn turn = Accept("hello", "+1555030" + std::to_string(1000 + i));
    const std::string variant =
        Assign(turn.id())->assignments_size() == 0 ? "" : Assign(turn.id())->assignments(0).variant().name();
    if (variant != "warm") continue;
    ++failures;
    const auto recorded = Record(turn.id(), v1::OUTCOME_KIND_CHECK_FAILED, 1);
    ASSERT_TRUE(recorded.ok());
    stopped.assign(recorded->stopped_experiment_ids().begin(), recorded->stopped_experiment_ids().end());
  }
  EXPECT_THAT(stopped, ElementsAre(id));
  EXPECT_LE(failures, 8);
  EXPECT_GE(failures, 2) << "one event alone is no regression";
  const v1::Experiment now = Get(id);
  EXPECT_EQ(now.stop_cause(), v1::STOP_CAUSE_SAFETY);
  EXPECT_EQ(now.stop_outcome(), v1::OUTCOME_KIND_CHECK_FAILED);
  EXPECT_EQ(now.stop_variant(), "warm");
  EXPECT_THAT(Assign(Accept("later", "+15550399999").id())->assignments(), IsEmpty());
}

TEST_F(ExperimentServiceTest, KnowsARealDifferenceAndNotAnImaginedOne) {
  const std::string id = Running(Draft());
  // The same mean, looked at many times.
  for (int look = 0; look < 20; ++look) {
    Expose(id, "control", 20, "satisfaction", "3 + (random() * 2 - 1)");
    Expose(id, "warm", 20, "satisfaction", "3 + (random() * 2 - 1)");
    EXPECT_EQ(Report(id).winner(), "") << "look " << look;
  }
  Expose(id, "warm", 4000, "satisfaction", "4 + (random() * 2 - 1)");
  const auto report = Report(id);
  EXPECT_EQ(report.winner(), "warm");
  const v1::OutcomeEstimate& first = report.variants(1).outcomes(0);
  EXPECT_EQ(first.kind(), v1::OUTCOME_KIND_SATISFACTION);
  EXPECT_LT(first.p_value(), 0.05);
  EXPECT_GT(first.difference_low(), 0);
  EXPECT_LT(first.difference_low(), first.difference());
  EXPECT_GT(first.difference_high(), first.difference());
}

TEST_F(ExperimentServiceTest, RefusesAnOutcomeOfATurnThatWasNotExposed) {
  EXPECT_EQ(Record(NewUuid(), v1::OUTCOME_KIND_MARKED_WRONG, 1).status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(Record(NewUuid(), v1::OUTCOME_KIND_HANDOVER, 1).status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(Assign(NewUuid()).status().code(), absl::StatusCode::kNotFound);
}

TEST_F(ExperimentServiceTest, EndsAfterItsLastTurn) {
  v1::Experiment draft = Draft();
  draft.set_max_turns(2);
  const std::string id = Running(draft);
  for (int i = 0; i < 2; ++i) {
    EXPECT_THAT(Assign(Accept("hello", "+1555040100" + std::to_string(i)).id())->assignments(), SizeIs(1));
  }
  EXPECT_THAT(Assign(Accept("hello", "+15550401009").id())->assignments(), IsEmpty());
  EXPECT_EQ(Get(id).stop_cause(), v1::STOP_CAUSE_FINISHED);
}

}  // namespace
}  // namespace medidesk::store
