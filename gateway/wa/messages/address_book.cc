#include "gateway/wa/messages/address_book.h"

#include <algorithm>
#include <set>

#include "gateway/wa/messages/device_list.h"
#include "gateway/wa/signal_address.h"

namespace medidesk::gateway::wa {
namespace {

bool IsDigits(std::string_view text) {
  return !text.empty() && text.size() <= 20 &&
         std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

}  // namespace

Jid PlainAccount(const Jid& jid) {
  Jid plain = jid.WithoutDevice();
  if (plain.server == kHostedServer || plain.server == "c.us") plain.server = kUserServer;
  if (plain.server == kHostedLidServer) plain.server = kLidServer;
  return plain;
}

RecordName AddressBook::PhoneName(std::string_view phone) {
  return {.kind = RecordKind::kLidMap, .key = "pn:" + std::string(phone)};
}

RecordName AddressBook::LidName(std::string_view lid) {
  return {.kind = RecordKind::kLidMap, .key = "lid:" + std::string(lid)};
}

std::string AddressBook::LidOf(std::string_view phone) {
  if (phone == host_.own_jid().user) return host_.own_lid().user;
  const Bytes* found = host_.workspace().Get(PhoneName(phone));
  return found == nullptr ? "" : ToString(*found);
}

std::string AddressBook::PhoneOf(std::string_view lid) {
  if (host_.has_lid() && lid == host_.own_lid().user) return host_.own_jid().user;
  const Bytes* found = host_.workspace().Get(LidName(lid));
  return found == nullptr ? "" : ToString(*found);
}

Jid AddressBook::Canonical(const Jid& device) {
  if (device.server != kUserServer && device.server != kHostedServer) return device;
  const std::string lid = LidOf(device.user);
  if (lid.empty()) return device;
  return {.user = lid,
          .server = std::string(device.server == kUserServer ? kLidServer : kHostedLidServer),
          .device = device.device};
}

std::optional<Jid> AddressBook::OtherForm(const Jid& device) {
  if (!device.IsLid()) {
    const Jid canonical = Canonical(device);
    return canonical == device ? std::nullopt : std::optional(canonical);
  }
  const std::string phone = PhoneOf(device.user);
  if (phone.empty()) return std::nullopt;
  return Jid{.user = phone,
             .server = std::string(device.server == kLidServer ? kUserServer : kHostedServer),
             .device = device.device};
}

Jid AddressBook::CanonicalAccount(const Jid& jid) { return Canonical(PlainAccount(jid)); }

void AddressBook::Learn(const std::optional<Jid>& phone_jid, const std::optional<Jid>& lid_jid, std::uint16_t device,
                        Effects& effects) {
  if (!phone_jid || !lid_jid) return;
  const Jid phone = PlainAccount(*phone_jid), lid = PlainAccount(*lid_jid);
  if (phone.server != kUserServer || lid.server != kLidServer || !IsDigits(phone.user) || !IsDigits(lid.user)) return;
  if (host_.IsOwn(phone) || host_.IsOwn(lid)) return;
  const std::string known_lid = LidOf(phone.user), known_phone = PhoneOf(lid.user);
  if (known_lid == lid.user && known_phone == phone.user) return;

  Workspace& workspace = host_.workspace();
  if (!known_lid.empty() && known_lid != lid.user) workspace.Erase(LidName(known_lid));
  if (!known_phone.empty() && known_phone != phone.user) workspace.Erase(PhoneName(known_phone));
  workspace.Put(PhoneName(phone.user), ToBytes(lid.user));
  workspace.Put(LidName(lid.user), ToBytes(phone.user));
  effects.learned.push_back({.phone = phone.user, .lid = lid.user});
  if (known_lid == lid.user) return;

  // Sessions that began under the phone number go on under the hidden id.
  std::set<std::uint16_t> devices = {0, device};
  for (const Jid& listed : ReadDeviceList(workspace, phone).devices) devices.insert(listed.device);
  for (const std::uint16_t number : devices) {
    Jid from = phone, to = lid;
    from.device = to.device = number;
    host_.signal().MoveSession(from, to);
  }
  DropDeviceList(workspace, phone);
}

}  // namespace medidesk::gateway::wa
