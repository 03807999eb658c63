#include "base/log.h"

#include <gtest/gtest.h>

#include <string>

#include "base/phi.h"
#include "base/phone_number.h"

namespace medidesk::log {
namespace {

// 2026-11-24T10:00:00.005Z
constexpr std::int64_t kTime = 1795514400005;

TEST(Log, WritesTextLines) {
  EXPECT_EQ(FormatLine(Format::kText, Level::kInfo, "turn_answered",
                       {{"turn", Public("0193")}, {"ms", 12}, {"cached", true}, {"note", "two words"}}, kTime),
            "2026-11-24T10:00:00.005Z info turn_answered turn=0193 ms=12 cached=true note=\"two words\"");
}

TEST(Log, WritesJsonLines) {
  EXPECT_EQ(FormatLine(Format::kJson, Level::kError, "x", {{"a", Public("q\"\\\n")}, {"b", 1.5}}, kTime),
            R"({"time":"2026-11-24T10:00:00.005Z","level":"error","event":"x","a":"q\"\\\u000a","b":1.5})");
}

TEST(Log, NamesTheTraceOfTheInnermostScope) {
  const auto line = [](Fields fields, Format format = Format::kText) {
    return FormatLine(format, Level::kInfo, "x", fields, kTime).substr(25);
  };
  {
    const TraceScope outer(std::make_shared<std::string>("0af7"));
    EXPECT_EQ(line({{"a", 1}}), "info x a=1 trace=0af7");
    EXPECT_EQ(line({{"trace", "own"}}), "info x trace=own");
    EXPECT_EQ(FormatLine(Format::kJson, Level::kInfo, "x", {}, kTime),
              R"({"time":"2026-11-24T10:00:00.005Z","level":"info","event":"x","trace":"0af7"})");
    {
      const TraceScope none(nullptr);
      EXPECT_EQ(line({}), "info x");
      EXPECT_EQ(CurrentTrace(), nullptr);
    }
    EXPECT_EQ(*CurrentTrace(), "0af7");
  }
  EXPECT_EQ(line({}), "info x");
}

TEST(Log, RefusesUnknownSettings) {
  EXPECT_EQ(Text(Configure("loud", "text")), "--log_level: expected debug, info, warning or error");
  EXPECT_EQ(Text(Configure("info", "xml")), "--log_format: expected text or json");
  EXPECT_TRUE(Configure("info", "text").ok());
}

// Patients' words have no way into a line: a plain string needs Public(), Phi and PhoneNumber have none.
static_assert(!std::is_constructible_v<Field, const char*, std::string>);
static_assert(!std::is_constructible_v<Field, const char*, std::string_view>);
static_assert(!std::is_constructible_v<Field, const char*, Phi<std::string>>);
static_assert(!std::is_constructible_v<Field, const char*, PhoneNumber>);
static_assert(!std::is_constructible_v<Public, Phi<std::string>>);

}  // namespace
}  // namespace medidesk::log
