#include <fmt/format.h>

#include "cli/doctor/checks.h"
#include "cli/doctor/net_stream.h"

namespace medidesk::cli {

FindingList CheckWhatsApp(const Settings& settings) {
  const auto endpoint = ParseEndpoint(settings.Get("WHATSAPP_URL", "wss://web.whatsapp.com/ws/chat"));
  if (!endpoint.ok()) {
    return {{FindingLevel::kError, "whatsapp", "WHATSAPP_URL is malformed",
             "remove it, or write it as wss://web.whatsapp.com/ws/chat"}};
  }
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(5);
  if (const auto stream = NetStream::Connect(*endpoint, deadline); !stream.ok()) {
    return {{FindingLevel::kError, "whatsapp", fmt::format("WhatsApp cannot be reached: {}", Text(stream.status())),
             fmt::format("let this machine reach {}:{} (firewall, DNS, proxy), or correct WHATSAPP_URL", endpoint->host,
                         endpoint->port)}};
  }
  return {{FindingLevel::kOk, "whatsapp", "the endpoint can be reached", ""}};
}

}  // namespace medidesk::cli
