// What happened, in order: logins and their ends, stanzas, and what clients did wrong. Tests read it.
//
// Bounded: of each kind the oldest go first. `seq` counts on for ever; Clear() does not set it back.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <string_view>

#include "gateway/wa/node.h"

namespace medidesk::whatsapp_sim {

// A step in the life of a connection:
//   open          the WebSocket is up; detail: the request's path
//   registration  an unlinked client finished the handshake
//   scanned       a phone took its QR or code
//   linked        the device signed; it exists from here on
//   login         a linked device got its success; detail: the app's version
//   active        it takes deliveries
//   refused       it got a failure; detail: the code
//   replaced      another login of the device ended this one
//   logout        the client removed its device
//   unlinked      the phone removed it
//   problem       the client broke the protocol; detail: how
//   close         the connection ended; detail: client, server or fault
struct LoginEvent {
  std::uint64_t seq = 0;
  std::int64_t time_us = 0;  // Unix
  std::string event;
  std::uint64_t connection = 0;
  std::string phone;  // digits; empty when not known
  int device = 0;
  std::string detail;
};

struct StanzaRecord {
  std::uint64_t seq = 0;
  std::int64_t time_us = 0;
  std::uint64_t connection = 0;
  std::string phone;
  int device = 0;
  bool from_client = false;
  std::shared_ptr<const gateway::wa::Node> node;
};

class EventLog {
 public:
  static constexpr std::size_t kMaxLogins = 200'000, kMaxStanzas = 20'000;

  void Add(LoginEvent event) { Push(logins_, std::move(event), kMaxLogins); }
  void Add(StanzaRecord record) { Push(stanzas_, std::move(record), kMaxStanzas); }
  const std::deque<LoginEvent>& logins() const { return logins_; }
  const std::deque<StanzaRecord>& stanzas() const { return stanzas_; }
  void Clear() {
    logins_.clear();
    stanzas_.clear();
  }

 private:
  template <typename Entry>
  void Push(std::deque<Entry>& entries, Entry entry, std::size_t limit) {
    entry.seq = ++seq_;
    entries.push_back(std::move(entry));
    if (entries.size() > limit) entries.pop_front();
  }

  std::deque<LoginEvent> logins_;
  std::deque<StanzaRecord> stanzas_;
  std::uint64_t seq_ = 0;
};

}  // namespace medidesk::whatsapp_sim
