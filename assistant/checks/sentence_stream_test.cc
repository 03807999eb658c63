#include "assistant/checks/sentence_stream.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace medidesk::assistant {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using Sentences = std::vector<std::string>;

Sentences Cut(std::string_view text, std::size_t piece) {
  SentenceStream stream;
  Sentences all;
  for (std::size_t at = 0; at < text.size(); at += piece) {
    for (std::string& sentence : stream.Feed(text.substr(at, piece))) all.push_back(std::move(sentence));
  }
  for (std::string& sentence : stream.Flush()) all.push_back(std::move(sentence));
  return all;
}
Sentences Cut(std::string_view text) { return Cut(text, text.size() + 1); }

TEST(SentenceStream, CutsAtTheEndsOfSentences) {
  EXPECT_THAT(Cut("We open at 10. Come in! Really? Yes."),
              ElementsAre("We open at 10.", "Come in!", "Really?", "Yes."));
  EXPECT_THAT(Cut("Really?! Yes... No."), ElementsAre("Really?!", "Yes...", "No."));
  EXPECT_THAT(Cut("He said \"go.\" Then (left.) *Bold.* End"),
              ElementsAre("He said \"go.\"", "Then (left.)", "*Bold.*", "End"));
  EXPECT_THAT(Cut("\u0928\u092e\u0938\u094d\u0924\u0947\u0964 \u0939\u093e\u0901\u0964"),
              ElementsAre("\u0928\u092e\u0938\u094d\u0924\u0947\u0964", "\u0939\u093e\u0901\u0964"));
  EXPECT_THAT(Cut("\u0623\u064a\u0646\u061f \u0647\u0646\u0627."),
              ElementsAre("\u0623\u064a\u0646\u061f", "\u0647\u0646\u0627."));
}

TEST(SentenceStream, KeepsALineBreakWithWhatFollows) {
  EXPECT_THAT(Cut("First line\nSecond line\n\n- third"), ElementsAre("First line", "\nSecond line", "\n\n- third"));
}

TEST(SentenceStream, KnowsAbbreviationsNumbersAndInitials) {
  EXPECT_THAT(Cut("Dr. A. Rao sits in OPD No. 5, open 10.30 a.m. to 4.15 p.m. daily. Come."),
              ElementsAre("Dr. A. Rao sits in OPD No. 5, open 10.30 a.m. to 4.15 p.m. daily.", "Come."));
  EXPECT_THAT(Cut("See www.sunrise.example for more. Bye."), ElementsAre("See www.sunrise.example for more.", "Bye."));
}

TEST(SentenceStream, GivesASentenceAsSoonAsSomethingFollows) {
  SentenceStream stream;
  EXPECT_THAT(stream.Feed("We open at 10."), IsEmpty()) << "perhaps 10.30";
  EXPECT_THAT(stream.Feed("30. "), ElementsAre("We open at 10.30."));
  EXPECT_THAT(stream.Feed("Bye"), IsEmpty());
  EXPECT_THAT(stream.Flush(), ElementsAre("Bye"));
  EXPECT_THAT(stream.Flush(), IsEmpty());
}

TEST(SentenceStream, GivesTheSameForPiecesOfEverySize) {
  const std::string text =
      "Hello! I am Asha. The ICU is open 14.00 to 16.00, see Dr. Rao. \n- *Ward.* 10 a.m.\n\nOk?! \u0928\u092e\u0938"
      "\u094d\u0924\u0947\u0964 \u0623\u064a\u0646\u061f \u2026 End\u2026 of it.\n ";
  const Sentences whole = Cut(text);
  EXPECT_GT(whole.size(), 6u);
  for (std::size_t piece = 1; piece < text.size(); ++piece) EXPECT_EQ(Cut(text, piece), whole) << piece;
}

TEST(SentenceStream, LosesNothingButSpaces) {
  const std::string text = "One. Two!  Three?\tFour\nFive ... six.Seven. Eight";
  std::string joined, expected;
  for (const std::string& sentence : Cut(text)) joined += sentence;
  const auto without_spaces = [](std::string_view all) {
    std::string rest;
    for (const char c : all) {
      if (c != ' ' && c != '\t') rest += c;
    }
    return rest;
  };
  EXPECT_EQ(without_spaces(joined), without_spaces(text));
}

TEST(SentenceStream, BoundsASentence) {
  std::string text;
  while (text.size() < 5 * SentenceStream::kMaxBytes) text += "word ";
  text += ". The end.";
  for (const std::size_t piece : {text.size(), std::size_t{1000}}) {
    for (const std::string& sentence : Cut(text, piece)) {
      EXPECT_LE(sentence.size(), SentenceStream::kMaxBytes);
      EXPECT_NE(sentence.substr(sentence.size() - 2), "wo") << "cut at a space";
    }
  }
}

TEST(SentenceStream, NeverCutsInsideACharacter) {
  std::string text = "x";
  while (text.size() < 3 * SentenceStream::kMaxBytes) text += "\u0928";
  Sentences sentences = Cut(text, 997);
  EXPECT_GE(sentences.size(), 3u);
  std::string joined;
  for (const std::string& sentence : sentences) {
    EXPECT_NE(static_cast<unsigned char>(sentence[0]) & 0xc0, 0x80);
    joined += sentence;
  }
  EXPECT_EQ(joined, text);
}

TEST(SentenceStream, SurvivesAnyBytes) {
  std::string bytes;
  for (int i = 0; i < 3000; ++i) bytes += static_cast<char>(i * 89 + i / 7);
  for (std::size_t size = 0; size < bytes.size(); size += 397) {
    EXPECT_EQ(Cut(std::string_view(bytes).substr(0, size), 1), Cut(std::string_view(bytes).substr(0, size)));
  }
}

}  // namespace
}  // namespace medidesk::assistant
