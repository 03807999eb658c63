// Everything the simulated server knows: accounts with their phones and devices, the connections, faults that wait,
// and the log. One for each simulator; used from one thread.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "base/status.h"
#include "tests/sim/whatsapp/account.h"
#include "tests/sim/whatsapp/certificates.h"
#include "tests/sim/whatsapp/event_log.h"
#include "tests/sim/whatsapp/fault.h"
#include "tests/sim/whatsapp/settings.h"
#include "tests/sim/whatsapp/stanza_router.h"

namespace medidesk::whatsapp_sim {

class Session;

class World {
 public:
  struct PhoneOptions {
    Phone::Options phone;  // an empty number or lid is made up
    bool passkey = false;
  };

  // `now_us`: the clock, Unix microseconds.
  World(Settings settings, std::function<std::int64_t()> now_us);

  Settings settings;
  CertificateAuthority authority;
  FaultQueue faults;
  StanzaRouter router;
  EventLog log;

  std::int64_t now_us() const { return now_us_(); }
  // The server's time as clients hear it, Unix seconds.
  std::int64_t server_time() const { return now_us_() / 1'000'000 + settings.clock_offset_s; }

  // ALREADY_EXISTS for a number or lid in use; INVALID_ARGUMENT when they are not digits.
  absl::StatusOr<Account*> AddAccount(PhoneOptions options);
  Account* FindAccount(std::string_view number);  // nullptr when there is none
  // By phone number or lid, whatever the device; nullptr when there is none.
  Account* AccountOf(const gateway::wa::Jid& jid);
  // The same for a device.
  Device* FindDevice(const gateway::wa::Jid& jid);
  const std::map<std::string, std::unique_ptr<Account>, std::less<>>& accounts() const { return accounts_; }

  // The phone takes the QR of an open, unlinked connection. NOT_FOUND without such a phone or ref.
  absl::Status Scan(std::string_view number, std::string_view qr);
  // The person types the code that a companion shows. NOT_FOUND when none waits for it.
  absl::Status EnterCode(std::string_view number, std::string_view code);
  // Takes the device from the account and ends its connection. NOT_FOUND without such a device.
  absl::Status Unlink(std::string_view number, int device);
  // The device is gone from the account; its connection stays, to be ended by the caller.
  void Forget(Account& account, int device);

  // Applies a fault that strikes now; otherwise keeps it. The number of connections it met.
  // RESOURCE_EXHAUSTED when too many wait.
  absl::StatusOr<int> Order(Fault fault);

  // Sessions announce themselves.
  std::uint64_t Enter(Session& session);
  void Leave(Session& session);
  const std::map<std::uint64_t, Session*>& sessions() const { return sessions_; }

  // The id of a stanza of the server's own that is not bound to a connection.
  std::string NewId();

  // Ends all connections, forgets waiting faults and the log. Phones and devices stay.
  void Reset();

 private:
  std::function<std::int64_t()> now_us_;
  std::map<std::string, std::unique_ptr<Account>, std::less<>> accounts_;  // by number
  std::map<std::string, Account*, std::less<>> by_lid_;
  std::map<std::uint64_t, Session*> sessions_;
  std::uint64_t last_session_ = 0;
  std::uint64_t made_up_ = 0, last_id_ = 0;
};

}  // namespace medidesk::whatsapp_sim
