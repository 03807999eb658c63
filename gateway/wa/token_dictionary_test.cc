#include "gateway/wa/token_dictionary.h"

#include <gtest/gtest.h>

#include <fstream>
#include <set>
#include <sstream>
#include <string>

namespace medidesk::gateway::wa {
namespace {

TEST(TokenDictionary, HoldsEveryWordOfItsFileBothWays) {
  std::ifstream file("gateway/wa/tokens.txt");
  ASSERT_TRUE(file.is_open());
  int words = 0;
  for (std::string line; std::getline(file, line);) {
    std::istringstream fields(line);
    std::string bytes, word;
    if (line.starts_with("#") || line.starts_with("version")) continue;
    ASSERT_TRUE(fields >> bytes >> word) << line;
    const auto number = static_cast<unsigned>(std::stoul(bytes, nullptr, 16));
    const Token token = bytes.size() == 2 ? Token{.first = static_cast<std::uint8_t>(number)}
                                          : Token{.first = static_cast<std::uint8_t>(number >> 8),
                                                  .second = static_cast<std::uint8_t>(number)};
    EXPECT_EQ(token.two_bytes(), bytes.size() == 4);
    EXPECT_EQ(FindToken(word), token) << word;
    EXPECT_EQ(token.two_bytes() ? DoubleToken(token.first, token.second) : SingleToken(token.first), word);
    ++words;
  }
  EXPECT_EQ(words, 1259);
  EXPECT_EQ(kDictionaryVersion, 3);
}

TEST(TokenDictionary, KnowsTheWordsOfTheDocumentsExamples) {
  EXPECT_EQ(SingleToken(0x03), "s.whatsapp.net");
  EXPECT_EQ(SingleToken(0x02), "xmlstreamend");
  EXPECT_EQ(SingleToken(0x19), "iq");
  EXPECT_EQ(DoubleToken(0xEC, 0x01), "active");
}

TEST(TokenDictionary, GivesNothingForBytesWithoutAWord) {
  EXPECT_EQ(SingleToken(0), "");
  for (int byte = 0xEC; byte <= 0xFF; ++byte) EXPECT_EQ(SingleToken(static_cast<std::uint8_t>(byte)), "") << byte;
  EXPECT_EQ(DoubleToken(0xEB, 0), "");
  EXPECT_EQ(DoubleToken(0xF0, 0), "");
}

TEST(TokenDictionary, FindsNoWordThatItLacks) {
  for (const auto word : {"", "S.whatsapp.net", "s.whatsapp.ne", "no-such-word"}) {
    EXPECT_EQ(FindToken(word), std::nullopt) << word;
  }
  EXPECT_EQ(FindToken(std::string(1000, 'a')), std::nullopt);
}

}  // namespace
}  // namespace medidesk::gateway::wa
