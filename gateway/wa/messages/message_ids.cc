#include "gateway/wa/messages/message_ids.h"

#include <fmt/format.h>

#include <algorithm>
#include <vector>

#include "gateway/wa/base64.h"
#include "gateway/wa/key_derivation.h"

namespace medidesk::gateway::wa {
namespace {

std::string IdOf(const Digest32& digest) {
  std::string id = "3EB0";
  for (std::size_t i = 0; i < 9; ++i) id += fmt::format("{:02X}", digest[i]);
  return id;
}

std::optional<std::uint8_t> Digit(char c) {
  if (c >= '0' && c <= '9') return static_cast<std::uint8_t>(c - '0');
  if (c >= 'a' && c <= 'f') return static_cast<std::uint8_t>(c - 'a' + 10);
  if (c >= 'A' && c <= 'F') return static_cast<std::uint8_t>(c - 'A' + 10);
  return std::nullopt;
}

}  // namespace

std::optional<ReplyId> ParseReplyId(std::string_view uuid) {
  if (uuid.size() != 36) return std::nullopt;
  ReplyId id{};
  std::size_t digits = 0;
  for (std::size_t i = 0; i < uuid.size(); ++i) {
    if (i == 8 || i == 13 || i == 18 || i == 23) {
      if (uuid[i] != '-') return std::nullopt;
      continue;
    }
    const auto digit = Digit(uuid[i]);
    if (!digit) return std::nullopt;
    std::uint8_t& byte = id[digits / 2];
    byte = static_cast<std::uint8_t>(byte << 4 | *digit);
    ++digits;
  }
  return id;
}

std::string StanzaIdOf(const ReplyId& reply, int part) {
  const std::uint8_t number = static_cast<std::uint8_t>(part);
  return IdOf(Sha256(Join({reply, {&number, 1}})));
}

std::string NewStanzaId(WallTime now, std::string_view own_user, const Entropy& entropy) {
  const auto seconds =
      static_cast<std::uint64_t>(std::chrono::duration_cast<std::chrono::seconds>(now.time_since_epoch()).count());
  std::array<std::uint8_t, 8> time{};
  for (int i = 0; i < 8; ++i) time[static_cast<std::size_t>(i)] = static_cast<std::uint8_t>(seconds >> (56 - 8 * i));
  return IdOf(Sha256(Join({time, AsBytes(own_user), AsBytes("@c.us"), RandomArray<16>(entropy)})));
}

std::string ParticipantHash(std::span<const Jid> devices) {
  std::vector<std::string> names;
  for (const Jid& device : devices) {
    names.push_back(fmt::format("{}.{}:{}@{}", device.user, device.agent, device.device, device.server));
  }
  std::sort(names.begin(), names.end());
  std::string all;
  for (const std::string& name : names) all += name;
  const Digest32 digest = Sha256(AsBytes(all));
  return "2:" + ToBase64(ByteView(digest).first(6));
}

bool SameParticipantHash(std::string_view a, std::string_view b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](char x, char y) {
    const auto plain = [](char c) { return c == '-' ? '+' : c == '_' ? '/' : c; };
    return plain(x) == plain(y);
  });
}

}  // namespace medidesk::gateway::wa
