#include "admin/api/rest/transcoder.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "admin/api/rest/etag.h"
#include "admin/api/rest/json_check.h"
#include "admin/api/rest/rpc_backend.h"
#include "base/rpc/error_details.h"
#include "medidesk/assistant/v1/assistant.pb.h"
#include "medidesk/store/v1/conversation.pb.h"
#include "medidesk/store/v1/knowledge.pb.h"
#include "medidesk/store/v1/patient.pb.h"
#include "medidesk/store/v1/task.pb.h"

namespace medidesk::admin::rest {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

absl::StatusOr<MessagePtr> Read(std::string_view method, std::string_view target, std::string_view body = "") {
  const std::size_t mark = std::min(target.find('?'), target.size());
  const RouteMatch match = FindRoute(method, target.substr(0, mark));
  if (match.route == nullptr) return absl::NotFoundError("no route");
  return ReadRequest(*match.route, match.captures, target.substr(std::min(mark + 1, target.size())), body);
}

template <class Request>
Request As(const absl::StatusOr<MessagePtr>& message) {
  EXPECT_TRUE(message.ok()) << message.status();
  return message.ok() ? dynamic_cast<const Request&>(**message) : Request();
}

TEST(ReadRequest, TakesPathQueryAndBodyTogether) {
  const auto update = As<store::v1::UpdateFaqRequest>(
      Read("PUT", "/v1/knowledge/faqs/parking", R"({"question":"Where?","answer":"Here.","alternatives":["a","b"]})"));
  EXPECT_EQ(update.faq().key(), "parking");
  EXPECT_EQ(update.faq().question(), "Where?");
  EXPECT_THAT(update.faq().alternatives(), ElementsAre("a", "b"));
}

TEST(ReadRequest, ReadsParametersByEitherNameAndOfEveryKind) {
  const auto list = As<store::v1::ListTasksRequest>(
      Read("GET",
           "/v1/tasks?states=TASK_STATE_OPEN&states=TASK_STATE_CLAIMED&pageSize=20&page_token=a%2Bb&"
           "createTimeRange.startTime=2026-01-15T10:30:00Z&create_time_range.end_time=2026-01-16T00:00:00Z"));
  EXPECT_THAT(list.states(), ElementsAre(store::v1::TASK_STATE_OPEN, store::v1::TASK_STATE_CLAIMED));
  EXPECT_EQ(list.page_size(), 20);
  EXPECT_EQ(list.page_token(), "a+b");
  EXPECT_EQ(list.create_time_range().start_time().seconds(), 1'768'473'000);
  EXPECT_TRUE(list.create_time_range().has_end_time());
}

TEST(ReadRequest, RefusesParametersItDoesNotUnderstand) {
  for (const char* query : {"nothing=1", "pageSize=x", "pageSize=1&page_size=2", "pageSize=99999999999",
                            "status=active", "status=99", "status=CONVERSATION_STATUS_NONE", "pageToken=%ff",
                            "pageToken=%", "conversations=1", "pageSize", "pageSize.x=1"}) {
    const auto read = Read("GET", std::string("/v1/conversations?") + query);
    EXPECT_EQ(read.status().code(), absl::StatusCode::kInvalidArgument) << query;
    EXPECT_NE(rpc::InvalidFieldName(read.status()), "") << query;
  }
  EXPECT_FALSE(Read("GET", "/v1/tasks?createTimeRange=1").ok());
  EXPECT_FALSE(Read("GET", "/v1/tasks?createTimeRange.startTime=yesterday").ok());
  EXPECT_FALSE(Read("GET", "/v1/tasks?actor.id=me").ok()) << "the caller does not choose who it is";
  EXPECT_FALSE(Read("GET", "/v1/conversations/c1?conversationId=c2").ok()) << "the path has said it";
  std::string many = "/v1/tasks?kinds=1";
  for (std::size_t i = 0; i < kMaxParameters; ++i) many += "&states=TASK_STATE_OPEN";
  EXPECT_FALSE(Read("GET", many).ok());
}

TEST(ReadRequest, RefusesABodyThatDoesNotFitAndSaysWhere) {
  const struct {
    const char* body;
    const char* field;
  } cases[] = {
      {R"({"question":1})", "faq.question"},
      {R"({"alternatives":"a"})", "faq.alternatives"},
      {R"({"alternatives":["a",["b"]]})", "faq.alternatives[1]"},
      {R"({"alternatives":["a",null]})", "faq.alternatives[1]"},
      {R"({"question":"a","question":"b"})", "faq.question"},
      {R"({"nothing":1})", "faq"},
      {R"({"updateTime":"yesterday"})", "faq.updateTime"},
      {R"({"revision":1.5})", "faq.revision"},
      {R"({"revision":"99999999999999999999"})", "faq.revision"},
      {R"({"question":"a\u0000b"})", "faq.question"},
      {R"({"question":"a"} {})", "faq"},
      {R"({'question':'a'})", "faq"},
      {R"({"question":"a",})", "faq"},
      {"[]", "faq"},
      {"1", "faq"},
      {"null", "faq"},
      {"{", "faq"},
      {"\xff", "faq"},
      {"", "faq"},
  };
  for (const auto& [body, field] : cases) {
    const auto read = Read("PUT", "/v1/knowledge/faqs/parking", body);
    EXPECT_EQ(read.status().code(), absl::StatusCode::kInvalidArgument) << body;
    EXPECT_EQ(rpc::InvalidFieldName(read.status()), field) << body;
  }
}

TEST(ReadRequest, NamesTheFieldsAndQuotesNothing) {
  const auto read = Read("POST", "/v1/knowledge/faqs", R"({"secretOfAPatient":"Asha has a fever"})");
  EXPECT_THAT(std::string(Text(read.status())), HasSubstr("question, alternatives, answer"));
  EXPECT_THAT(std::string(Text(read.status())), Not(HasSubstr("secret")));
  EXPECT_THAT(std::string(Text(read.status())), Not(HasSubstr("Asha")));
}

TEST(ReadRequest, RefusesEnumsThatNobodyKnows) {
  const std::string path = "/v1/tasks/t1:complete";
  for (const char* value : {"\"TASK_STATE_NONE\"", "99", "-1", "1.5", "true", "{}", "\"3x\""}) {
    const auto read = Read("POST", path, std::string(R"({"state":)") + value + "}");
    EXPECT_EQ(rpc::InvalidFieldName(read.status()), "state") << value;
  }
  EXPECT_EQ(As<store::v1::CompleteTaskRequest>(Read("POST", path, R"({"state":"TASK_STATE_DONE"})")).state(),
            store::v1::TASK_STATE_DONE);
  EXPECT_EQ(As<store::v1::CompleteTaskRequest>(Read("POST", path, R"({"state":3})")).state(),
            store::v1::TASK_STATE_DONE);
}

TEST(ReadRequest, RefusesFieldsThatAreNotTheCallers) {
  EXPECT_FALSE(Read("POST", "/v1/tasks/t1:release", R"({"actor":{"kind":"ACTOR_KIND_OPERATOR"}})").ok());
  EXPECT_FALSE(Read("POST", "/v1/assistant:reply", R"({"turnId":"t1"})").ok());
  EXPECT_FALSE(Read("POST", "/v1/assistant:reply", R"({"turn_id":"t1"})").ok());
  EXPECT_FALSE(
      Read("POST", "/v1/assistant:reply", R"({"inbound":{"phone":"+15550100001","route":"ROUTE_WEBHOOK"}})").ok());
  EXPECT_FALSE(Read("POST", "/v1/conversations/c1/messages", R"({"text":"a","staffId":"s1"})").ok());
  EXPECT_TRUE(Read("POST", "/v1/assistant:reply", R"({"inbound":{"phone":"+15550100001","text":"a"}})").ok());
}

TEST(ReadRequest, RefusesTwoMembersOfAChoice) {
  EXPECT_FALSE(
      CheckJson(R"({"patientId":"a","contactId":"b"})", *store::v1::ErasePatientRequest::descriptor(), "", {}).ok());
  EXPECT_TRUE(CheckJson(R"({"patientId":"a"})", *store::v1::ErasePatientRequest::descriptor(), "", {}).ok());
  // `optional` is a choice of one to the library, not to the caller.
  EXPECT_TRUE(CheckJson(R"({"patientName":"a"})", *store::v1::UpdateConversationRequest::descriptor(), "", {}).ok());
}

TEST(ReadRequest, BoundsTheDepth) {
  std::string deep;
  for (int i = 0; i < 100'000; ++i) deep += "{\"a\":";
  EXPECT_FALSE(Read("POST", "/v1/knowledge/faqs", deep).ok());
  EXPECT_FALSE(Read("POST", "/v1/knowledge/faqs", std::string(100'000, '[')).ok());
}

TEST(ReadRequest, HoldsABodyToItsPath) {
  EXPECT_FALSE(Read("PUT", "/v1/knowledge/faqs/parking", R"({"key":"visits","question":"a"})").ok());
  EXPECT_TRUE(Read("PUT", "/v1/knowledge/faqs/parking", R"({"key":"parking","question":"a"})").ok());
}

TEST(ReadRequest, TakesNoBodyWhereNoneBelongs) {
  EXPECT_FALSE(Read("GET", "/v1/conversations", "{}").ok());
  EXPECT_FALSE(Read("DELETE", "/v1/knowledge/faqs/parking", "{}").ok());
  EXPECT_TRUE(Read("POST", "/v1/tasks/t1:release").ok()) << "where nothing has to be said, nothing need be sent";
}

TEST(ReadRequest, MakesTheMaskFromTheBody) {
  const auto update = As<store::v1::UpdatePatientRequest>(
      Read("PATCH", "/v1/patients/p1", R"({"id":"p1","name":"Asha","birthDate":"","etag":"7","note":null})"));
  EXPECT_THAT(update.update_mask().paths(), ElementsAre("name", "birth_date"));
  EXPECT_EQ(update.patient().id(), "p1");
  const auto told =
      As<store::v1::UpdatePatientRequest>(Read("PATCH", "/v1/patients/p1?updateMask=name,note", R"({"name":"Asha"})"));
  EXPECT_THAT(told.update_mask().paths(), ElementsAre("name", "note"));
  EXPECT_FALSE(Read("PATCH", "/v1/patients/p1?updateMask=name,,note", R"({"name":"Asha"})").ok());
}

TEST(WriteJson, WritesEmptyFieldsToo) {
  store::v1::ListConversationsResponse page;
  EXPECT_EQ(*WriteJson(page), R"({"conversations":[],"nextPageToken":""})");
  page.add_conversations()->set_status(store::v1::CONVERSATION_STATUS_HUMAN_TAKEOVER);
  EXPECT_THAT(*WriteJson(page), HasSubstr(R"("status":"CONVERSATION_STATUS_HUMAN_TAKEOVER")"));
}

TEST(Collect, FindsIdsThroughLists) {
  store::v1::ListConversationsResponse page;
  page.add_conversations()->set_id("a");
  page.add_conversations();
  page.add_conversations()->set_id("b");
  EXPECT_THAT(Collect(page, "conversations.id"), ElementsAre("a", "b"));
  EXPECT_THAT(Collect(page, "next_page_token"), ElementsAre());
}

TEST(Etag, ComesFromTheRowsVersion) {
  store::v1::GetConversationResponse conversation;
  EXPECT_EQ(EtagOf(conversation, "conversation"), "");
  conversation.mutable_conversation()->set_etag("771");
  EXPECT_EQ(EtagOf(conversation, "conversation"), "\"771\"");
  store::v1::GetFaqResponse faq;
  faq.mutable_faq()->set_revision(12);
  EXPECT_EQ(EtagOf(faq, "faq"), "\"12\"");
  conversation.mutable_conversation()->set_etag("a\"\r\nx: y");
  EXPECT_EQ(EtagOf(conversation, "conversation"), "") << "nothing that would break the header";
}

TEST(Etag, ReadsIfMatch) {
  EXPECT_EQ(ReadIfMatch("").kind, IfMatch::Kind::kAbsent);
  EXPECT_EQ(ReadIfMatch(" * ").kind, IfMatch::Kind::kAny);
  EXPECT_EQ(ReadIfMatch("\"12\"").tag, "12");
  for (const char* bad : {"12", "W/\"12\"", "\"12\", \"13\"", "\"\"", "\"", "\"a b\"", "\"a"}) {
    EXPECT_EQ(ReadIfMatch(bad).kind, IfMatch::Kind::kMalformed) << bad;
  }
}

TEST(Etag, ComparesIfNoneMatchWeakly) {
  EXPECT_TRUE(NoneMatchHolds("\"1\", W/\"2\"", "\"2\""));
  EXPECT_TRUE(NoneMatchHolds("*", "\"2\""));
  EXPECT_FALSE(NoneMatchHolds("\"1\"", "\"2\""));
  EXPECT_FALSE(NoneMatchHolds("", "\"2\""));
  EXPECT_FALSE(NoneMatchHolds("*", "")) << "no row, no match";
}

TEST(Etag, PutsTheVersionIntoTheRequest) {
  store::v1::UpdateFaqRequest faq;
  EXPECT_TRUE(SetVersion(faq, "expected_revision", "12"));
  EXPECT_EQ(faq.expected_revision(), 12);
  for (const char* bad : {"0", "-1", "x", "12x"}) EXPECT_FALSE(SetVersion(faq, "expected_revision", bad)) << bad;
  store::v1::UpdatePatientRequest patient;
  EXPECT_TRUE(SetVersion(patient, "patient.etag", "abc"));
  EXPECT_EQ(patient.patient().etag(), "abc");
}

}  // namespace
}  // namespace medidesk::admin::rest
