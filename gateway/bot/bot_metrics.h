// What the bot of a number reports. Whoever makes it chooses the label; all of them outlive the bot.
#pragma once

#include <functional>
#include <string_view>

namespace medidesk::gateway::bot {

struct BotMetrics {
  // How a part ended: "sent", "discarded", "failed", "unknown"; and with which failure.
  std::function<void(std::string_view outcome)> part = [](std::string_view) {};
  // A turn's answer: "assistant", "cannot_read", "stale", "apology", "silent"; seconds from the patient's last message
  // to the answer's being there.
  std::function<void(std::string_view kind, double seconds)> turn = [](std::string_view, double) {};
  // Seconds that the governor held a part back.
  std::function<void(double seconds)> held_back = [](double) {};
  // Error 463.
  std::function<void()> refused = [] {};
};

}  // namespace medidesk::gateway::bot
