#include "gateway/wa/jid.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <system_error>

namespace medidesk::gateway::wa {
namespace {

constexpr std::array<std::string_view, 12> kServers = {kUserServer, kGroupServer,  "c.us",           kBroadcastServer,
                                                       kLidServer,  kHostedServer, kHostedLidServer, kNewsletterServer,
                                                       "bot",       "call",        kMessengerServer, kInteropServer};

// The number in `text`, which is digits alone, without leading zeros, and fits; nullopt otherwise.
template <typename Number>
std::optional<Number> Digits(std::string_view text) {
  if (text.empty() || (text.size() > 1 && text[0] == '0') ||
      !std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; })) {
    return std::nullopt;
  }
  Number number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return number;
}

// Whether an agent of this number would be another server's address on the wire.
bool NamesAServer(std::uint8_t agent) { return agent == 0 || agent == 1 || agent == 128 || agent == 129; }

}  // namespace

bool IsKnownServer(std::string_view server) {
  return std::find(kServers.begin(), kServers.end(), server) != kServers.end();
}

std::optional<Jid> Jid::Parse(std::string_view text) {
  const std::size_t at = text.find('@');
  if (at == std::string_view::npos) {
    if (!IsKnownServer(text)) return std::nullopt;
    return Jid{.user = "", .server = std::string(text)};
  }
  std::string_view user = text.substr(0, at);
  const std::string_view server = text.substr(at + 1);
  if (server.empty()) return std::nullopt;
  Jid jid;
  jid.server = server;
  // ":0" says nothing, however often: what is written without it must read the same again.
  for (std::size_t colon = user.rfind(':'); jid.device == 0 && colon != std::string_view::npos;
       colon = user.rfind(':')) {
    // Text after the colon that is no device number is part of the user: it is not ours to judge.
    const auto device = Digits<std::uint16_t>(user.substr(colon + 1));
    if (!device) break;
    jid.device = *device;
    user = user.substr(0, colon);
  }
  if (server == kUserServer) {
    if (const std::size_t dot = user.rfind('.'); dot != std::string_view::npos) {
      const auto agent = Digits<std::uint8_t>(user.substr(dot + 1));
      if (agent && !NamesAServer(*agent)) {
        jid.agent = *agent;
        user = user.substr(0, dot);
      }
    }
  }
  jid.user = user;
  return jid;
}

std::optional<Jid> Jid::Detect(std::string_view text) {
  auto jid = Parse(text);
  if (jid && !IsKnownServer(jid->server)) return std::nullopt;
  return jid;
}

std::string Jid::ToString() const {
  std::string text;
  text.reserve(user.size() + server.size() + 12);
  text += user;
  if (agent != 0) text.append(".").append(std::to_string(agent));
  if (device != 0) text.append(":").append(std::to_string(device));
  return text.append("@").append(server);
}

}  // namespace medidesk::gateway::wa
