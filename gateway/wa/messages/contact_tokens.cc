#include "gateway/wa/messages/contact_tokens.h"

#include "whatsapp/message_records.pb.h"

namespace medidesk::gateway::wa {
namespace {

constexpr std::int64_t kWeek = 604'800;  // seconds
constexpr std::int64_t kWeeksValid = 4;

}  // namespace

Bytes ContactToken::Serialize() const {
  whatsapp::ContactTokenRecord record;
  record.set_token(ToString(token));
  record.set_token_time(token_time);
  record.set_given_time(given_time);
  return ToBytes(record.SerializeAsString());
}

ContactToken ContactToken::Parse(ByteView bytes) {
  whatsapp::ContactTokenRecord record;
  if (!record.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) return {};
  return {.token = ToBytes(record.token()), .token_time = record.token_time(), .given_time = record.given_time()};
}

bool ContactToken::ValidAt(std::int64_t now) const {
  return !token.empty() && token_time >= (now / kWeek - (kWeeksValid - 1)) * kWeek;
}

bool ContactToken::GiveAt(std::int64_t now) const { return given_time == 0 || now / kWeek > given_time / kWeek; }

Digest32 DerivedContactToken(ByteView salt, const Jid& lid) { return HmacSha256(salt, AsBytes(lid.user + "@lid")); }

}  // namespace medidesk::gateway::wa
