// The dictionary of words that travel as one byte (01 to eb) or two (ec to ef, then a byte), from tokens.txt.
//
// Constant tables; any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace medidesk::gateway::wa {

// What the connection header names; both sides must have the same dictionary.
extern const int kDictionaryVersion;

struct Token {
  std::uint8_t first = 0;   // 01 to eb: the word itself; ec to ef: a page
  std::uint8_t second = 0;  // the word on the page; 0 where `first` is the word

  bool two_bytes() const { return first >= 0xEC; }
  friend bool operator==(const Token&, const Token&) = default;
};

// The word of one byte, or of two. Empty when no word has these bytes.
std::string_view SingleToken(std::uint8_t first);
std::string_view DoubleToken(std::uint8_t page, std::uint8_t second);

// The bytes of a word; nullopt when the dictionary lacks it.
std::optional<Token> FindToken(std::string_view word);

}  // namespace medidesk::gateway::wa
