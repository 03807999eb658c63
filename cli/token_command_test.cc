// The token command against an AccessService that keeps tokens in a list.
#include "cli/token_command.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <sstream>

#include "base/io_threads.h"
#include "base/rpc/serve.h"
#include "base/rpc/server.h"
#include "medidesk/store/v1/access.grpc.pb.h"

namespace medidesk::cli {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

class FakeAccess final : public store::v1::AccessService::CallbackService {
 public:
  explicit FakeAccess(rpc::Dispatcher& dispatcher) : dispatcher_(dispatcher) {}

  std::vector<store::v1::Token> tokens;
  store::v1::CreateTokenRequest created;

  grpc::ServerUnaryReactor* CreateToken(grpc::CallbackServerContext* context,
                                        const store::v1::CreateTokenRequest* request,
                                        store::v1::CreateTokenResponse* response) override {
    return rpc::ServeUnary(context, dispatcher_, "AccessService/CreateToken", response,
                           [this, request](const rpc::Call&) { return Create(*request); });
  }
  grpc::ServerUnaryReactor* ListTokens(grpc::CallbackServerContext* context,
                                       const store::v1::ListTokensRequest* request,
                                       store::v1::ListTokensResponse* response) override {
    return rpc::ServeUnary(context, dispatcher_, "AccessService/ListTokens", response,
                           [this, request](const rpc::Call&) { return List(*request); });
  }
  grpc::ServerUnaryReactor* RevokeToken(grpc::CallbackServerContext* context,
                                        const store::v1::RevokeTokenRequest* request,
                                        store::v1::RevokeTokenResponse* response) override {
    return rpc::ServeUnary(context, dispatcher_, "AccessService/RevokeToken", response,
                           [this, request](const rpc::Call&) { return Revoke(*request); });
  }

 private:
  boost::asio::awaitable<absl::StatusOr<store::v1::CreateTokenResponse>> Create(store::v1::CreateTokenRequest request) {
    created = request;
    for (const auto& token : tokens) {
      if (token.name() == request.name())
        co_return Error(absl::StatusCode::kAlreadyExists, "a live token has this name");
    }
    store::v1::Token token;
    token.set_id(fmt::format("6f1c1f5e-1f0e-4c53-8d3a-{:012}", tokens.size()));
    token.set_name(request.name());
    *token.mutable_scopes() = request.scopes();
    if (request.has_expire_time()) *token.mutable_expire_time() = request.expire_time();
    tokens.push_back(token);
    store::v1::CreateTokenResponse response;
    *response.mutable_token() = token;
    response.set_secret("mdk_secret");
    co_return response;
  }
  // One token a page: the command follows them.
  boost::asio::awaitable<absl::StatusOr<store::v1::ListTokensResponse>> List(store::v1::ListTokensRequest request) {
    store::v1::ListTokensResponse response;
    std::size_t at = request.page_token().empty() ? 0 : std::stoul(request.page_token());
    for (; at < tokens.size() && response.tokens().empty(); ++at) {
      if (request.include_dead() || !tokens[at].has_revoke_time()) *response.add_tokens() = tokens[at];
    }
    if (at < tokens.size()) response.set_next_page_token(std::to_string(at));
    co_return response;
  }
  boost::asio::awaitable<absl::StatusOr<store::v1::RevokeTokenResponse>> Revoke(store::v1::RevokeTokenRequest request) {
    for (auto& token : tokens) {
      if (token.id() != request.token_id()) continue;
      token.mutable_revoke_time()->set_seconds(1'800'000'000);
      store::v1::RevokeTokenResponse response;
      *response.mutable_token() = token;
      co_return response;
    }
    co_return Error(absl::StatusCode::kNotFound, "no such token");
  }

  rpc::Dispatcher& dispatcher_;
};

class TokenCommandTest : public ::testing::Test {
 protected:
  TokenCommandTest() {
    rpc::ServerOptions options;
    options.addresses = {"127.0.0.1:0"};
    server_ = *rpc::Server::Start(dispatcher_, {&access_}, options);
  }
  ~TokenCommandTest() override {
    server_.reset();
    io_.Stop();
  }

  int Run(std::vector<std::string> words) {
    out_.str("");
    errors_.str("");
    words.insert(words.begin(), {"--store_address=127.0.0.1:" + std::to_string(server_->port()), "token"});
    const FlagSet::Environment none = [](const char*) -> const char* { return nullptr; };
    return RunCommandLine(words, none, out_, errors_);
  }

  IoThreads io_{1};
  prometheus::Registry registry_;
  rpc::Dispatcher dispatcher_{io_.executor(), registry_, {.service = "test"}};
  FakeAccess access_{dispatcher_};
  std::unique_ptr<rpc::Server> server_;
  std::ostringstream out_, errors_;
};

TEST_F(TokenCommandTest, PrintsTheSecretAloneOnStandardOutput) {
  EXPECT_EQ(Run({"create", "--scope", "reply,read", "lab", "--expires", "90d"}), kDone) << errors_.str();
  EXPECT_EQ(out_.str(), "mdk_secret\n");
  EXPECT_THAT(errors_.str(), HasSubstr("Token lab (reply,read, until 2"));
  EXPECT_EQ(access_.created.actor().kind(), store::v1::ACTOR_KIND_OPERATOR);
  EXPECT_GT(access_.created.expire_time().seconds(), std::time(nullptr) + 89 * 86'400);
  EXPECT_EQ(Run({"create", "lab", "--scope=read"}), kRefused);
  EXPECT_EQ(errors_.str(), "medidesk token: a live token has this name\n");
}

TEST_F(TokenCommandTest, ListsAndRevokesByNameOrId) {
  for (const char* name : {"lab", "ward", "desk"}) ASSERT_EQ(Run({"create", name, "--scope=admin"}), kDone);
  EXPECT_EQ(Run({"revoke", "ward"}), kDone) << errors_.str();
  EXPECT_EQ(out_.str(), "Token ward revoked 2027-01-15 08:00Z.\n");
  EXPECT_EQ(Run({"revoke", access_.tokens[2].id()}), kDone);
  EXPECT_EQ(Run({"revoke", "nobody"}), kRefused);
  EXPECT_EQ(Run({"list"}), kDone);
  EXPECT_THAT(out_.str(), HasSubstr("lab"));
  EXPECT_THAT(out_.str(), Not(HasSubstr("ward")));
  EXPECT_EQ(Run({"list", "--all"}), kDone);
  EXPECT_THAT(out_.str(), HasSubstr("ward"));
}

TEST_F(TokenCommandTest, RefusesWrongUsageBeforeItCalls) {
  for (const std::vector<std::string>& words : {std::vector<std::string>{},
                                                {"make"},
                                                {"create"},
                                                {"create", "lab"},
                                                {"create", "lab", "--scope=root"},
                                                {"create", "lab", "--scope=read", "--expires=soon"},
                                                {"create", "lab", "more", "--scope=read"},
                                                {"revoke"},
                                                {"list", "--everything"}}) {
    EXPECT_EQ(Run(words), kWrongUsage);
  }
  EXPECT_TRUE(access_.tokens.empty());
}

}  // namespace
}  // namespace medidesk::cli
