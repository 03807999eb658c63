#include "admin/api/jwt.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "admin/api/testing/jwt_maker.h"

namespace medidesk::admin {
namespace {

using std::chrono::seconds;
using std::chrono::system_clock;

constexpr std::string_view kSecret = "a-secret-of-this-project-with-32-characters";
constexpr std::string_view kAnon = R"({"iss":"supabase","role":"anon","exp":2000})";
const system_clock::time_point kNow{seconds(1000)};

std::string Outcome(const JwtVerifier& verifier, std::string_view token) {
  const auto claims = verifier.Verify(token, kNow);
  return claims.ok() ? "ok" : std::string(Text(claims.status()));
}

std::string Outcome(std::string_view payload) {
  return Outcome(JwtVerifier(std::string(kSecret)), MakeHs256(kSecret, payload));
}

// RFC 7515 appendix A.1 proves the primitive: its key and its three parts.
TEST(JwtVerifier, ReproducesTheRfcsExample) {
  std::string key;
  ASSERT_TRUE(
      DecodeBase64Url("AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow", key));
  const std::string text =
      "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9."
      "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ";
  EXPECT_EQ(EncodeBase64Url(HmacSha256(key, text)), "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk");
}

TEST(JwtVerifier, TakesTheProjectsTokens) {
  const JwtVerifier verifier{std::string(kSecret)};
  const auto anon = verifier.Verify(MakeHs256(kSecret, kAnon), kNow);
  ASSERT_TRUE(anon.ok()) << Text(anon.status());
  EXPECT_EQ(anon->role, JwtRole::kAnon);
  EXPECT_EQ(anon->subject, "");
  EXPECT_EQ(anon->expires, std::chrono::sys_seconds(seconds(2000)));
  const auto user = verifier.Verify(
      MakeHs256(kSecret, R"({"sub":"u-1","role":"authenticated","aud":"authenticated","exp":1001})"), kNow);
  ASSERT_TRUE(user.ok());
  EXPECT_EQ(user->role, JwtRole::kAuthenticated);
  EXPECT_EQ(user->subject, "u-1");
  EXPECT_EQ(verifier.Verify(MakeHs256(kSecret, R"({"role":"service_role","exp":2000.5})"), kNow)->role,
            JwtRole::kServiceRole);
}

TEST(JwtVerifier, LooksAtTheTimes) {
  EXPECT_EQ(Outcome(R"({"role":"anon"})"), "token: no exp");
  EXPECT_EQ(Outcome(R"({"role":"anon","exp":"2000"})"), "token: no exp");
  EXPECT_EQ(Outcome(R"({"role":"anon","exp":1e300})"), "token: no exp");
  EXPECT_EQ(Outcome(R"({"role":"anon","exp":-5})"), "token: no exp");
  EXPECT_EQ(Outcome(R"({"role":"anon","exp":1000})"), "token: expired");
  EXPECT_EQ(Outcome(R"({"role":"anon","exp":253402300799})"), "ok");  // the end of the year 9999
  EXPECT_EQ(Outcome(R"({"role":"anon","exp":2000,"nbf":1030})"), "ok");
  EXPECT_EQ(Outcome(R"({"role":"anon","exp":2000,"nbf":1031})"), "token: not valid yet");
  EXPECT_EQ(Outcome(R"({"role":"anon","exp":2000,"nbf":null})"), "token: not valid yet");
}

TEST(JwtVerifier, WantsAKnownRole) {
  EXPECT_EQ(Outcome(R"({"exp":2000})"), "token: unknown role");
  EXPECT_EQ(Outcome(R"({"exp":2000,"role":"postgres"})"), "token: unknown role");
  EXPECT_EQ(Outcome(R"({"exp":2000,"role":["anon"]})"), "token: unknown role");
}

TEST(JwtVerifier, LetsNoTokenChooseItsAlgorithm) {
  const JwtVerifier verifier{std::string(kSecret)};
  for (const char* header : {R"({"alg":"none"})", R"({"alg":"None"})", R"({"alg":"hs256"})", R"({"alg":"HS512"})",
                             R"({"alg":"ES256","kid":"k"})", R"({"alg":"RS256"})", R"({})", R"({"alg":null})"}) {
    EXPECT_EQ(Outcome(verifier, MakeJwt(kSecret, header, kAnon)), "token: algorithm not taken") << header;
  }
  EXPECT_EQ(Outcome(verifier, EncodeBase64Url(R"({"alg":"none"})") + "." + EncodeBase64Url(kAnon) + "."),
            "token: algorithm not taken");
  EXPECT_EQ(Outcome(verifier, MakeJwt(kSecret, R"({"alg":"HS256","crit":["b64"],"b64":false})", kAnon)),
            "token: critical header extensions");
  EXPECT_FALSE(JwtVerifier("").configured());
  EXPECT_EQ(Outcome(JwtVerifier(""), MakeHs256("", kAnon)), "token: algorithm not taken");
}

TEST(JwtVerifier, RefusesForgeries) {
  const JwtVerifier verifier{std::string(kSecret)};
  const std::string good = MakeHs256(kSecret, kAnon);
  ASSERT_EQ(Outcome(verifier, good), "ok");
  EXPECT_EQ(Outcome(verifier, MakeHs256("another secret", kAnon)), "token: wrong signature");
  for (std::size_t size = 0; size < good.size(); ++size)
    EXPECT_NE(Outcome(verifier, good.substr(0, size)), "ok") << size;
  for (std::size_t i = 0; i < good.size(); ++i) {
    std::string changed = good;
    changed[i] = changed[i] == 'A' ? 'B' : 'A';
    EXPECT_NE(Outcome(verifier, changed), "ok") << i;
  }
  EXPECT_NE(Outcome(verifier, good + "="), "ok");
  EXPECT_NE(Outcome(verifier, good + ".x"), "ok");
  EXPECT_NE(Outcome(verifier, " " + good), "ok");
  EXPECT_EQ(Outcome(verifier, std::string(9000, 'a')), "token: too long");
  EXPECT_EQ(Outcome(verifier, MakeHs256(kSecret, std::string(200, '[') + std::string(200, ']'))),
            "token: payload is not a JSON object");
}

TEST(JwtVerifier, TakesEs256ByKeyId) {
  const Es256Key ours("key-1"), theirs("key-1");
  JwtVerifier verifier{std::string(kSecret)};
  const std::string header = R"({"alg":"ES256","kid":"key-1"})";
  EXPECT_EQ(Outcome(verifier, ours.Sign(header, kAnon)), "token: algorithm not taken");
  const auto keys = JwkSet::Parse(ours.Jwks());
  ASSERT_TRUE(keys.ok()) << Text(keys.status());
  EXPECT_EQ((*keys)->size(), 1u);
  verifier.SetKeys(*keys);
  EXPECT_EQ(Outcome(verifier, ours.Sign(header, kAnon)), "ok");
  EXPECT_EQ(Outcome(verifier, MakeHs256(kSecret, kAnon)), "ok");
  EXPECT_EQ(Outcome(verifier, theirs.Sign(header, kAnon)), "token: wrong signature");
  EXPECT_EQ(verifier.Verify(ours.Sign(R"({"alg":"ES256","kid":"key-2"})", kAnon), kNow).status().code(),
            absl::StatusCode::kNotFound);
  // The public key as an HMAC secret: the classic confusion.
  EXPECT_EQ(Outcome(verifier, MakeJwt(ours.Jwks(), R"({"alg":"HS256","kid":"key-1"})", kAnon)),
            "token: wrong signature");
  EXPECT_EQ(Outcome(verifier, MakeJwt(kSecret, header, kAnon)), "token: wrong signature");
}

TEST(JwkSet, SaysWhatItCannotRead) {
  const auto refused = [](std::string_view text) { return std::string(Text(JwkSet::Parse(text).status())); };
  EXPECT_EQ(refused("nonsense"), R"(key set: expected {"keys":[...]})");
  EXPECT_EQ(refused(R"({"keys":{}})"), R"(key set: expected {"keys":[...]})");
  EXPECT_EQ(refused(R"({"keys":[1]})"), "key set: a key is not an object");
  EXPECT_EQ(refused(R"({"keys":[{"kty":"EC","crv":"P-256","x":"!","y":"AA"}]})"),
            "key set: a coordinate is not base64url");
  EXPECT_EQ(refused(R"({"keys":[{"kty":"EC","crv":"P-256","x":"AA","y":"AA"}]})"),
            "key set: a P-256 key is not on the curve");
  const std::string zero(43, 'A');
  EXPECT_EQ(refused(R"({"keys":[{"kty":"EC","crv":"P-256","x":")" + zero + R"(","y":")" + zero + "\"}]}"),
            "key set: a P-256 key is not on the curve");
}

TEST(Base64Url, TakesOneSpellingOnly) {
  std::string out;
  for (const std::string text : {"", "f", "fo", "foo", "foob", "\xff\xfe\xfd"}) {
    ASSERT_TRUE(DecodeBase64Url(EncodeBase64Url(text), out));
    EXPECT_EQ(out, text);
  }
  for (const char* bad : {"A", "AB", "AAB", "AA==", "A+AA", "A/AA", "AA A", "AAAAA"}) {
    EXPECT_FALSE(DecodeBase64Url(bad, out)) << bad;
  }
}

TEST(LooksLikeJwt, WantsThreeParts) {
  EXPECT_TRUE(LooksLikeJwt("aa.bb.cc"));
  for (const char* other : {"", "aa", "aa.bb", "aa..cc", "aa.bb.", "aa.bb.cc.dd", "sb_publishable_abc", "a a.b.c"}) {
    EXPECT_FALSE(LooksLikeJwt(other)) << other;
  }
}

}  // namespace
}  // namespace medidesk::admin
