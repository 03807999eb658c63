#include "assistant/service/spend_meter.h"

namespace medidesk::assistant {

std::int64_t SpendMeter::Weigh(const claude::Usage& usage) {
  return usage.input_tokens + usage.cache_write_tokens * 2 + usage.cache_read_tokens / 10 + usage.output_tokens * 5;
}

void SpendMeter::Turn(std::chrono::system_clock::time_point now) {
  const auto day = std::chrono::floor<std::chrono::days>(now);
  if (day == day_ && contacts_.size() <= kMaxContacts) return;
  contacts_.clear();
  if (day != day_) hospital_ = 0;
  day_ = day;
}

bool SpendMeter::MaySpend(const std::string& contact_id, std::chrono::system_clock::time_point now) {
  const std::lock_guard lock(mutex_);
  Turn(now);
  if (limits_.hospital_a_day > 0 && hospital_ >= limits_.hospital_a_day) return false;
  if (limits_.contact_a_day <= 0) return true;
  const auto found = contacts_.find(contact_id);
  return found == contacts_.end() || found->second < limits_.contact_a_day;
}

void SpendMeter::Add(const std::string& contact_id, const claude::Usage& usage,
                     std::chrono::system_clock::time_point now) {
  const std::lock_guard lock(mutex_);
  Turn(now);
  const std::int64_t weight = Weigh(usage);
  hospital_ += weight;
  contacts_[contact_id] += weight;
}

}  // namespace medidesk::assistant
