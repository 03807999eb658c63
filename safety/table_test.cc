#include "safety/table.h"

#include <gtest/gtest.h>

#include <array>
#include <set>
#include <string>

#include "safety/gate.h"

namespace medidesk::safety {
namespace {

constexpr std::string_view kRules = "version 1\nrule chest_pain.pain emergency : chest + pain\n";
constexpr std::string_view kEnglish = "language en\nchest: chest\npain: pain | hurt*\n";

std::string ErrorOf(std::string_view rules, std::string_view english) {
  const std::array<TableSource, 2> sources = {
      {{.name = "tables/rules.txt", .content = rules}, {.name = "tables/en.txt", .content = english}}};
  const auto tables = ParseTables(sources);
  if (tables.ok()) return "none";
  EXPECT_EQ(tables.status().code(), absl::StatusCode::kInvalidArgument);
  return std::string(Text(tables.status()));
}

TEST(Tables, AreRefusedWithFileAndLine) {
  EXPECT_EQ(ErrorOf(kRules, kEnglish), "none");
  EXPECT_EQ(ErrorOf(kRules, "language en\n\nchset: chest\n"), "tables/en.txt:3: no rule uses this concept");
  EXPECT_EQ(ErrorOf(kRules, "language en\nchest: chest\npain: pain |\n"),
            "tables/en.txt:3: a term is empty: two | side by side, or one at the end");
  EXPECT_EQ(ErrorOf(kRules, "language en\n# x\nchest: ch*\n"),
            "tables/en.txt:3: a stem has at least three letters (two, if not the first word)");
  EXPECT_EQ(ErrorOf(kRules, "chest: chest\n"), "tables/en.txt:1: the first line must be `language <BCP 47 tag>`");
  EXPECT_EQ(ErrorOf(kRules, "language en\nchest chest\n"), "tables/en.txt:2: expected `<concept>: term | term`");
  EXPECT_EQ(ErrorOf(kRules, "language en\nchest: ...\n"), "tables/en.txt:2: a term has no letters");
  EXPECT_EQ(ErrorOf(kRules, "  language en\n"),
            "tables/en.txt:1: this line begins with a space but there is none for it to go on with");
  EXPECT_EQ(ErrorOf(kRules, "language en\nnumeral x: six\n"),
            "tables/en.txt:2: expected `numeral <number>: word | word`");
  EXPECT_EQ(ErrorOf(kRules, "language en\nchest: chest\n"),
            "tables/rules.txt:2: concept pain has no words in any language");
  EXPECT_EQ(ErrorOf("version 1\nrule a.b maybe : chest\n", kEnglish),
            "tables/rules.txt:2: the outcome is emergency, lite, human_request, opt_out, threat or another that the "
            "head names");
  EXPECT_EQ(ErrorOf("version 1\nrule ab emergency : chest\n", kEnglish),
            "tables/rules.txt:2: a rule's id is `<family>.<name>`");
  EXPECT_EQ(ErrorOf("version 1\nrule a.b lite : chest\nrule a.b lite : pain\n", kEnglish),
            "tables/rules.txt:3: this rule id is already taken");
  EXPECT_EQ(ErrorOf("version 1\nrule a.b lite window=99 : chest\n", kEnglish),
            "tables/rules.txt:2: window is a number from 1 to 40");
  EXPECT_EQ(ErrorOf("version 1\nrule a.b lite wide : chest\n", kEnglish),
            "tables/rules.txt:2: the options are window=N, unless=<concept>, firm and whole");
  EXPECT_EQ(ErrorOf("version 1\nrule a.b lite : chest +\n", kEnglish),
            "tables/rules.txt:2: a slot is a concept, or several with / between them");
  EXPECT_EQ(ErrorOf("version 1\nmeasure young week 9 3\n", kEnglish),
            "tables/rules.txt:2: expected two numbers, the smaller first");
  EXPECT_EQ(ErrorOf("version 1\nrulez\n", kEnglish), "tables/rules.txt:2: expected version, measure, reading or rule");
  EXPECT_EQ(ErrorOf("rule a.b lite : chest\n", kEnglish), "tables/rules.txt:1: expected a line `version <number>`");
}

TEST(Tables, NeedRules) {
  const std::array<TableSource, 1> only = {{{.name = "tables/en.txt", .content = kEnglish}}};
  EXPECT_EQ(Text(ParseTables(only).status()), "tables: rules.txt is missing");
}

TEST(Tables, ChangeTheirVersionWithEveryByte) {
  const auto version = [](std::string_view english) {
    const std::array<TableSource, 2> sources = {
        {{.name = "rules.txt", .content = kRules}, {.name = "en.txt", .content = english}}};
    return ParseTables(sources)->version;
  };
  const std::string first = version(kEnglish);
  EXPECT_EQ(first.size(), 14u);
  EXPECT_TRUE(first.starts_with("1."));
  EXPECT_EQ(version(kEnglish), first);
  EXPECT_NE(version("language en\nchest: chest\npain: pain\n"), first);
}

TEST(Tables, EmbeddedOnesAreWholeAndEnglishComesFirst) {
  const auto tables = ParseTables(EmbeddedTables());
  ASSERT_TRUE(tables.ok()) << Text(tables.status());
  EXPECT_EQ(tables->languages.front(), "en");
  EXPECT_EQ(
      std::set<std::string>(tables->languages.begin(), tables->languages.end()),
      (std::set<std::string>{"en", "es", "hi", "hi-Latn", "ar", "pt", "fr", "de", "ur", "bn", "id", "sw", "tr", "zh"}));
}

TEST(Tables, MakeAGateOfTheirOwn) {
  const std::array<TableSource, 2> sources = {
      {{.name = "rules.txt", .content = kRules}, {.name = "en.txt", .content = kEnglish}}};
  const auto gate = Gate::Make(sources);
  ASSERT_TRUE(gate.ok());
  EXPECT_TRUE(gate->Screen("my chest is hurting").emergency());
  EXPECT_FALSE(gate->Screen("my knee is hurting").emergency());
}

}  // namespace
}  // namespace medidesk::safety
