#include "admin/api/webhook_request.h"

#include <gtest/gtest.h>

namespace medidesk::admin {
namespace {

using std::chrono::system_clock;

// "phone|text|id" of a good request, "status CODE" of a bad one.
std::string Read(std::string_view body, std::string_view content_type = "application/json") {
  const auto result = ParseWebhookRequest(content_type, body);
  if (const auto* error = std::get_if<WebhookError>(&result)) {
    EXPECT_FALSE(error->text.empty());
    return std::to_string(error->status) + " " + std::string(error->code);
  }
  const auto& message = std::get<WebhookMessage>(result);
  return message.phone.E164() + "|" + message.text.Expose() + "|" + message.message_id;
}

std::string WithPhone(const std::string& phone) { return R"({"phone":)" + phone + R"(,"message":"m"})"; }
std::string WithMessage(const std::string& message) { return R"({"phone":"1234567","message":)" + message + "}"; }
std::string WithText(const std::string& text) { return WithMessage("\"" + text + "\""); }
std::string WithId(const std::string& id) { return R"({"phone":"1234567","message":"m","messageId":)" + id + "}"; }

std::optional<std::int64_t> Time(const std::string& timestamp) {
  const auto result = ParseWebhookRequest("", R"({"phone":"1234567","message":"m","timestamp":)" + timestamp + "}");
  const auto& time = std::get<WebhookMessage>(result).timestamp;
  if (!time) return std::nullopt;
  return std::chrono::duration_cast<std::chrono::milliseconds>(time->time_since_epoch()).count();
}

TEST(ParseWebhookRequest, TakesTheContractsExample) {
  EXPECT_EQ(
      Read(
          R"({"phone":"+1234567890","message":"Hello","messageId":"wa-msg-123","timestamp":"2024-01-15T10:30:00.000Z"})"),
      "+1234567890|Hello|wa-msg-123");
  EXPECT_EQ(Read(R"({"message":"Hello","phone":"1234567890"})"), "+1234567890|Hello|");
}

TEST(ParseWebhookRequest, ReadsJsonWhateverTheContentTypeSays) {
  const std::string body = WithPhone("\"1234567\"");
  for (const char* type : {"", "text/plain", "text/plain;charset=UTF-8", "application/octet-stream", "nonsense"}) {
    EXPECT_EQ(Read(body, type), "+1234567|m|") << type;
  }
  for (const char* type : {"multipart/form-data; boundary=x", "Multipart/Mixed"}) {
    EXPECT_EQ(Read(body, type), "415 UNSUPPORTED_MEDIA_TYPE");
  }
}

TEST(ParseWebhookRequest, IgnoresOtherFields) {
  EXPECT_EQ(Read(R"({"a":{"phone":"9999999","message":["x"]},"phone":"1234567","b":[{"message":"n"}],"message":"m",)"
                 R"("phoneNumber":"8888888","messageIdentifier":"x","Phone":"7777777","c":1e5,"d":null,"e":true})"),
            "+1234567|m|");
  EXPECT_EQ(Read(R"({"phone":"1111111","phone":"1234567","message":"old","message":"m"})"), "+1234567|m|");
  EXPECT_EQ(Read("\xef\xbb\xbf {\"phone\":\"1234567\",\"message\":\"m\"} \n"), "+1234567|m|");
  EXPECT_EQ(Read(R"({"ph\u006fne":"1234567","message":"m"})"), "+1234567|m|");
}

TEST(ParseWebhookRequest, RefusesWhatIsNoJsonObject) {
  EXPECT_EQ(Read(""), "400 EMPTY_BODY");
  for (const std::string body :
       {" ", "{", R"({"phone":"1234567","message":"m")", R"({"phone":"1234567","message":"m"}})",
        R"({"phone":"1234567","message":"m"} x)", "{'phone':'1234567'}", "phone=1234567",
        R"({"phone":"1234567","message":"m",})", "{\"phone\":\"1234567\",\"message\":\"a\nb\"}",
        "{\"phone\":\"1234567\",\"message\":\"\xff\"}",          // not UTF-8
        "{\"phone\":\"1234567\",\"message\":\"\xc0\xaf\"}",      // overlong
        "{\"phone\":\"1234567\",\"message\":\"\xed\xa0\x80\"}",  // surrogate
        "{\"phone\":\"1234567\",\"message\":\"\xe2\x82\"}",      // cut
        "{\"phone\":\"1234567\",\"message\":\"m\",\"x\":\"\xff\"}", "\xff\xfe{"}) {
    EXPECT_EQ(Read(body), "400 INVALID_JSON") << body;
  }
  for (const char* body : {"[]", "1", "null", "\"text\"", R"([{"phone":"1234567","message":"m"}])"}) {
    EXPECT_EQ(Read(body), "400 INVALID_BODY") << body;
  }
}

TEST(ParseWebhookRequest, RefusesEveryCutOfAGoodBody) {
  const std::string whole = R"({"phone":"1234567","message":"caf\u00e9","messageId":12,"timestamp":null})";
  ASSERT_EQ(Read(whole), "+1234567|caf\xc3\xa9|12");
  for (std::size_t size = 0; size < whole.size(); ++size) {
    EXPECT_EQ(Read(whole.substr(0, size)).substr(0, 3), "400") << size;
  }
}

TEST(ParseWebhookRequest, BoundsTheDepth) {
  const auto nested = [](int depth) {
    return R"({"phone":"1234567","message":"m","x":)" + std::string(depth, '[') + std::string(depth, ']') + "}";
  };
  EXPECT_EQ(Read(nested(63)), "+1234567|m|");
  EXPECT_EQ(Read(nested(64)), "400 INVALID_JSON");
  EXPECT_EQ(Read(std::string(1u << 20, '[')), "400 INVALID_JSON");
  std::string objects;
  for (int i = 0; i < 100'000; ++i) objects += "{\"a\":";
  EXPECT_EQ(Read(objects), "400 INVALID_JSON");
}

TEST(ParseWebhookRequest, TakesAPhoneAsTextOrWholeNumber) {
  EXPECT_EQ(Read(WithPhone("\"+1 (555) 010-9999\"")), "+15550109999|m|");
  EXPECT_EQ(Read(WithPhone("15550109999")), "+15550109999|m|");
  EXPECT_EQ(Read(WithPhone("123456789012345")), "+123456789012345|m|");
  for (const char* bad :
       {"null", "true", "{}", "[]", "[\"1234567\"]", "\"\"", "\"123456\"", "\"1234567890123456\"", "123456",
        "1234567890123456", "-1234567", "1234567.0", "1.5550109999e10", "12345678901234567890123", "\"abc\"",
        "\"1234567\\u0000\"", "\"\\u0661\\u0662\\u0663\\u0664\\u0665\\u0666\\u0667\"", "\"12345678 ext 9\""}) {
    EXPECT_EQ(Read(WithPhone(bad)), "400 INVALID_PHONE") << bad;
  }
  EXPECT_EQ(Read(R"({"message":"m"})"), "400 INVALID_PHONE");
  EXPECT_EQ(Read("{}"), "400 INVALID_PHONE");
}

TEST(ParseWebhookRequest, WantsATextThatSaysSomething) {
  EXPECT_EQ(Read(R"({"phone":"1234567"})"), "400 INVALID_MESSAGE");
  for (const char* bad : {"null", "12", "true", "{}", "[\"m\"]", "\"\"", "\"   \"", "\"\\n\\t \"", "\"\\u00a0\\u3000\"",
                          "\"\\u200b\\ufeff\\u2028\"", "\"\\u0000\""}) {
    EXPECT_EQ(Read(WithMessage(bad)), "400 INVALID_MESSAGE") << bad;
  }
  EXPECT_EQ(Read(WithText(" a ")), "+1234567| a |");
  EXPECT_EQ(Read(WithText("\xf0\x9f\x91\x8d")), "+1234567|\xf0\x9f\x91\x8d|");
}

TEST(ParseWebhookRequest, CountsCharactersAfterComposing) {
  const auto repeat = [](std::string_view text, int count) {
    std::string out;
    for (int i = 0; i < count; ++i) out += text;
    return out;
  };
  EXPECT_EQ(Read(WithText(repeat("a", 4096))), "+1234567|" + repeat("a", 4096) + "|");
  EXPECT_EQ(Read(WithText(repeat("a", 4097))), "400 MESSAGE_TOO_LONG");
  EXPECT_EQ(Read(WithText(repeat("\xf0\x9f\x98\x80", 4096))), "+1234567|" + repeat("\xf0\x9f\x98\x80", 4096) + "|");
  EXPECT_EQ(Read(WithText(repeat("\xf0\x9f\x98\x80", 4097))), "400 MESSAGE_TOO_LONG");
  // e + combining acute: two code points as sent, one composed
  EXPECT_EQ(Read(WithText(repeat("e\xcc\x81", 4096))), "+1234567|" + repeat("\xc3\xa9", 4096) + "|");
  EXPECT_EQ(Read(WithText(repeat("e\xcc\x81", 4097))), "400 MESSAGE_TOO_LONG");
  // alpha and three marks, the most that composes into one character
  EXPECT_EQ(Read(WithText(repeat("\xce\xb1\xcc\x93\xcc\x80\xcd\x85", 4096))),
            "+1234567|" + repeat("\xe1\xbe\x82", 4096) + "|");
  // one character that its composed form spells with two
  EXPECT_EQ(Read(WithText(repeat("\xe0\xa5\x98", 2049))), "400 MESSAGE_TOO_LONG");
  EXPECT_EQ(Read(WithText(repeat("\xc3\xa9", 500'000))), "400 MESSAGE_TOO_LONG");
}

TEST(ParseWebhookRequest, MendsACutEmoji) {
  const std::string mark = "\xef\xbf\xbd";
  EXPECT_EQ(Read(WithText("ok \\ud83d")), "+1234567|ok " + mark + "|");
  EXPECT_EQ(Read(WithText("ok \\ud83d!")), "+1234567|ok " + mark + "!|");
  EXPECT_EQ(Read(WithText("\\ude00 \\ud83d\\ude00 \\ud83d\\ud83d\\ude00")),
            "+1234567|" + mark + " \xf0\x9f\x98\x80 " + mark + "\xf0\x9f\x98\x80|");
  EXPECT_EQ(Read(WithText("\\\\ud83d \\ud83d\\n")), "+1234567|\\ud83d " + mark + "\n|");
  EXPECT_EQ(Read(WithText("\\ud83")), "400 INVALID_JSON");
}

TEST(ParseWebhookRequest, TakesAnIdAsTextOrNumber) {
  EXPECT_EQ(Read(WithId("\"wa-1\"")), "+1234567|m|wa-1");
  EXPECT_EQ(Read(WithId("12345678901234567890123")), "+1234567|m|12345678901234567890123");  // exact
  EXPECT_EQ(Read(WithId("1.50")), "+1234567|m|1.50");
  EXPECT_EQ(Read(WithId("null")), "+1234567|m|");
  EXPECT_EQ(Read(WithId("\"\"")), "+1234567|m|");
  EXPECT_EQ(Read(WithId("\"" + std::string(256, 'i') + "\"")), "+1234567|m|" + std::string(256, 'i'));
  for (const std::string bad : {"true", "{}", "[]", "\"a\\u0000b\"", "\"a\\nb\""}) {
    EXPECT_EQ(Read(WithId(bad)), "400 INVALID_MESSAGE_ID") << bad;
  }
  EXPECT_EQ(Read(WithId("\"" + std::string(257, 'i') + "\"")), "400 INVALID_MESSAGE_ID");
  EXPECT_EQ(Read(WithId(std::string(257, '1'))), "400 INVALID_MESSAGE_ID");
}

TEST(ParseWebhookRequest, ReadsTimesAndForgivesOthers) {
  EXPECT_EQ(Time("\"2024-01-15T10:30:00.123Z\""), 1705314600123);
  EXPECT_EQ(Time("\"2024-01-15T10:30:00Z\""), 1705314600000);
  EXPECT_EQ(Time("\"2024-01-15 16:00:00.1+05:30\""), 1705314600100);
  EXPECT_EQ(Time("\"2024-01-15T05:30:00.123456-05:00\""), 1705314600123);
  EXPECT_EQ(Time("1705314600"), 1705314600000);
  EXPECT_EQ(Time("1705314600123"), 1705314600123);
  EXPECT_EQ(Time("\"1705314600\""), 1705314600000);
  for (const char* other : {"null", "true", "{}", "\"\"", "\"yesterday\"", "\"2024-02-30T10:30:00Z\"", "-5", "0", "1e9",
                            "99999999999999999999", "\"2024-01-15T10:30:00.Z\"", "\"2024-01-15T24:30:00Z\"",
                            "\"2024-01-15T10:30:00Zx\"", "\"1999-01-15T10:30:00Z\"", "\"2024-01-15T10:30:00+99:00\""}) {
    EXPECT_EQ(Time(other), std::nullopt) << other;
  }
}

}  // namespace
}  // namespace medidesk::admin
