#include "gateway/wa/messages/message_nodes.h"

#include <fmt/format.h>

#include <utility>

#include "gateway/wa/messages/iq_peers.h"

namespace medidesk::gateway::wa {
namespace {

Node Leaf(std::string_view tag, ByteView bytes) { return {std::string(tag), {}, ToBytes(bytes)}; }

void Copy(const Node& from, std::string_view name, Node& to, std::string_view as = {}) {
  if (auto attribute = CopyOf(from, name, as)) to.attributes.push_back(*std::move(attribute));
}

// <receipt id to=from>
Node ReceiptOf(const Node& message, std::string_view type) {
  Node receipt{"receipt", {{"id", message.Attr("id")}}, {}};
  Copy(message, "from", receipt, "to");
  if (!type.empty()) receipt.SetAttr({"type", type});
  return receipt;
}

}  // namespace

std::optional<Attribute> CopyOf(const Node& node, std::string_view name, std::string_view as) {
  for (auto it = node.attributes.rbegin(); it != node.attributes.rend(); ++it) {
    if (it->key != name) continue;
    Attribute copy = *it;
    if (!as.empty()) copy.key = as;
    return copy;
  }
  return std::nullopt;
}

Node DeliveryReceipt(const Node& message, bool inactive) {
  Node receipt = ReceiptOf(message, inactive ? "inactive" : "");
  Copy(message, "participant", receipt);
  return receipt;
}

Node SenderReceipt(const Node& message) {
  Node receipt = ReceiptOf(message, "sender");
  Copy(message, "recipient", receipt);
  return receipt;
}

Node PeerReceipt(const Node& message) { return ReceiptOf(message, "peer_msg"); }

Node HistoryReceipt(const Node& message, const Jid& own_account) {
  return {"receipt", {{"id", message.Attr("id")}, {"type", "hist_sync"}, {"to", own_account}}, {}};
}

Node ReadReceipt(const Jid& chat, std::span<const std::string> ids, std::int64_t now, bool hidden) {
  Node receipt{
      "receipt",
      {{"id", ids.front()}, {"to", chat}, {"type", hidden ? "read-self" : "read"}, {"t", fmt::format("{}", now)}},
      {}};
  if (ids.size() == 1) return receipt;
  Nodes items;
  for (const std::string& id : ids.subspan(1)) items.push_back({"item", {{"id", id}}, {}});
  receipt.content = Nodes{{"list", {}, std::move(items)}};
  return receipt;
}

Node RetryReceipt(const Node& message, int count, int error, std::uint32_t registration_id,
                  const std::optional<RetryKeys>& keys) {
  Node receipt = ReceiptOf(message, "retry");
  Copy(message, "participant", receipt);
  Copy(message, "recipient", receipt);
  if (message.Attr("category") == "peer") receipt.SetAttr({"category", "peer"});
  Node retry{"retry",
             {{"v", "1"}, {"count", fmt::format("{}", count)}, {"id", message.Attr("id")}, {"t", message.Attr("t")}},
             {}};
  if (error != 0) retry.SetAttr({"error", fmt::format("{}", error)});
  Nodes children{std::move(retry), Leaf("registration", WriteNumber(registration_id, 4))};
  if (keys) {
    const std::uint8_t type[] = {kKeyType};
    Nodes one_time{Leaf("id", WriteNumber(keys->one_time.id, 3)), Leaf("value", keys->one_time.pair.public_key)};
    Nodes signed_key{Leaf("id", WriteNumber(keys->signed_pre_key.id, 3)),
                     Leaf("value", keys->signed_pre_key.pair.public_key),
                     Leaf("signature", keys->signed_pre_key.signature)};
    Nodes parts{Leaf("type", type), Leaf("identity", keys->identity)};
    parts.push_back({"key", {}, std::move(one_time)});
    parts.push_back({"skey", {}, std::move(signed_key)});
    parts.push_back(Leaf("device-identity", keys->device_identity));
    children.push_back({"keys", {}, std::move(parts)});
  }
  receipt.content = std::move(children);
  return receipt;
}

Node ChatState(const Jid& chat, bool composing) {
  return {"chatstate", {{"to", chat}}, Nodes{{composing ? "composing" : "paused", {}, {}}}};
}

Node EncNode(const Encrypted& message, int count) {
  Node enc{"enc", {{"v", "2"}, {"type", message.pre_key ? "pkmsg" : "msg"}}, message.bytes};
  if (count > 0) enc.SetAttr({"count", fmt::format("{}", count)});
  return enc;
}

Node MessageNode(const std::string& id, const Jid& to, const std::optional<Jid>& phone,
                 std::vector<EncryptedFor> participants, std::vector<Node> extra) {
  Node node{"message", {{"id", id}, {"to", to}, {"type", "text"}}, {}};
  if (phone) node.SetAttr({"peer_recipient_pn", *phone});
  Nodes devices;
  for (EncryptedFor& one : participants) {
    devices.push_back({"to", {{"jid", one.device}}, Nodes{EncNode(one.message)}});
  }
  Nodes children;
  children.push_back({"participants", {}, std::move(devices)});
  for (Node& node_behind : extra) children.push_back(std::move(node_behind));
  node.content = std::move(children);
  return node;
}

}  // namespace medidesk::gateway::wa
