#include "gateway/wa/messages/text_format.h"

#include <gmock/gmock.h>

#include <string>

#include "gateway/wa/utf8.h"

namespace medidesk::gateway::wa {
namespace {

using ::testing::ElementsAre;

TEST(WhatsAppText, TurnsMarkdownIntoWhatsAppsMarks) {
  EXPECT_EQ(WhatsAppTextOf("**Opening hours**"), "*Opening hours*");
  EXPECT_EQ(WhatsAppTextOf("__Opening hours__"), "*Opening hours*");
  EXPECT_EQ(WhatsAppTextOf("it is *very* important"), "it is _very_ important");
  EXPECT_EQ(WhatsAppTextOf("**bold and *both* of it**"), "*bold and _both_ of it*");
  EXPECT_EQ(WhatsAppTextOf("~~10:00~~ 11:00"), "~10:00~ 11:00");
  EXPECT_EQ(WhatsAppTextOf("## Departments"), "*Departments*");
  EXPECT_EQ(WhatsAppTextOf("# **Departments** ##"), "*Departments*");
  EXPECT_EQ(WhatsAppTextOf("[our page](https://a.example/x)"), "our page (https://a.example/x)");
  EXPECT_EQ(WhatsAppTextOf("[https://a.example](https://a.example)"), "https://a.example");
  EXPECT_EQ(WhatsAppTextOf("![map](https://a.example \"the way\")"), "map (https://a.example)");
  EXPECT_EQ(WhatsAppTextOf("* one\n+ two\n  * three\n- four\n1. five"), "- one\n- two\n  - three\n- four\n1. five");
  EXPECT_EQ(WhatsAppTextOf("above\n---\nbelow"), "above\n\nbelow");
  EXPECT_EQ(WhatsAppTextOf("```json\n{\"**a**\": 1}\n```"), "```\n{\"**a**\": 1}\n```");
  EXPECT_EQ(WhatsAppTextOf("`**a**`"), "`**a**`");
  EXPECT_EQ(WhatsAppTextOf("2 \\* 3"), "2 * 3");
}

TEST(WhatsAppText, LeavesWhatIsNoMarkdown) {
  for (const char* text : {"", "hello", "5 * 3 * 2", "snake_case_name", "a ** b", "*", "**", "[", "[x]", "[x](", "(a)",
                           "> quoted", "**open", "1 * 2", "mañana a las 10 👍", "a\n\nb", "trailing ["}) {
    EXPECT_EQ(WhatsAppTextOf(text), text);
  }
}

TEST(WhatsAppText, ComesToAnEndOnMarksWithoutPartners) {
  std::string text;
  for (int i = 0; i < 20'000; ++i) text += "**a [x ";
  EXPECT_EQ(WhatsAppTextOf(text).size() + 1, text.size());
}

TEST(SplitText, LeavesAShortTextWhole) {
  EXPECT_THAT(SplitText("hello"), ElementsAre("hello"));
  EXPECT_THAT(SplitText(""), ElementsAre(""));
  EXPECT_THAT(SplitText("\n hello \n"), ElementsAre("hello"));
  EXPECT_EQ(SplitText(std::string(kMaxPartCharacters, 'x')).size(), 1u);
}

TEST(SplitText, CutsAtTheEndOfASentence) {
  std::string sentence = "This sentence has exactly fifty characters in it. ";
  ASSERT_EQ(sentence.size(), 50u);
  std::string text;
  for (int i = 0; i < 150; ++i) text += sentence;
  const auto parts = SplitText(text);
  ASSERT_EQ(parts.size(), 2u);
  EXPECT_TRUE(parts[0].ends_with("in it."));
  EXPECT_TRUE(parts[1].starts_with("This"));
  EXPECT_EQ(parts[0].size() + parts[1].size() + 2, text.size());
}

TEST(SplitText, PrefersTheEndOfAParagraph) {
  const std::string text = std::string(3'000, 'a') + ".\n\n" + std::string(500, 'b') + ". " + std::string(3'000, 'c');
  EXPECT_EQ(SplitText(text)[0], std::string(3'000, 'a') + ".");
}

TEST(SplitText, CountsCharactersAndCutsNone) {
  std::string text;
  for (int i = 0; i < 5'000; ++i) text += "ñ";
  const auto parts = SplitText(text);
  ASSERT_EQ(parts.size(), 2u);
  EXPECT_EQ(parts[0].size(), 2 * kMaxPartCharacters);
  for (const std::string& part : parts) EXPECT_EQ(ReplaceInvalidUtf8(AsBytes(part)), part);
}

TEST(SplitText, EndsAfterThreePartsWithAnEllipsis) {
  std::string text;
  for (int i = 0; i < 20'000; ++i) text += "word ";
  const auto parts = SplitText(text);
  ASSERT_EQ(parts.size(), kMaxParts);
  EXPECT_TRUE(parts.back().ends_with("word…"));
  for (const std::string& part : parts) EXPECT_LE(part.size(), kMaxPartCharacters + 2);
  EXPECT_EQ(SplitText(text), parts);
}

}  // namespace
}  // namespace medidesk::gateway::wa
