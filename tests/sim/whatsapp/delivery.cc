#include "tests/sim/whatsapp/delivery.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

#include "tests/sim/whatsapp/session.h"

namespace medidesk::whatsapp_sim {

namespace wa = gateway::wa;

namespace {

constexpr std::array<std::string_view, 4> kConfirmed = {"message", "receipt", "notification", "call"};
constexpr std::size_t kMaxPending = 100'000;  // stanzas a device; the oldest go first

bool NeedsConfirmation(const wa::Node& stanza) {
  return stanza.HasAttr("id") && std::find(kConfirmed.begin(), kConfirmed.end(), stanza.tag) != kConfirmed.end();
}

std::string CountOf(const Device& device, std::string_view tag) {
  return fmt::format("{}", std::count_if(device.pending.begin(), device.pending.end(),
                                         [&](const Pending& pending) { return tag.empty() || pending.tag == tag; }));
}

}  // namespace

void Confirm(Device& device, std::string_view tag, std::string_view id) {
  const auto found = std::find_if(device.pending.begin(), device.pending.end(),
                                  [&](const Pending& pending) { return pending.tag == tag && pending.id == id; });
  if (found != device.pending.end()) device.pending.erase(found);
}

void Deliver(Device& device, wa::Node stanza) {
  if (device.session != nullptr && device.active) device.session->Send(stanza);
  if (!NeedsConfirmation(stanza)) return;
  Pending pending{.tag = stanza.tag, .id = std::string(stanza.Attr("id")), .stanza = {}};
  pending.stanza = std::move(stanza);
  device.pending.push_back(std::move(pending));
  if (device.pending.size() > kMaxPending) device.pending.pop_front();
}

void DrainPending(Session& session) {
  const Device& device = *session.device();
  const std::uint8_t routing[] = {0x08, 0x02, 0x08, static_cast<std::uint8_t>(session.id() & 0x7f)};
  wa::Node routing_info{"routing_info", {}, Bytes(std::begin(routing), std::end(routing))};
  session.Send(
      {"ib", {{"from", wa::Jid::Server()}}, wa::Nodes{{"edge_routing", {}, wa::Nodes{std::move(routing_info)}}}});
  const std::string count = CountOf(device, "");
  session.Send({"ib",
                {{"from", wa::Jid::Server()}},
                wa::Nodes{{"offline_preview",
                           {{"count", count},
                            {"message", CountOf(device, "message")},
                            {"receipt", CountOf(device, "receipt")},
                            {"notification", CountOf(device, "notification")},
                            {"appdata", "0"}},
                           {}}}});
  std::uint64_t number = 0;
  for (const Pending& pending : device.pending) {
    wa::Node stanza = pending.stanza;
    stanza.SetAttr({"offline", fmt::format("{}", number++)});
    session.Send(stanza);
  }
  session.Send({"ib", {{"from", wa::Jid::Server()}}, wa::Nodes{{"offline", {{"count", count}}, {}}}});
}

void AddDeliveryHandlers(StanzaRouter& router) {
  router.On("ack", [](Session& session, const wa::Node& ack) {
    Confirm(*session.device(), ack.Attr("class"), ack.Attr("id"));
  });
  for (const char* silent : {"ib", "presence"}) router.On(silent, [](Session&, const wa::Node&) {});
}

}  // namespace medidesk::whatsapp_sim
