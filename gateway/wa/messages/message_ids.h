// Ids of the stanzas that we send, and the fingerprint of the devices that they went to.
#pragma once

#include <array>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "gateway/wa/entropy.h"
#include "gateway/wa/jid.h"
#include "gateway/wa/moment.h"

namespace medidesk::gateway::wa {

using ReplyId = std::array<std::uint8_t, 16>;

// nullopt for what is no UUID.
std::optional<ReplyId> ParseReplyId(std::string_view uuid);

// "3EB0" and the first 9 bytes, in upper-case hex, of SHA-256 over the reply's 16 bytes and one byte for the part:
// whoever sends the part again, after whatever crash, sends it under this id.
std::string StanzaIdOf(const ReplyId& reply, int part);

// An id of a message that is no part of a reply.
std::string NewStanzaId(WallTime now, std::string_view own_user, const Entropy& entropy);

// "2:" and six bytes of a hash over the devices; the server compares it with its own.
std::string ParticipantHash(std::span<const Jid> devices);

// Whether two fingerprints are one; the alphabets of senders differ.
bool SameParticipantHash(std::string_view a, std::string_view b);

}  // namespace medidesk::gateway::wa
