// The way of /v1 to the services, over services that answer as they are told.
#include "admin/clients/rest_client.h"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/use_future.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "admin/api/rest/route_table.h"
#include "admin/api/rest/transcoder.h"
#include "admin/clients/testing/fake_services.h"
#include "admin/clients/token_client.h"

namespace medidesk::admin {
namespace {

using namespace std::chrono_literals;
using testing::FakeServices;

class RestClientTest : public ::testing::Test {
 protected:
  absl::StatusOr<rest::MessagePtr> Call(const google::protobuf::MethodDescriptor& method, rest::MessagePtr request) {
    rest::CallContext context{.timeout = 20s};
    return asio::co_spawn(services_.io.executor(), client_.Call(method, std::move(request), std::move(context)),
                          asio::use_future)
        .get();
  }
  absl::StatusOr<rest::MessagePtr> First(const google::protobuf::MethodDescriptor& method) {
    const auto stream = client_.Stream(method, rest::NewMessage(*method.input_type()), {.timeout = 20s});
    return asio::co_spawn(services_.io.executor(), stream->Next(), asio::use_future).get();
  }
  static const google::protobuf::MethodDescriptor& Method(const char* name) {
    return *google::protobuf::DescriptorPool::generated_pool()->FindMethodByName(name);
  }

  FakeServices services_;
  RestClient client_{services_.channel(), services_.channel(), services_.channel()};
};

TEST_F(RestClientTest, KnowsEveryRpcOfTheRouteTable) {
  const absl::Status unknown =
      Call(Method("medidesk.store.v1.ConversationService.Accept"), std::make_unique<store::v1::AcceptRequest>())
          .status();
  ASSERT_EQ(unknown.code(), absl::StatusCode::kUnimplemented);
  for (const rest::Route& route : rest::Routes()) {
    const absl::Status status = route.call->server_streaming()
                                    ? First(*route.call).status()
                                    : Call(*route.call, rest::NewMessage(*route.call->input_type())).status();
    EXPECT_NE(Text(status), Text(unknown)) << route.rpc;
  }
}

TEST_F(RestClientTest, CarriesRequestAnswerAndError) {
  assistant::v1::ReplyResponse response;
  response.set_text("Hi!");
  services_.assistant.Answer(response);
  auto request = std::make_unique<assistant::v1::ReplyRequest>();
  request->mutable_inbound()->set_text("hello");
  const auto& reply = Method("medidesk.assistant.v1.AssistantService.Reply");
  const auto answer = Call(reply, std::move(request));
  ASSERT_TRUE(answer.ok()) << answer.status();
  EXPECT_EQ(dynamic_cast<const assistant::v1::ReplyResponse&>(**answer).text(), "Hi!");
  EXPECT_EQ(services_.assistant.last().inbound().text(), "hello");
  services_.assistant.Fail(Error(absl::StatusCode::kAborted, "being answered"));
  EXPECT_EQ(Call(reply, std::make_unique<assistant::v1::ReplyRequest>()).status().code(), absl::StatusCode::kAborted);
}

TEST_F(RestClientTest, RefusesARequestOfAnotherMethod) {
  EXPECT_EQ(Call(Method("medidesk.assistant.v1.AssistantService.Reply"), std::make_unique<store::v1::Conversation>())
                .status()
                .code(),
            absl::StatusCode::kInternal);
}

class TokenClientTest : public ::testing::Test {
 protected:
  using Lookup = absl::StatusOr<store::v1::CheckTokenResponse>;

  absl::StatusOr<rest::TokenChecker::Checked> Check(TokenClient& client, rest::Scope scope) {
    Phi<std::string> token(std::string("mdk_") + std::string(43, 'a'));
    asio::io_context io;
    auto checked = asio::co_spawn(io, client.Check(std::move(token), scope), asio::use_future);
    io.run();
    return checked.get();
  }
  static store::v1::CheckTokenResponse Token(store::v1::TokenScope scope) {
    store::v1::CheckTokenResponse response;
    response.mutable_token()->set_id("5d3a1c88-0f5e-4d0b-9e55-0f6d6f6c2b11");
    response.mutable_token()->add_scopes(scope);
    response.mutable_cache_ttl()->set_seconds(5);
    return response;
  }
};

TEST_F(TokenClientTest, NamesTheTokenAndHoldsItToItsScope) {
  TokenClient client([](std::string) -> asio::awaitable<Lookup> { co_return Token(store::v1::TOKEN_SCOPE_READ); });
  const auto checked = Check(client, rest::Scope::kRead);
  ASSERT_TRUE(checked.ok()) << checked.status();
  EXPECT_EQ(checked->principal.kind, store::v1::ACTOR_KIND_TOKEN);
  EXPECT_EQ(checked->principal.id, "5d3a1c88-0f5e-4d0b-9e55-0f6d6f6c2b11");
  EXPECT_FALSE(checked->limited.has_value());
  for (const rest::Scope scope :
       {rest::Scope::kReply, rest::Scope::kScreen, rest::Scope::kPreview, rest::Scope::kSend, rest::Scope::kAdmin}) {
    EXPECT_EQ(Check(client, scope).status().code(), absl::StatusCode::kPermissionDenied);
  }
}

TEST_F(TokenClientTest, TellsALimitFromARefusal) {
  TokenClient limited([](std::string) -> asio::awaitable<Lookup> {
    store::v1::CheckTokenResponse response = Token(store::v1::TOKEN_SCOPE_ADMIN);
    response.mutable_request_limit()->set_amount(1);
    response.mutable_request_limit()->mutable_period()->set_seconds(3600);
    co_return response;
  });
  EXPECT_FALSE(Check(limited, rest::Scope::kRead)->limited.has_value());
  const auto second = Check(limited, rest::Scope::kRead);
  ASSERT_TRUE(second.ok()) << second.status();
  ASSERT_TRUE(second->limited.has_value());
  EXPECT_GT(*second->limited, 1s);
  TokenClient unknown([](std::string) -> asio::awaitable<Lookup> { co_return rpc::BadToken(); });
  EXPECT_EQ(Check(unknown, rest::Scope::kRead).status().code(), absl::StatusCode::kUnauthenticated);
}

}  // namespace
}  // namespace medidesk::admin
