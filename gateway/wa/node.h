// A node: one element of the XML-like language of WhatsApp, and everything a stanza is made of.
//
//   <iq id="7" to="@s.whatsapp.net" type="get"><ping/></iq>
//   Node{"iq", {{"id", "7"}, {"to", Jid::Server()}, {"type", "get"}}, Nodes{{"ping"}}}
//
// A plain value; copies are deep. Nodes that came from the wire are bounded by the node codec (depth, number, size).
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "gateway/wa/bytes.h"
#include "gateway/wa/jid.h"

namespace medidesk::gateway::wa {

// A name and its value. Whether the value is an address decides its bytes on the wire, so it is said, not guessed:
// a patient's name that looks like an address stays text.
struct Attribute {
  Attribute(std::string_view key, std::string_view value) : key(key), value(value) {}
  Attribute(std::string_view key, const Jid& jid) : key(key), value(jid.ToString()), is_jid(true) {}

  std::string key;
  std::string value;    // UTF-8; of an address its text form
  bool is_jid = false;  // came from, or goes out as, one of the wire's JID forms

  friend bool operator==(const Attribute&, const Attribute&) = default;
};

struct Node;
using Nodes = std::vector<Node>;

struct Node {
  std::string tag;
  // In the order of the wire. Of two with one key the last counts. Empty values are not written.
  std::vector<Attribute> attributes = {};
  // Nothing; bytes (what most elements carry, texts of people included); a text that the codec may shorten to a token
  // or packed digits; or child nodes. A peer chooses between bytes and text as it likes: read with ContentBytes() or
  // ContentText(), and write bytes unless a fixed word is meant.
  std::variant<std::monostate, Bytes, std::string, Nodes> content = {};

  // The attribute's value; empty when there is none. The view lives as long as the node is unchanged.
  std::string_view Attr(std::string_view key) const;
  bool HasAttr(std::string_view key) const;
  // The attribute as an address, whatever form it came in; nullopt when absent or no address.
  std::optional<Jid> AttrJid(std::string_view key) const;
  // The attribute as a number; nullopt when absent, not digits alone, or too large.
  std::optional<std::uint64_t> AttrNumber(std::string_view key) const;

  // Puts the attribute at the end, in place of any of the same key.
  void SetAttr(Attribute attribute);

  // The first child with this tag; nullptr when there is none. Lives as long as the node is unchanged.
  const Node* Child(std::string_view tag) const;
  // All children; empty when the content is something else.
  std::span<const Node> Children() const;

  // Bytes or text content as either; empty when the content is something else.
  ByteView ContentBytes() const;
  std::string_view ContentText() const;

  friend bool operator==(const Node& a, const Node& b);
};

}  // namespace medidesk::gateway::wa
