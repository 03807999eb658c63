// An account as the server knows it: its phone and the devices linked to it.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <set>
#include <string>

#include "gateway/wa/jid.h"
#include "gateway/wa/node.h"
#include "tests/sim/whatsapp/bytes.h"
#include "tests/sim/whatsapp/passkey.h"
#include "tests/sim/whatsapp/phone.h"

namespace medidesk::whatsapp_sim {

class Session;

// A public pre-key as it was uploaded.
struct PreKey {
  std::uint32_t id = 0;
  Bytes value;
};

struct SignedPreKey {
  std::uint32_t id = 0;
  Bytes value;
  Bytes signature;
};

// A stanza that the device has not confirmed yet.
struct Pending {
  std::string tag;  // message, receipt, notification, call
  std::string id;
  gateway::wa::Node stanza;
};

struct Device {
  int number = 0;    // 1..99
  std::string name;  // as the phone's list of linked devices shows it
  int platform_type = 0;
  gateway::wa::Jid jid, lid;
  std::uint32_t key_index = 0;
  Key noise_key{};
  Key identity{};
  Bytes registration_id;  // 4 bytes
  SignedPreKey signed_pre_key;
  std::deque<PreKey> pre_keys;  // in the order of upload; the first is handed out first
  bool told_low = false;
  std::deque<Pending> pending;
  Session* session = nullptr;  // logged in; not owned
  bool active = false;         // the session takes deliveries
};

struct Account {
  explicit Account(Phone::Options options) : phone(std::move(options)) {}

  gateway::wa::Jid jid() const { return {.user = phone.options().number, .server = "s.whatsapp.net"}; }
  gateway::wa::Jid lid() const { return {.user = phone.options().lid, .server = "lid"}; }
  Device* Find(int number) {
    const auto found = devices.find(number);
    return found == devices.end() ? nullptr : &found->second;
  }

  // What others need to write to the phone itself.
  void MakePhoneKeys() {
    const KeyPair key = NewKeyPair();
    const std::uint8_t type[] = {5};
    phone_key.id = 1;
    phone_key.value.assign(key.public_key.begin(), key.public_key.end());
    phone_key.signature = Sign(phone.identity().private_key, Join({type, phone_key.value}));
  }

  Phone phone;
  SignedPreKey phone_key;
  std::set<std::string> partners;            // phone numbers of those it has written with
  std::set<std::string> sent;                // ids of its messages
  std::deque<std::string> sent_order;        // the same, oldest first
  std::set<std::string> wanted_again;        // those that somebody asked for again
  std::optional<PasskeyCredential> passkey;  // links need it when present
  std::map<int, Device> devices;
  int last_number = 0;
};

}  // namespace medidesk::whatsapp_sim
