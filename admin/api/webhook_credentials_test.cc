#include "admin/api/webhook_credentials.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "admin/api/testing/jwt_maker.h"

namespace medidesk::admin {
namespace {

using std::chrono::seconds;
using testing::StartsWith;

constexpr std::string_view kSecret = "a-secret-of-this-project-with-32-characters";
const std::chrono::system_clock::time_point kNow{seconds(1000)};

std::string Token(std::string_view payload) { return MakeHs256(kSecret, payload); }
std::string AnonToken() { return Token(R"({"role":"anon","exp":2000})"); }
std::string ExpiredToken() { return Token(R"({"role":"anon","exp":999})"); }

std::string Check(const CredentialOptions& options, std::string_view authorization, std::string_view apikey) {
  const auto credentials = WebhookCredentials::Create(options);
  EXPECT_TRUE(credentials.ok());
  const auto caller = (*credentials)->Check(authorization, apikey, kNow);
  if (caller.ok()) return caller->id;
  EXPECT_EQ(caller.status().code(), absl::StatusCode::kUnauthenticated);
  return "refused";
}

TEST(WebhookCredentials, IsOpenWhereNothingIsConfigured) {
  EXPECT_EQ(Check({}, "", ""), "open");
  EXPECT_EQ(Check({}, "Bearer nonsense", "nonsense"), "open");
  EXPECT_EQ(Check({.webhook_key = "k", .webhook_open = true}, "", ""), "open");
}

TEST(WebhookCredentials, TakesAnyOfTheKeysInEitherHeader) {
  const CredentialOptions options{.webhook_key = "first-key, sb_secret_two ,"};
  EXPECT_THAT(Check(options, "", "first-key"), StartsWith("key:"));
  EXPECT_THAT(Check(options, "", "sb_secret_two"), StartsWith("key:"));
  EXPECT_THAT(Check(options, "Bearer first-key", ""), StartsWith("key:"));
  EXPECT_THAT(Check(options, "bearer  sb_secret_two", ""), StartsWith("key:"));
  EXPECT_THAT(Check(options, "Bearer sb_publishable_other", "sb_secret_two"), StartsWith("key:"));
  EXPECT_NE(Check(options, "", "first-key"), Check(options, "", "sb_secret_two"));
  for (const char* wrong : {"", " ", ",", "first", "first-key,", "first-key, sb_secret_two ,", "FIRST-KEY"}) {
    EXPECT_EQ(Check(options, "", wrong), "refused") << wrong;
  }
  EXPECT_EQ(Check(options, "", ""), "refused");
  EXPECT_EQ(Check(options, "Basic first-key", ""), "refused");
  EXPECT_EQ(Check(options, "first-key", ""), "refused");
  EXPECT_EQ(Check(options, "Bearer ", ""), "refused");
}

TEST(WebhookCredentials, VerifiesABearerToken) {
  const CredentialOptions options{.webhook_key = "the-key", .supabase_jwt_secret = std::string(kSecret)};
  EXPECT_EQ(Check(options, "Bearer " + AnonToken(), ""), "jwt:anon");
  EXPECT_EQ(Check(options, "Bearer " + AnonToken(), "wrong"), "jwt:anon");
  EXPECT_EQ(Check(options, "Bearer " + Token(R"({"sub":"u-1","role":"authenticated","exp":2000})"), ""), "user:u-1");
  EXPECT_EQ(Check(options, "Bearer " + Token(R"({"role":"service_role","exp":2000})"), ""), "jwt:service_role");
  // A bad token is not saved by a good key.
  EXPECT_EQ(Check(options, "Bearer " + ExpiredToken(), "the-key"), "refused");
  EXPECT_EQ(Check(options, "Bearer " + MakeHs256("other", R"({"role":"anon","exp":2000})"), ""), "refused");
}

TEST(WebhookCredentials, TakesATokenAsApikeyAlone) {
  const CredentialOptions options{.supabase_jwt_secret = std::string(kSecret)};
  EXPECT_EQ(Check(options, "", AnonToken()), "jwt:anon");
  EXPECT_EQ(Check(options, "Bearer sb_publishable_x", AnonToken()), "jwt:anon");
  EXPECT_EQ(Check(options, "", ExpiredToken()), "refused");
  EXPECT_EQ(Check(options, "", ""), "refused");
}

TEST(WebhookCredentials, TakesTheProjectsAnonKeyAsItIs) {
  // supabase-js sends the anon key in both headers; without the secret it can only be compared.
  const std::string anon = MakeHs256("unknown secret", R"({"role":"anon","exp":2000})");
  const CredentialOptions options{.supabase_anon_key = anon};
  EXPECT_THAT(Check(options, "Bearer " + anon, anon), StartsWith("key:"));
  // A signed-in user's token, which cannot be verified here: the key decides.
  EXPECT_THAT(Check(options, "Bearer " + AnonToken(), anon), StartsWith("key:"));
  EXPECT_EQ(Check(options, "Bearer " + AnonToken(), ""), "refused");
}

TEST(WebhookCredentials, TakesTokensOfTheKeySet) {
  const Es256Key key("k1");
  const CredentialOptions options{.supabase_jwks = key.Jwks()};
  const std::string header = R"({"alg":"ES256","kid":"k1"})";
  EXPECT_EQ(Check(options, "Bearer " + key.Sign(header, R"({"role":"anon","exp":2000})"), ""), "jwt:anon");
  EXPECT_EQ(Check(options, "Bearer " + AnonToken(), ""), "refused");
  EXPECT_FALSE(WebhookCredentials::Create({.supabase_jwks = "{}"}).ok());
}

TEST(CheckExposure, RefusesAnOpenDoorToTheWorld) {
  EXPECT_TRUE(CheckExposure("127.0.0.1", {}).ok());
  EXPECT_TRUE(CheckExposure("::1", {}).ok());
  EXPECT_TRUE(CheckExposure("localhost", {}).ok());
  for (const char* address : {"0.0.0.0", "::", "192.168.1.2"}) {
    const absl::Status status = CheckExposure(address, {});
    EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
    EXPECT_EQ(Text(status),
              "WEBHOOK_KEY: set it (or WEBHOOK_OPEN=1) to listen beyond this machine, or listen on 127.0.0.1");
    EXPECT_TRUE(CheckExposure(address, {.webhook_key = "k"}).ok());
    EXPECT_TRUE(CheckExposure(address, {.webhook_open = true}).ok());
    EXPECT_TRUE(CheckExposure(address, {.supabase_jwt_secret = std::string(kSecret)}).ok());
  }
}

TEST(CheckExposure, RefusesThePublicDemoSecret) {
  const CredentialOptions secret{.webhook_open = true, .supabase_jwt_secret = std::string(kDemoJwtSecret)};
  EXPECT_TRUE(CheckExposure("127.0.0.1", secret).ok());
  EXPECT_THAT(std::string(Text(CheckExposure("0.0.0.0", secret))), StartsWith("SUPABASE_JWT_SECRET: "));
  const CredentialOptions anon{.supabase_anon_key = MakeHs256(kDemoJwtSecret, R"({"role":"anon","exp":2000})")};
  EXPECT_TRUE(CheckExposure("127.0.0.1", anon).ok());
  EXPECT_THAT(std::string(Text(CheckExposure("0.0.0.0", anon))), StartsWith("SUPABASE_ANON_KEY: "));
}

TEST(CheckExposure, RefusesAKeyListWithoutAKey) {
  EXPECT_THAT(std::string(Text(CheckExposure("127.0.0.1", {.webhook_key = " , "}))), StartsWith("WEBHOOK_KEY: "));
  EXPECT_FALSE(WebhookCredentials::Create({.webhook_key = ","}).ok());
}

}  // namespace
}  // namespace medidesk::admin
