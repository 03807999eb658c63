// Tokens that show the server that a contact and we know each other; without one a message may meet error 463.
#pragma once

#include <cstdint>
#include <optional>

#include "gateway/wa/bytes.h"
#include "gateway/wa/jid.h"
#include "gateway/wa/key_derivation.h"

namespace medidesk::gateway::wa {

struct ContactToken {
  Bytes token = {};             // given by the contact; empty: none
  std::int64_t token_time = 0;  // Unix seconds
  std::int64_t given_time = 0;  // when we gave ours; 0: never

  Bytes Serialize() const;
  // What is no record of one is an empty one: tokens come again.
  static ContactToken Parse(ByteView record);

  // Tokens count in weeks, for four of them.
  bool ValidAt(std::int64_t now) const;
  // Ours has not been given in this week.
  bool GiveAt(std::int64_t now) const;

  friend bool operator==(const ContactToken&, const ContactToken&) = default;
};

// In place of a token: derived from the account's secret for the contact's hidden id.
Digest32 DerivedContactToken(ByteView salt, const Jid& lid);

}  // namespace medidesk::gateway::wa
