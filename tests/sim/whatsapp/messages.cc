#include "tests/sim/whatsapp/messages.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "tests/sim/whatsapp/crypto.h"
#include "tests/sim/whatsapp/delivery.h"
#include "tests/sim/whatsapp/session.h"

namespace medidesk::whatsapp_sim {

namespace wa = gateway::wa;

namespace {

constexpr std::size_t kMaxSeen = 200'000;  // ids an account; the oldest go first

std::string Now(const World& world) { return fmt::format("{}", world.server_time()); }

void Copy(const wa::Node& from, std::string_view name, wa::Node& to) {
  if (!from.HasAttr(name)) return;
  if (const auto jid = from.AttrJid(name); jid && from.Attr(name).find('@') != std::string_view::npos) {
    to.SetAttr({name, *jid});
  } else {
    to.SetAttr({name, from.Attr(name)});
  }
}

// The device's address in the form of another address.
wa::Jid InFormOf(const wa::Jid& form, const Device& device) { return form.IsLid() ? device.lid : device.jid; }
wa::Jid InFormOf(const wa::Jid& form, const Account& account) { return form.IsLid() ? account.lid() : account.jid(); }

// True when the message under this id goes out; a second one only where somebody asked for it.
bool FirstOf(Account& account, const std::string& id, bool again) {
  if (!account.sent.insert(id).second) return again || account.wanted_again.contains(id);
  account.sent_order.push_back(id);
  if (account.sent_order.size() > kMaxSeen) {
    account.sent.erase(account.sent_order.front());
    account.wanted_again.erase(account.sent_order.front());
    account.sent_order.pop_front();
  }
  return true;
}

struct Target {
  wa::Jid jid;
  const wa::Node* enc = nullptr;
};

// Whom a message is for. One that carries the same for a device directly and among participants counts once.
std::vector<Target> TargetsOf(const wa::Node& message, const Account& sender) {
  std::vector<Target> targets;
  const auto to = message.AttrJid("to");
  if (const wa::Node* direct = message.Child("enc"); direct != nullptr && to) {
    targets.push_back({.jid = message.Attr("category") == "peer" ? InFormOf(*to, sender) : *to, .enc = direct});
    return targets;
  }
  const wa::Node* participants = message.Child("participants");
  if (participants == nullptr) return targets;
  for (const wa::Node& one : participants->Children()) {
    const auto jid = one.AttrJid("jid");
    if (const wa::Node* enc = one.Child("enc"); one.tag == "to" && jid && enc != nullptr) {
      targets.push_back({.jid = *jid, .enc = enc});
    }
  }
  return targets;
}

wa::Node DeliveryOf(Session& session, const wa::Node& message, const wa::Node& enc, const Account& target,
                    const std::string& now) {
  const Account& sender = *session.account();
  const wa::Jid to = *message.AttrJid("to");
  const wa::Jid from = InFormOf(to, *session.device());
  wa::Node node{"message", {{"id", message.Attr("id")}, {"from", from}, {"t", now}}, {}};
  for (const char* name : {"type", "edit", "category"}) Copy(message, name, node);
  node.SetAttr({"notify", sender.phone.options().name});
  if (to.IsLid()) node.SetAttr({"addressing_mode", "lid"});
  if (&target != &sender) {
    if (session.world().settings.reveal_addresses) {
      node.SetAttr(to.IsLid() ? wa::Attribute("sender_pn", sender.jid()) : wa::Attribute("sender_lid", sender.lid()));
    }
  } else if (message.Attr("category") != "peer") {
    // Another device of the sender's own: whom it was for.
    const wa::Jid chat = message.AttrJid("recipient").value_or(to).WithoutDevice();
    node.SetAttr({"recipient", chat});
    if (const Account* partner = session.world().AccountOf(chat);
        partner != nullptr && session.world().settings.reveal_addresses) {
      node.SetAttr(chat.IsLid() ? wa::Attribute("peer_recipient_pn", partner->jid())
                                : wa::Attribute("peer_recipient_lid", partner->lid()));
    }
  }
  wa::Nodes children{enc};
  if (const wa::Node* identity = message.Child("device-identity"); identity != nullptr && enc.Attr("type") == "pkmsg") {
    children.push_back(*identity);
  }
  for (const char* name : {"meta", "biz", "multicast"}) {
    if (const wa::Node* child = message.Child(name)) children.push_back(*child);
  }
  node.content = std::move(children);
  return node;
}

void Spoil(wa::Node& message) {
  for (wa::Node& child : std::get<wa::Nodes>(message.content)) {
    if (child.tag != "enc") continue;
    Bytes bytes(child.ContentBytes().begin(), child.ContentBytes().end());
    if (bytes.size() > 20) bytes[bytes.size() - 12] ^= 1;
    child.content = std::move(bytes);
  }
}

void OnMessage(Session& session, const wa::Node& message) {
  World& world = session.world();
  Account& sender = *session.account();
  const auto to = message.AttrJid("to");
  const std::string id(message.Attr("id"));
  if (!to || id.empty()) return session.Problem("a message without id or address");
  const std::string now = Now(world);

  const std::vector<Fault> faults = world.faults.Take(
      Fault::At::kMessage, {.phone = session.phone(), .device = session.device_number(), .target = session.target()},
      &message);
  const auto ordered = [&](Fault::Kind kind) {
    const auto found =
        std::find_if(faults.begin(), faults.end(), [kind](const Fault& fault) { return fault.kind == kind; });
    return found == faults.end() ? nullptr : &*found;
  };
  if (const Fault* refusal = ordered(Fault::Kind::kAckError)) {
    const std::string code = fmt::format("{}", refusal->code);
    return session.Send({"ack", {{"class", "message"}, {"id", id}, {"from", *to}, {"t", now}, {"error", code}}, {}});
  }
  if (ordered(Fault::Kind::kLoseMessage) != nullptr) return;

  const std::vector<Target> targets = TargetsOf(message, sender);
  const bool answers_retry =
      message.Attr("device_fanout") == "false" ||
      std::any_of(targets.begin(), targets.end(), [](const Target& target) { return target.enc->HasAttr("count"); });
  if (FirstOf(sender, id, answers_retry)) {
    for (const Target& target : targets) {
      Account* account = world.AccountOf(target.jid);
      if (account == nullptr) continue;
      if (account != &sender) {
        sender.partners.insert(account->phone.options().number);
        account->partners.insert(sender.phone.options().number);
      }
      Device* device = account->Find(target.jid.device);
      if (device == nullptr || device == session.device()) continue;
      wa::Node node = DeliveryOf(session, message, *target.enc, *account, now);
      if (ordered(Fault::Kind::kSpoil) != nullptr && account != &sender) Spoil(node);
      if (ordered(Fault::Kind::kTwice) != nullptr) Deliver(*device, node);
      Deliver(*device, std::move(node));
    }
  }
  bool ack = ordered(Fault::Kind::kAckSilence) == nullptr;
  for (const Fault& fault : faults) {
    if (session.Apply(fault)) ack = false;
  }
  if (ack) session.Send({"ack", {{"class", "message"}, {"id", id}, {"from", *to}, {"t", now}}, {}});
}

// ---- Receipts -----------------------------------------------------------------------------------

void Relay(Session& session, const wa::Node& receipt) {
  World& world = session.world();
  const std::string_view type = receipt.Attr("type");
  const bool delivered = type.empty() || type == "inactive", read = type == "read" || type == "played";
  const bool retry = type == "retry";
  const auto to = receipt.AttrJid("to");
  Account* author = to ? world.AccountOf(*to) : nullptr;
  if (author == nullptr || (!delivered && !read && !retry) || author == session.account()) {
    // Among one's own devices only a retry has somebody to go to.
    if (author == nullptr || !retry) return;
  }
  wa::Node relayed = receipt;
  relayed.attributes.clear();
  for (const char* name : {"id", "type", "t", "recipient", "participant", "category"}) Copy(receipt, name, relayed);
  if (!receipt.HasAttr("t")) relayed.SetAttr({"t", Now(world)});
  relayed.SetAttr({"from", read ? InFormOf(*to, *session.account()) : InFormOf(*to, *session.device())});
  if (retry) {
    author->wanted_again.insert(std::string(receipt.Attr("id")));
    if (Device* device = author->Find(to->device)) Deliver(*device, std::move(relayed));
    return;
  }
  for (auto& [number, device] : author->devices) Deliver(device, relayed);
}

void OnReceipt(Session& session, const wa::Node& receipt) {
  if (receipt.Attr("type") != "retry") Confirm(*session.device(), "message", receipt.Attr("id"));
  wa::Node ack{"ack", {{"class", "receipt"}, {"id", receipt.Attr("id")}}, {}};
  if (const auto to = receipt.AttrJid("to")) ack.SetAttr({"from", *to});
  Copy(receipt, "type", ack);
  Copy(receipt, "participant", ack);
  ack.SetAttr({"t", Now(session.world())});
  session.Send(ack);
  Relay(session, receipt);
}

void OnChatState(Session& session, const wa::Node& state) {
  const auto to = state.AttrJid("to");
  Account* account = to ? session.world().AccountOf(*to) : nullptr;
  if (account == nullptr || account == session.account()) return;
  const wa::Node told{"chatstate", {{"from", InFormOf(*to, *session.account())}}, state.content};
  for (auto& [number, device] : account->devices) {
    if (device.session != nullptr && device.active) device.session->Send(told);
  }
}

// ---- Trust --------------------------------------------------------------------------------------

void GiveTokens(Session& session, const wa::Node& iq) {
  World& world = session.world();
  const Account& giver = *session.account();
  for (const wa::Node& one : iq.Child("tokens")->Children()) {
    const auto jid = one.AttrJid("jid");
    Account* account = jid ? world.AccountOf(*jid) : nullptr;
    if (account == nullptr || one.tag != "token") continue;
    const auto bytes = Sha256({ViewOf(giver.phone.options().number), ViewOf(account->phone.options().number)});
    wa::Node token{"token",
                   {{"jid", account->jid()}, {"t", one.Attr("t")}, {"type", "trusted_contact"}},
                   Bytes(bytes.begin(), bytes.begin() + 16)};
    wa::Node news{
        "notification", {{"type", "privacy_token"}, {"t", Now(world)}}, wa::Nodes{{"tokens", {}, wa::Nodes{token}}}};
    if (world.settings.reveal_addresses) {
      news.SetAttr({"from", giver.jid()});
      news.SetAttr({"sender_lid", giver.lid()});
    } else {
      news.SetAttr({"from", InFormOf(*jid, giver)});
    }
    for (auto& [number, device] : account->devices) {
      news.SetAttr({"id", world.NewId()});
      Deliver(device, news);
    }
  }
  session.Answer(iq);
}

// ---- Devices ------------------------------------------------------------------------------------

// By "+34 ...", "34...@c.us": digits are what counts.
Account* FindByContact(World& world, std::string_view text) {
  std::string digits;
  for (const char c : text.substr(0, text.find('@'))) {
    if (c >= '0' && c <= '9') digits.push_back(c);
  }
  return world.FindAccount(digits);
}

wa::Node DeviceListOf(const Account& account, const std::string& now) {
  wa::Nodes devices{{"device", {{"id", "0"}}, {}}};
  for (const auto& [number, device] : account.devices) {
    devices.push_back(
        {"device", {{"id", fmt::format("{}", number)}, {"key-index", fmt::format("{}", device.key_index)}}, {}});
  }
  wa::Nodes parts;
  parts.push_back({"device-list", {}, std::move(devices)});
  parts.push_back({"key-index-list", {{"ts", now}}, {}});
  return {"devices", {}, std::move(parts)};
}

void AnswerUsync(Session& session, const wa::Node& iq) {
  World& world = session.world();
  const wa::Node& asked = *iq.Child("usync");
  const wa::Node* query = asked.Child("query");
  const wa::Node* list = asked.Child("list");
  if (query == nullptr || list == nullptr) return session.AnswerError(iq, 400, "bad-request");
  wa::Nodes results, users;
  for (const wa::Node& protocol : query->Children()) results.push_back({protocol.tag, {}, {}});
  for (const wa::Node& wanted : list->Children()) {
    if (wanted.tag != "user") continue;
    const wa::Node* contact = wanted.Child("contact");
    auto jid = wanted.AttrJid("jid");
    Account* account = jid                  ? world.AccountOf(*jid)
                       : contact != nullptr ? FindByContact(world, contact->ContentText())
                                            : nullptr;
    const bool by_lid = query->Child("contact") != nullptr && query->Child("contact")->Attr("addressing_mode") == "lid";
    if (!jid && account != nullptr) jid = by_lid ? account->lid() : account->jid();
    wa::Node user{"user", {}, {}};
    if (jid) user.SetAttr({"jid", jid->WithoutDevice()});
    if (by_lid && account != nullptr) user.SetAttr({"pn_jid", account->jid()});
    wa::Nodes protocols;
    for (const wa::Node& protocol : query->Children()) {
      if (protocol.tag == "contact") {
        wa::Node told{"contact", {{"type", account != nullptr ? "in" : "out"}}, {}};
        if (contact != nullptr) told.content = contact->content;
        protocols.push_back(std::move(told));
      }
      if (account == nullptr) continue;
      if (protocol.tag == "devices") protocols.push_back(DeviceListOf(*account, Now(world)));
      if (protocol.tag == "lid" && jid && !jid->IsLid()) protocols.push_back({"lid", {{"val", account->lid()}}, {}});
    }
    user.content = std::move(protocols);
    users.push_back(std::move(user));
  }
  wa::Node usync{"usync", {}, {}};
  for (const char* name : {"sid", "mode", "last", "index", "context"}) Copy(asked, name, usync);
  wa::Nodes parts;
  parts.push_back({"result", {}, std::move(results)});
  parts.push_back({"list", {}, std::move(users)});
  usync.content = std::move(parts);
  session.Answer(iq, std::move(usync));
}

}  // namespace

void TellDevices(World& world, Account& account, const Device& device, bool added) {
  // By both addresses: clients remember devices by either.
  wa::Nodes children;
  for (const wa::Jid& jid : {device.jid, device.lid}) {
    wa::Node changed{"device", {{"jid", jid}, {"lid", device.lid}}, {}};
    if (added) changed.SetAttr({"key-index", fmt::format("{}", device.key_index)});
    children.push_back(std::move(changed));
  }
  children.push_back({"key-index-list", {{"ts", Now(world)}}, {}});
  const wa::Node change{added ? "add" : "remove", {{"device_hash", "2:sim"}}, std::move(children)};
  const auto tell = [&](Account& to, const char* type, const wa::Node& what) {
    for (auto& [number, other] : to.devices) {
      if (&other == &device) continue;
      wa::Node notification{
          "notification",
          {{"from", account.jid()}, {"type", type}, {"lid", account.lid()}, {"id", world.NewId()}, {"t", Now(world)}},
          wa::Nodes{what}};
      Deliver(other, std::move(notification));
    }
  };
  tell(account, "account_sync", {"devices", {{"dhash", "2:sim"}}, {}});
  tell(account, "devices", change);
  for (const std::string& number : account.partners) {
    if (Account* partner = world.FindAccount(number)) tell(*partner, "devices", change);
  }
}

void AddMessageHandlers(StanzaRouter& router) {
  router.On("message", OnMessage);
  router.On("receipt", OnReceipt);
  router.On("chatstate", OnChatState);
}

void AddAccountQueries(StanzaRouter& router) {
  router.OnIq("usync", "usync", AnswerUsync);
  router.OnIq("privacy", "tokens", GiveTokens);
}

}  // namespace medidesk::whatsapp_sim
