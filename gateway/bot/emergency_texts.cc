#include "gateway/bot/emergency_texts.h"

#include <algorithm>

namespace medidesk::gateway::bot {

void EmergencyTexts::OnCry(const std::string& reply_id, const std::string& phone, const std::string& lid,
                           const std::string& family) {
  Cry cry;
  if (!phone.empty()) cry.keys.emplace_back("phone " + phone, family);
  if (!lid.empty()) cry.keys.emplace_back("lid " + lid, family);
  if (!cries_.emplace(reply_id, std::move(cry)).second) return;
  order_.push_back(reply_id);
  if (order_.size() > kMaxTexts) {
    cries_.erase(order_.front());
    order_.pop_front();
  }
}

bool EmergencyTexts::MayLeave(const std::string& reply_id, wa::Time now) {
  const auto found = cries_.find(reply_id);
  if (found == cries_.end()) return false;
  Cry& cry = found->second;
  const bool repeated = std::any_of(cry.keys.begin(), cry.keys.end(), [&](const Key& key) {
    const auto sent = sent_.find(key);
    return sent != sent_.end() && now < sent->second + kRepeat;
  });
  if (repeated) return false;
  cry.before_store = true;
  Remember(cry, now);
  return true;
}

void EmergencyTexts::OnStored(const std::string& reply_id, wa::Time now) {
  const auto found = cries_.find(reply_id);
  if (found != cries_.end() && !found->second.before_store) Remember(found->second, now);
}

std::optional<std::chrono::milliseconds> EmergencyTexts::PatienceOf(const std::string& reply_id) const {
  const auto found = cries_.find(reply_id);
  if (found == cries_.end()) return std::nullopt;
  return found->second.before_store ? std::chrono::milliseconds(0) : kPatience;
}

void EmergencyTexts::Remember(const Cry& cry, wa::Time now) {
  std::erase_if(sent_, [now](const auto& entry) { return now >= entry.second + kRepeat; });
  for (const Key& key : cry.keys) sent_[key] = now;
}

}  // namespace medidesk::gateway::bot
