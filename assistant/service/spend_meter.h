// Counts what answers cost and says when a contact, or everybody together, has used a day's share of the model.
// Counted are tokens by what they cost: output five times, reads from the cache a tenth.
//
// Each process counts for itself, from its start and anew each day (UTC): with several assistants the hospital's
// share is so many times larger. Thread-safe; memory is bounded: with very many contacts in a day the count of
// the hospital goes on and those of further contacts begin anew.
#pragma once

#include <chrono>
#include <cstdint>
#include <mutex>
#include <string>
#include <unordered_map>

#include "assistant/claude/messages.h"

namespace medidesk::assistant {

class SpendMeter {
 public:
  struct Limits {
    std::int64_t contact_a_day = 0;   // weighed tokens; 0: no limit
    std::int64_t hospital_a_day = 0;  // likewise
  };
  explicit SpendMeter(Limits limits) : limits_(limits) {}

  // False: answer without the model.
  bool MaySpend(const std::string& contact_id, std::chrono::system_clock::time_point now);
  void Add(const std::string& contact_id, const claude::Usage& usage, std::chrono::system_clock::time_point now);

  static std::int64_t Weigh(const claude::Usage& usage);

 private:
  void Turn(std::chrono::system_clock::time_point now);

  static constexpr std::size_t kMaxContacts = 200'000;
  const Limits limits_;
  std::mutex mutex_;
  std::chrono::sys_days day_{};
  std::int64_t hospital_ = 0;
  std::unordered_map<std::string, std::int64_t> contacts_;
};

}  // namespace medidesk::assistant
