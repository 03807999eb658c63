// What AssistantService refuses, and what it shows.
#include "assistant/service/assistant_service.h"

#include <gmock/gmock.h>

#include "assistant/service/testing/assistant_fixture.h"
#include "base/rpc/error_details.h"

namespace medidesk::assistant::testing {
namespace {

using ::testing::HasSubstr;

class AssistantServiceTest : public AssistantFixture {
 protected:
  absl::Status ReplyAs(rpc::Principal principal, const std::string& turn_id) {
    rpc::Call call;
    call.deadline = rpc::Call::Clock::now() + std::chrono::seconds(20);
    call.principal = std::move(principal);
    v1::ReplyRequest request;
    request.set_turn_id(turn_id);
    return Run(service_.Reply(call, request)).status();
  }
  static rpc::Principal As(rpc::Principal::Kind kind, const std::string& id) {
    rpc::Principal principal;
    principal.kind = kind;
    principal.id = id;
    principal.scopes = ~0u;
    return principal;
  }
};

TEST_F(AssistantServiceTest, RefusesMalformedRequestsAndNamesTheField) {
  const auto refused = [&](const v1::ReplyRequest& request) {
    const absl::Status status = Run(service_.Reply(CallFor(), request)).status();
    v1::StreamReplyRequest streamed;
    if (request.has_inbound()) *streamed.mutable_inbound() = request.inbound();
    if (!request.turn_id().empty()) streamed.set_turn_id(request.turn_id());
    StreamLog log;
    EXPECT_EQ(Run(service_.StreamReply(CallFor(), streamed, log)).code(), status.code());
    EXPECT_EQ(log.results, 0);
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
    return rpc::InvalidFieldName(status);
  };
  v1::ReplyRequest request;
  EXPECT_EQ(refused(request), "input");
  request = Ask("hello");
  request.mutable_inbound()->set_phone("12");
  EXPECT_EQ(refused(request), "inbound.phone");
  request.mutable_inbound()->set_phone("call me");
  EXPECT_EQ(refused(request), "inbound.phone");
  request = Ask("");
  EXPECT_EQ(refused(request), "inbound.text");
  request = Ask(" \n\t");
  EXPECT_EQ(refused(request), "inbound.text");
  request = Ask(std::string(65'537, 'a'));
  EXPECT_EQ(refused(request), "inbound.text");
  request = Ask("hello", std::string(257, 'a'));
  EXPECT_EQ(refused(request), "inbound.message_id");
  request = Ask("hello");
  request.mutable_inbound()->set_route(store::v1::ROUTE_WHATSAPP);
  EXPECT_EQ(refused(request), "inbound.route");
  request.set_turn_id("not-a-uuid");
  EXPECT_EQ(refused(request), "turn_id");
  EXPECT_EQ(conversations_.accepts, 0) << "nothing was stored";
}

TEST_F(AssistantServiceTest, GivesTurnsToTheGatewayAlone) {
  using Kind = rpc::Principal::Kind;
  const auto allowed = [&](rpc::Principal principal) {
    return ReplyAs(std::move(principal), conversations_.AddWhatsAppTurn("is there parking?"));
  };
  EXPECT_TRUE(allowed(rpc::Principal()).ok());
  EXPECT_TRUE(allowed(As(Kind::kService, "gateway")).ok());
  for (const char* other : {"admin", "assistant", "store", "cli", ""}) {
    EXPECT_EQ(allowed(As(Kind::kService, other)).code(), absl::StatusCode::kPermissionDenied) << other;
  }
  EXPECT_EQ(allowed(As(Kind::kToken, "gateway")).code(), absl::StatusCode::kPermissionDenied);
}

TEST_F(AssistantServiceTest, LetsATokenSendATextThroughItsOwnRouteOnly) {
  rpc::Call call = CallFor();
  call.principal = As(rpc::Principal::Kind::kToken, "lab");
  v1::ReplyRequest request = Ask("is there parking?");
  request.mutable_inbound()->clear_route();
  EXPECT_TRUE(Run(service_.Reply(call, request)).ok());
  request.mutable_inbound()->set_route(store::v1::ROUTE_WEBHOOK);
  EXPECT_EQ(rpc::InvalidFieldName(Run(service_.Reply(call, request)).status()), "inbound.route");
}

TEST_F(AssistantServiceTest, ScreensWithoutStoring) {
  v1::ScreenRequest request;
  request.set_text("my chest feels tight and my left arm is numb");
  const auto emergency = Run(service_.Screen(CallFor(), request));
  ASSERT_TRUE(emergency.ok()) << emergency.status();
  EXPECT_EQ(emergency->verdict().severity(), "emergency");
  EXPECT_FALSE(emergency->verdict().table_version().empty());
  EXPECT_EQ(emergency->fixed_reply().kind(), store::v1::FIXED_REPLY_KIND_EMERGENCY);
  EXPECT_THAT(emergency->fixed_reply().text(), HasSubstr("112"));
  request.set_text("what are your visiting hours?");
  const auto quiet = Run(service_.Screen(CallFor(), request));
  ASSERT_TRUE(quiet.ok());
  EXPECT_EQ(quiet->verdict().severity(), "none");
  EXPECT_FALSE(quiet->has_fixed_reply());
  request.set_text("");
  EXPECT_EQ(Run(service_.Screen(CallFor(), request)).status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(conversations_.accepts, 0);
}

TEST_F(AssistantServiceTest, TriesAQuestionWithoutStoring) {
  v1::TryQuestionRequest request;
  request.set_text("is there parking?");
  const auto known = Run(service_.TryQuestion(CallFor(), request));
  ASSERT_TRUE(known.ok()) << known.status();
  EXPECT_FALSE(known->text().empty());
  EXPECT_TRUE(known->known());
  ASSERT_GT(known->facts_size(), 0);
  EXPECT_EQ(known->facts(0).kind(), "faq");
  EXPECT_EQ(known->verdict().severity(), "none");
  EXPECT_EQ(claude_.asked, 1);

  request.set_text("my chest feels tight and my left arm is numb");
  const auto emergency = Run(service_.TryQuestion(CallFor(), request));
  ASSERT_TRUE(emergency.ok()) << emergency.status();
  EXPECT_EQ(emergency->source(), "gate");
  EXPECT_THAT(emergency->text(), HasSubstr("112"));
  EXPECT_EQ(claude_.asked, 1) << "the gate's text is fixed";
  request.set_text("");
  EXPECT_EQ(Run(service_.TryQuestion(CallFor(), request)).status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(conversations_.accepts, 0);
}

TEST_F(AssistantServiceTest, PreviewsThePromptThatWouldBeSent) {
  v1::PreviewContextRequest request;
  request.set_text("is there parking?");
  const auto fresh = Run(service_.PreviewContext(CallFor(), request));
  ASSERT_TRUE(fresh.ok()) << fresh.status();
  EXPECT_THAT(fresh->stable_prompt(), HasSubstr("Hill Clinic"));
  EXPECT_THAT(fresh->turn_prompt(), HasSubstr("Answer in English."));
  ASSERT_EQ(fresh->messages_size(), 1);
  EXPECT_FALSE(fresh->facts_retrieved());
  EXPECT_GT(fresh->estimated_tokens(), 100);

  conversations_.AddHistory(false, "hello");
  conversations_.AddHistory(true, "How can I help?");
  request.set_conversation_id(conversations_.conversation_id);
  const auto running = Run(service_.PreviewContext(CallFor(), request));
  ASSERT_TRUE(running.ok()) << running.status();
  ASSERT_EQ(running->messages_size(), 3);
  EXPECT_EQ(running->messages(0).text(), "hello");
  EXPECT_TRUE(running->messages(1).from_hospital());
  EXPECT_EQ(running->messages(2).text(), "is there parking?");
  EXPECT_EQ(running->stable_prompt(), fresh->stable_prompt());

  request.set_conversation_id(NewUuid());
  EXPECT_EQ(Run(service_.PreviewContext(CallFor(), request)).status().code(), absl::StatusCode::kNotFound);
  request.set_conversation_id("x");
  EXPECT_EQ(Run(service_.PreviewContext(CallFor(), request)).status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(claude_.asked, 0);
}

TEST_F(AssistantServiceTest, FollowsTheFacts) {
  store::v1::GetFactsResponse facts = Facts();
  facts.set_revision(facts.revision() + 1);
  facts.mutable_hospital()->set_emergency_number("999");
  knowledge_.Set(facts);
  ASSERT_TRUE(Eventually([&] { return facts_.Current()->contacts.emergency_number == "999"; }));
  EXPECT_EQ(facts_.Current()->prompt->book->revision(), facts.revision());
  knowledge_.refuse_loads = 2;
  facts.set_revision(facts.revision() + 1);
  facts.mutable_hospital()->set_emergency_number("911");
  knowledge_.Set(facts);
  ASSERT_TRUE(Eventually([&] { return facts_.Current()->contacts.emergency_number == "911"; }))
      << "a load that fails is tried again";
}

TEST(FactCache, KeepsItsFactsWhileTheStoreIsAwayAndFollowsItWhenItIsBack) {
  IoThreads io(2);
  prometheus::Registry registry, registry_after;
  const std::string address = "unix:" + ::testing::TempDir() + "facts." + NewUuid().substr(24);
  rpc::ServerOptions options;
  options.addresses = {address};
  auto channel = rpc::Connect(address);
  ASSERT_TRUE(channel.ok()) << channel.status();
  FactCache cache(io.executor(), *channel, {.context = {}, .emergency_number = "100", .crisis_line = "14416"});
  EXPECT_FALSE(cache.loaded());
  EXPECT_EQ(cache.Current()->contacts.emergency_number, "100") << "the site's, until there are facts";
  cache.Start();

  store::v1::GetFactsResponse facts = SmallHospital();
  {
    rpc::Dispatcher dispatcher(io.executor(), registry, {.service = "store"});
    FakeKnowledge knowledge(dispatcher, facts);
    auto server = rpc::Server::Start(dispatcher, {&knowledge}, options);
    ASSERT_TRUE(server.ok()) << server.status();
    ASSERT_TRUE(Eventually([&] { return cache.loaded(); }));
    EXPECT_EQ(cache.Current()->contacts.emergency_number, "112");
    EXPECT_EQ(cache.Current()->contacts.crisis_line, "14416");
    (*server)->Shutdown(std::chrono::milliseconds(0));
  }
  EXPECT_TRUE(cache.loaded());
  EXPECT_EQ(cache.Current()->contacts.emergency_number, "112");

  facts.set_revision(facts.revision() + 1);
  facts.mutable_hospital()->set_emergency_number("999");
  rpc::Dispatcher dispatcher(io.executor(), registry_after, {.service = "store"});
  FakeKnowledge knowledge(dispatcher, facts);
  auto server = rpc::Server::Start(dispatcher, {&knowledge}, options);
  ASSERT_TRUE(server.ok()) << server.status();
  EXPECT_TRUE(Eventually([&] { return cache.Current()->contacts.emergency_number == "999"; }));
  cache.Stop();
  (*server)->Shutdown(std::chrono::milliseconds(0));
}

}  // namespace
}  // namespace medidesk::assistant::testing
