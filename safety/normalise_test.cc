#include "safety/normalise.h"

#include <gtest/gtest.h>

#include <string>

namespace medidesk::safety {
namespace {

// The words with | at a clause's end and || at a sentence's.
std::string Shown(std::string_view text) {
  const Words words = Normalise(text);
  std::string out;
  for (const Token& token : words.tokens) {
    if (!out.empty()) out += ' ';
    if (token.before == Break::kClause) out += "| ";
    if (token.before == Break::kSentence && !out.empty()) out += "|| ";
    out += words.Text(token);
  }
  return out;
}

TEST(Normalise, FoldsCaseAccentsAndWidth) {
  EXPECT_EQ(Shown("ÉTOUFFE Ｃｈｅｓｔ ﬁt"), "etoufe chest fit");
  EXPECT_EQ(Shown("não coração"), "nao coracao");
}

TEST(Normalise, KeepsOneOfRepeatedLetters) { EXPECT_EQ(Shown("heeeelp bleeding"), "help bleding"); }

TEST(Normalise, JoinsContractionsAndSplitsElisions) {
  EXPECT_EQ(Shown("can't he’s I'll"), "cant hes il");
  EXPECT_EQ(Shown("j'ai l'hôpital n’arrive"), "j ai l hopital n arive");
}

TEST(Normalise, DropsHiddenCharacters) {
  EXPECT_EQ(Shown("ch\u200Be\u00ADst\u2060"), "chest");
  EXPECT_EQ(Shown("ch\xFF"
                  "est"),
            "chest");
}

TEST(Normalise, FoldsArabicVariantsAndVowelSigns) {
  EXPECT_EQ(Shown("أَلَم"), Shown("الم"));
  EXPECT_EQ(Shown("إلى"), Shown("الي"));
  EXPECT_EQ(Shown("نـــزيف"), Shown("نزيف"));
  EXPECT_EQ(Shown("حرارة"), Shown("حراره"));
}

TEST(Normalise, FoldsDevanagariVariants) {
  EXPECT_EQ(Shown("साँस"), Shown("सांस"));
  EXPECT_EQ(Shown("ज़हर"), Shown("जहर"));
  EXPECT_EQ(Shown("बन्द"), Shown("बंद"));
  EXPECT_EQ(Shown("खून"), Shown("खुन"));
  EXPECT_NE(Shown("दर्द"), Shown("दवा"));
}

TEST(Normalise, ReadsNumbersOfEveryScript) {
  const Words words = Normalise("38,9 ٣٩ ३८.५ 6weeks");
  ASSERT_EQ(words.tokens.size(), 5u);
  EXPECT_DOUBLE_EQ(words.tokens[0].value, 38.9);
  EXPECT_DOUBLE_EQ(words.tokens[1].value, 39);
  EXPECT_DOUBLE_EQ(words.tokens[2].value, 38.5);
  EXPECT_DOUBLE_EQ(words.tokens[3].value, 6);
  EXPECT_EQ(words.Text(4), "weks");
}

TEST(Normalise, MarksClausesAndSentences) {
  EXPECT_EQ(Shown("no, pain. help! و؟ बस। अब"), "no | pain || help || و || बस || अब");
}

TEST(Normalise, BoundsWordsAndTheirNumber) {
  std::string alternating;
  for (int i = 0; i < 1000; ++i) alternating += "ab";
  const Words one = Normalise(alternating);
  ASSERT_EQ(one.tokens.size(), 1u);
  EXPECT_EQ(one.tokens[0].letters, kMaxWordLetters);
  std::string many;
  for (int i = 0; i < 50'000; ++i) many += "a ";
  EXPECT_EQ(Normalise(many).tokens.size(), kMaxWords);
}

}  // namespace
}  // namespace medidesk::safety
