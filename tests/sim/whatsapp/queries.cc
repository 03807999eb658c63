#include "tests/sim/whatsapp/queries.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "tests/sim/whatsapp/crypto.h"
#include "tests/sim/whatsapp/delivery.h"
#include "tests/sim/whatsapp/session.h"

namespace medidesk::whatsapp_sim {

namespace wa = gateway::wa;

namespace {

constexpr std::uint8_t kKeyType[] = {5};
constexpr std::size_t kMaxPreKeys = 100'000;

wa::Node Leaf(std::string_view tag, View bytes) { return {std::string(tag), {}, Bytes(bytes.begin(), bytes.end())}; }

View ContentOf(const wa::Node* parent, std::string_view tag) {
  const wa::Node* child = parent == nullptr ? nullptr : parent->Child(tag);
  return child == nullptr ? View() : child->ContentBytes();
}

Bytes IdBytes(std::uint32_t id) {
  return {static_cast<std::uint8_t>(id >> 16), static_cast<std::uint8_t>(id >> 8), static_cast<std::uint8_t>(id)};
}

std::optional<std::uint32_t> IdFrom(View bytes) {
  if (bytes.size() != 3) return std::nullopt;
  return static_cast<std::uint32_t>(bytes[0] << 16 | bytes[1] << 8 | bytes[2]);
}

std::optional<PreKey> PreKeyFrom(const wa::Node& key) {
  const auto id = IdFrom(ContentOf(&key, "id"));
  const View value = ContentOf(&key, "value");
  if (!id || *id == 0 || value.size() != 32) return std::nullopt;
  return PreKey{.id = *id, .value = Bytes(value.begin(), value.end())};
}

// nullopt when it is malformed or not signed by `identity`.
std::optional<SignedPreKey> SignedPreKeyFrom(const wa::Node* key, const Key& identity) {
  if (key == nullptr) return std::nullopt;
  const auto plain = PreKeyFrom(*key);
  const View signature = ContentOf(key, "signature");
  if (!plain || !Verify(identity, Join({kKeyType, plain->value}), signature)) return std::nullopt;
  return SignedPreKey{.id = plain->id, .value = plain->value, .signature = Bytes(signature.begin(), signature.end())};
}

wa::Node SignedPreKeyNode(const SignedPreKey& key) {
  return {
      "skey", {}, wa::Nodes{Leaf("id", IdBytes(key.id)), Leaf("value", key.value), Leaf("signature", key.signature)}};
}

// ---- Pre-keys. ----------------------------------------------------------------------------------

void CountPreKeys(Session& session, const wa::Node& iq) {
  session.Answer(iq, {"count", {{"value", fmt::format("{}", session.device()->pre_keys.size())}}, {}});
}

void StorePreKeys(Session& session, const wa::Node& iq) {
  Device& device = *session.device();
  const wa::Node* list = iq.Child("list");
  auto signed_pre_key = SignedPreKeyFrom(iq.Child("skey"), device.identity);
  if (list == nullptr || list->Children().empty() || !signed_pre_key ||
      !SameBytes(ContentOf(&iq, "identity"), device.identity) ||
      !SameBytes(ContentOf(&iq, "registration"), device.registration_id) ||
      !SameBytes(ContentOf(&iq, "type"), kKeyType)) {
    session.Log("problem", "a pre-key upload is malformed, wrongly signed or of another device");
    return session.AnswerError(iq, 406, "not-acceptable");
  }
  std::deque<PreKey> keys;
  for (const wa::Node& node : list->Children()) {
    auto key = PreKeyFrom(node);
    if (!key) {
      session.Log("problem", "a pre-key upload holds a malformed key");
      return session.AnswerError(iq, 406, "not-acceptable");
    }
    keys.push_back(*std::move(key));
  }
  device.signed_pre_key = *std::move(signed_pre_key);
  for (PreKey& key : keys) {
    const auto same = std::find_if(device.pre_keys.begin(), device.pre_keys.end(),
                                   [&](const PreKey& old) { return old.id == key.id; });
    if (same != device.pre_keys.end()) {
      *same = std::move(key);
    } else if (device.pre_keys.size() < kMaxPreKeys) {
      device.pre_keys.push_back(std::move(key));
    }
  }
  if (static_cast<std::int64_t>(device.pre_keys.size()) >= session.world().settings.pre_keys_low)
    device.told_low = false;
  session.Answer(iq);
}

void RotateSignedPreKey(Session& session, const wa::Node& iq) {
  const wa::Node* rotate = iq.Child("rotate");
  auto key = SignedPreKeyFrom(rotate->Child("skey"), session.device()->identity);
  if (!key) return session.AnswerError(iq, 406, "not-acceptable");
  session.device()->signed_pre_key = *std::move(key);
  session.Answer(iq);
}

void DigestPreKeys(Session& session, const wa::Node& iq) {
  const Device& device = *session.device();
  if (device.pre_keys.empty()) return session.AnswerError(iq, 404, "item-not-found");
  wa::Nodes ids;
  Bytes hashed = Join({device.identity, device.signed_pre_key.value, device.signed_pre_key.signature});
  for (const PreKey& key : device.pre_keys) {
    ids.push_back(Leaf("id", IdBytes(key.id)));
    hashed.insert(hashed.end(), key.value.begin(), key.value.end());
  }
  session.Answer(iq, {"digest",
                      {},
                      wa::Nodes{Leaf("registration", device.registration_id), Leaf("type", kKeyType),
                                Leaf("identity", device.identity), SignedPreKeyNode(device.signed_pre_key),
                                wa::Node{"list", {}, std::move(ids)}, Leaf("hash", Sha1({hashed}))}});
}

// One device's keys for somebody who wants to write to it; takes a one-time key out of its stock.
wa::Node KeysOf(World& world, const wa::Node& wanted) {
  const auto jid = wanted.AttrJid("jid");
  wa::Node user{"user", {}, {}};
  if (jid) user.SetAttr({"jid", *jid});
  Device* device = jid ? world.FindDevice(*jid) : nullptr;
  const Account* account = jid ? world.AccountOf(*jid) : nullptr;
  if (account != nullptr && jid->device == 0) {
    const std::uint8_t registration[] = {0, 0, 0, 1};
    user.content =
        wa::Nodes{Leaf("registration", registration), Leaf("type", kKeyType),
                  Leaf("identity", account->phone.identity().public_key), SignedPreKeyNode(account->phone_key)};
    return user;
  }
  if (device == nullptr) {
    user.content = wa::Nodes{{"error", {{"code", "404"}, {"text", "item-not-found"}}, {}}};
    return user;
  }
  wa::Nodes keys{Leaf("registration", device->registration_id), Leaf("type", kKeyType),
                 Leaf("identity", device->identity)};
  if (!device->pre_keys.empty()) {
    const PreKey& key = device->pre_keys.front();
    keys.push_back({"key", {}, wa::Nodes{Leaf("id", IdBytes(key.id)), Leaf("value", key.value)}});
    device->pre_keys.pop_front();
  }
  keys.push_back(SignedPreKeyNode(device->signed_pre_key));
  user.content = std::move(keys);
  const std::size_t left = device->pre_keys.size();
  if (static_cast<std::int64_t>(left) < world.settings.pre_keys_low && !std::exchange(device->told_low, true)) {
    TellPreKeysLow(world, *device);
  }
  return user;
}

void HandOutPreKeys(Session& session, const wa::Node& iq) {
  wa::Nodes users;
  for (const wa::Node& wanted : iq.Child("key")->Children()) {
    if (wanted.tag == "user") users.push_back(KeysOf(session.world(), wanted));
  }
  session.Answer(iq, {"list", {}, std::move(users)});
}

// ---- The rest. ----------------------------------------------------------------------------------

void GoActive(Session& session, const wa::Node& iq) {
  session.Answer(iq);
  session.BecomeActive();
}

void GoPassive(Session& session, const wa::Node& iq) {
  session.device()->active = false;
  session.Answer(iq);
}

void RemoveDevice(Session& session, const wa::Node& iq) {
  const auto jid = iq.Child("remove-companion-device")->AttrJid("jid");
  if (!jid || (*jid != session.device()->jid && *jid != session.device()->lid)) {
    return session.AnswerError(iq, 403, "forbidden");
  }
  session.Answer(iq);
  session.Log("logout");
  session.world().Forget(*session.account(), session.device_number());
  session.End({"stream:error", {{"code", "401"}}, wa::Nodes{{"conflict", {{"type", "device_removed"}}, {}}}});
}

void AnswerSettings(StanzaRouter& router) {
  router.OnIq("abt", "", [](Session& session, const wa::Node& iq) {
    wa::Node prop{"prop", {{"config_code", "10518"}, {"config_value", "1"}}, {}};
    session.Answer(iq, {"props", {{"protocol", "1"}, {"hash", "sim-1"}}, wa::Nodes{std::move(prop)}});
  });
  router.OnIq("blocklist", "", [](Session& session, const wa::Node& iq) { session.Answer(iq, {"list", {}, {}}); });
  router.OnIq("privacy", "privacy", [](Session& session, const wa::Node& iq) {
    wa::Nodes categories;
    for (const char* name : {"last", "online", "profile", "status", "readreceipts", "groupadd"}) {
      categories.push_back({"category", {{"name", name}, {"value", "all"}}, {}});
    }
    session.Answer(iq, {"privacy", {}, std::move(categories)});
  });
}

}  // namespace

void TellPreKeysLow(World& world, Device& device) {
  wa::Node count{"count", {{"value", fmt::format("{}", device.pre_keys.size())}}, {}};
  wa::Node low{"notification",
               {{"from", wa::Jid::Server()},
                {"type", "encrypt"},
                {"id", world.NewId()},
                {"t", fmt::format("{}", world.server_time())}},
               wa::Nodes{std::move(count)}};
  Deliver(device, std::move(low));
}

void AddQueryHandlers(StanzaRouter& router) {
  router.OnIq("encrypt", "count", CountPreKeys);
  router.OnIq("encrypt", "digest", DigestPreKeys);
  router.OnIq("encrypt", "key", HandOutPreKeys);
  router.OnIq("encrypt", "rotate", RotateSignedPreKey);
  router.OnIq("encrypt", "", StorePreKeys);
  router.OnIq("passive", "active", GoActive);
  router.OnIq("passive", "passive", GoPassive);
  router.OnIq("md", "remove-companion-device", RemoveDevice);
  router.OnIq("urn:xmpp:whatsapp:dirty", "", [](Session& session, const wa::Node& iq) { session.Answer(iq); });
  AnswerSettings(router);
}

}  // namespace medidesk::whatsapp_sim
