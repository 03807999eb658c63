// Which emergency texts may leave before the store has answered, and when.
//
//   OnCry     -> kPatience without an answer of the store -> MayLeave -> its part goes to the journal at once
//             -> stored                                   -> OnStored -> its part may wait kPatience for the store
//
// What the store does for all others, once to a person and emergency within kRepeat, is done here for those that it
// does not see in time. This memory is the process's own: after a restart a text may come twice rather than not at all.
//
// Not thread-safe: the number's strand.
#pragma once

#include <chrono>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "gateway/wa/moment.h"

namespace medidesk::gateway::bot {

class EmergencyTexts {
 public:
  static constexpr std::chrono::milliseconds kPatience{700};
  static constexpr std::chrono::minutes kRepeat{30};
  static constexpr std::size_t kMaxTexts = 1'000;  // that are remembered

  // The gate has found an emergency; `reply_id`: of its text. `phone`, `lid`: the person's, digits, one may be empty.
  void OnCry(const std::string& reply_id, const std::string& phone, const std::string& lid, const std::string& family);
  // Whether the text may leave though the store is silent; then it counts as sent.
  bool MayLeave(const std::string& reply_id, wa::Time now);
  // The store has made it a reply.
  void OnStored(const std::string& reply_id, wa::Time now);
  // How long a part of this reply may wait for the store; nullopt: for ever, it is no emergency text.
  std::optional<std::chrono::milliseconds> PatienceOf(const std::string& reply_id) const;

 private:
  using Key = std::pair<std::string, std::string>;  // person, family
  struct Cry {
    std::vector<Key> keys;
    bool before_store = false;
  };
  void Remember(const Cry& cry, wa::Time now);

  std::map<std::string, Cry> cries_;  // by reply id
  std::deque<std::string> order_;     // of cries_, oldest first
  std::map<Key, wa::Time> sent_;
};

}  // namespace medidesk::gateway::bot
