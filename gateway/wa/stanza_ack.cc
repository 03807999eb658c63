#include "gateway/wa/stanza_ack.h"

#include <algorithm>
#include <array>
#include <string_view>

namespace medidesk::gateway::wa {
namespace {

constexpr std::array<std::string_view, 8> kNeverAcked = {"iq",  "ib",      "presence", "chatstate",
                                                         "ack", "success", "failure",  "stream:error"};

// As it came: an address in whatever form the peer wrote it.
void Copy(const Node& from, std::string_view key, Node& to) {
  const auto found = std::find_if(from.attributes.rbegin(), from.attributes.rend(),
                                  [key](const Attribute& attribute) { return attribute.key == key; });
  if (found != from.attributes.rend()) to.attributes.push_back(*found);
}

}  // namespace

std::optional<Node> AckOf(const Node& stanza, const Jid& own_device) {
  if (std::find(kNeverAcked.begin(), kNeverAcked.end(), stanza.tag) != kNeverAcked.end()) return std::nullopt;
  const auto from = stanza.AttrJid("from");
  if (!from || stanza.Attr("id").empty()) return std::nullopt;
  Node ack{"ack", {{"class", stanza.tag}, {"id", stanza.Attr("id")}, {"to", *from}}, {}};
  Copy(stanza, "participant", ack);
  Copy(stanza, "recipient", ack);
  if (stanza.tag == "message") {
    if (!own_device.user.empty()) ack.SetAttr({"from", own_device});
  } else {
    Copy(stanza, "type", ack);
  }
  return ack;
}

}  // namespace medidesk::gateway::wa
