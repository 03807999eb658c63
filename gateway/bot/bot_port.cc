#include "gateway/bot/bot_port.h"

#include <algorithm>

namespace medidesk::gateway::bot {

std::optional<wa::Jid> AddressOf(std::string_view recipient) {
  std::string_view server = wa::kUserServer;
  if (recipient.starts_with("lid:")) {
    recipient.remove_prefix(4);
    server = wa::kLidServer;
  } else if (recipient.starts_with('+')) {
    recipient.remove_prefix(1);
  } else {
    return std::nullopt;
  }
  const bool digits = std::all_of(recipient.begin(), recipient.end(), [](char c) { return c >= '0' && c <= '9'; });
  if (recipient.empty() || recipient.size() > 32 || !digits) return std::nullopt;
  return wa::Jid{.user = std::string(recipient), .server = std::string(server)};
}

}  // namespace medidesk::gateway::bot
