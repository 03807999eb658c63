// The first byte of every value in a binary node, shared by the encoder and the decoder.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "gateway/wa/jid.h"

namespace medidesk::gateway::wa::tags {

inline constexpr std::uint8_t kListEmpty = 0x00;     // as a list: no members; as a text: empty
inline constexpr std::uint8_t kLastSingle = 0xEB;    // 01 to EB: words of one byte
inline constexpr std::uint8_t kDictionary0 = 0xEC;   // EC to EF: a page of words, then the word
inline constexpr std::uint8_t kDictionary3 = 0xEF;   //
inline constexpr std::uint8_t kInteropJid = 0xF5;    // user, device u16, integrator u16, server
inline constexpr std::uint8_t kMessengerJid = 0xF6;  // user, device u16, server
inline constexpr std::uint8_t kDeviceJid = 0xF7;     // domain u8, device u8, user
inline constexpr std::uint8_t kList8 = 0xF8;         // size u8
inline constexpr std::uint8_t kList16 = 0xF9;        // size u16
inline constexpr std::uint8_t kJidPair = 0xFA;       // user or nothing, server
inline constexpr std::uint8_t kHex8 = 0xFB;          // packed: 0-9 A-F
inline constexpr std::uint8_t kBinary8 = 0xFC;       // length u8
inline constexpr std::uint8_t kBinary20 = 0xFD;      // length, the low 20 of 24 bits
inline constexpr std::uint8_t kBinary32 = 0xFE;      // length u32
inline constexpr std::uint8_t kNibble8 = 0xFF;       // packed: 0-9 - .

// What the four bits of a packed text mean; 15 pads an odd one. 0 is no character.
inline constexpr std::string_view kHexDigits = "0123456789ABCDEF";
inline constexpr std::string_view kNibbleDigits = {"0123456789-.\0\0\0\0", 16};

// Packed texts: bit 7 of the count byte says that the last four bits are padding.
inline constexpr std::uint8_t kOdd = 0x80;
inline constexpr std::size_t kMaxPacked = 127;  // characters

// Domain bytes of kDeviceJid that name a server.
struct Domain {
  std::uint8_t number;
  std::string_view server;
};
inline constexpr std::array<Domain, 4> kDomains = {
    {{0, kUserServer}, {1, kLidServer}, {128, kHostedServer}, {129, kHostedLidServer}}};

}  // namespace medidesk::gateway::wa::tags
