#include "tests/sim/whatsapp/world.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "tests/sim/whatsapp/crypto.h"
#include "tests/sim/whatsapp/delivery.h"
#include "tests/sim/whatsapp/messages.h"
#include "tests/sim/whatsapp/pairing.h"
#include "tests/sim/whatsapp/queries.h"
#include "tests/sim/whatsapp/session.h"

namespace medidesk::whatsapp_sim {

namespace wa = gateway::wa;

namespace {

bool IsDigits(std::string_view text) {
  return !text.empty() && text.size() <= 20 && text[0] != '0' &&
         std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

absl::Status NotFound(std::string_view text) { return Error(absl::StatusCode::kNotFound, text); }

}  // namespace

World::World(Settings settings, std::function<std::int64_t()> now_us) : settings(settings), now_us_(std::move(now_us)) {
  AddDeliveryHandlers(router);
  AddQueryHandlers(router);
  AddMessageHandlers(router);
  AddAccountQueries(router);
}

absl::StatusOr<Account*> World::AddAccount(PhoneOptions options) {
  Phone::Options& phone = options.phone;
  do {
    ++made_up_;
  } while (accounts_.contains(fmt::format("1555{:07}", made_up_)));
  if (phone.number.empty()) phone.number = fmt::format("1555{:07}", made_up_);
  if (phone.lid.empty()) phone.lid = fmt::format("{}", 100'000'000'000'000 + made_up_);
  if (!IsDigits(phone.number)) return Error(absl::StatusCode::kInvalidArgument, "phone: expected digits");
  if (!IsDigits(phone.lid)) return Error(absl::StatusCode::kInvalidArgument, "lid: expected digits");
  if (accounts_.contains(phone.number) || by_lid_.contains(phone.lid)) {
    return Error(absl::StatusCode::kAlreadyExists, "a phone with this number or lid exists");
  }
  auto account = std::make_unique<Account>(phone);
  if (options.passkey) account->passkey.emplace();
  account->MakePhoneKeys();
  Account* const added = account.get();
  by_lid_[phone.lid] = added;
  accounts_[phone.number] = std::move(account);
  return added;
}

Account* World::FindAccount(std::string_view number) {
  const auto found = accounts_.find(number);
  return found == accounts_.end() ? nullptr : found->second.get();
}

Account* World::AccountOf(const wa::Jid& jid) {
  if (jid.IsLid()) {
    const auto found = by_lid_.find(jid.user);
    return found == by_lid_.end() ? nullptr : found->second;
  }
  return jid.server == wa::kUserServer ? FindAccount(jid.user) : nullptr;
}

Device* World::FindDevice(const wa::Jid& jid) {
  Account* account = AccountOf(jid);
  return account == nullptr ? nullptr : account->Find(jid.device);
}

absl::Status World::Scan(std::string_view number, std::string_view text) {
  Account* account = FindAccount(number);
  if (account == nullptr) return NotFound("no such phone");
  MD_ASSIGN_OR_RETURN(const QrCode qr, ParseQr(text));
  for (const auto& [id, session] : sessions_) {
    Pairing* pairing = session->pairing();
    if (pairing != nullptr && session->open() && pairing->HasRef(qr.ref)) return pairing->Scan(*account, qr);
  }
  return NotFound("no open connection has this ref");
}

absl::Status World::EnterCode(std::string_view number, std::string_view code) {
  Account* account = FindAccount(number);
  if (account == nullptr) return NotFound("no such phone");
  for (const auto& [id, session] : sessions_) {
    Pairing* pairing = session->pairing();
    if (pairing != nullptr && session->open() && pairing->code_wanted_by() == number) {
      return pairing->EnterCode(*account, code);
    }
  }
  return NotFound("no connection waits for a code of this phone");
}

absl::Status World::Unlink(std::string_view number, int device_number) {
  Account* account = FindAccount(number);
  Device* device = account == nullptr ? nullptr : account->Find(device_number);
  if (device == nullptr) return NotFound("no such device");
  Session* const session = device->session;
  log.Add(LoginEvent{.time_us = now_us(),
                     .event = "unlinked",
                     .connection = session == nullptr ? 0 : session->id(),
                     .phone = std::string(number),
                     .device = device_number,
                     .detail = {}});
  Forget(*account, device_number);
  if (session != nullptr) {
    session->End({"stream:error", {{"code", "401"}}, wa::Nodes{{"conflict", {{"type", "device_removed"}}, {}}}});
  }
  return absl::OkStatus();
}

void World::Forget(Account& account, int device_number) {
  Device* device = account.Find(device_number);
  if (device == nullptr) return;
  if (device->session != nullptr) device->session->LoseDevice();
  TellDevices(*this, account, *device, /*added=*/false);
  account.devices.erase(device_number);
}

absl::StatusOr<int> World::Order(Fault fault) {
  if (fault.at != Fault::At::kNow) {
    if (!faults.Add(std::move(fault))) return Error(absl::StatusCode::kResourceExhausted, "too many faults wait");
    return 0;
  }
  int met = 0;
  // A fault may end a session's link, but sessions leave later, on the link's own time.
  for (const auto& [id, session] : sessions_) {
    if (!session->open()) continue;
    if (!Matches(fault, {.phone = session->phone(), .device = session->device_number(), .target = session->target()}))
      continue;
    session->Apply(fault);
    ++met;
  }
  return met;
}

std::uint64_t World::Enter(Session& session) {
  sessions_[++last_session_] = &session;
  return last_session_;
}

void World::Leave(Session& session) { sessions_.erase(session.id()); }

std::string World::NewId() { return fmt::format("{}", 100'000'000 + ++last_id_); }

void World::Reset() {
  faults.Clear();
  for (const auto& [id, session] : sessions_) session->Close(Link::How::kClose, "server", 1001);
  log.Clear();
}

}  // namespace medidesk::whatsapp_sim
