#include "gateway/wa/node.h"

#include <algorithm>
#include <charconv>
#include <utility>

namespace medidesk::gateway::wa {
namespace {

const Attribute* FindLast(const std::vector<Attribute>& attributes, std::string_view key) {
  const auto found = std::find_if(attributes.rbegin(), attributes.rend(),
                                  [key](const Attribute& attribute) { return attribute.key == key; });
  return found == attributes.rend() ? nullptr : &*found;
}

}  // namespace

std::string_view Node::Attr(std::string_view key) const {
  const Attribute* found = FindLast(attributes, key);
  return found == nullptr ? std::string_view() : std::string_view(found->value);
}

bool Node::HasAttr(std::string_view key) const { return FindLast(attributes, key) != nullptr; }

std::optional<Jid> Node::AttrJid(std::string_view key) const { return Jid::Parse(Attr(key)); }

std::optional<std::uint64_t> Node::AttrNumber(std::string_view key) const {
  const std::string_view text = Attr(key);
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (text.empty() || error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return number;
}

void Node::SetAttr(Attribute attribute) {
  std::erase_if(attributes, [&](const Attribute& old) { return old.key == attribute.key; });
  attributes.push_back(std::move(attribute));
}

const Node* Node::Child(std::string_view tag) const {
  for (const Node& child : Children()) {
    if (child.tag == tag) return &child;
  }
  return nullptr;
}

std::span<const Node> Node::Children() const {
  const Nodes* nodes = std::get_if<Nodes>(&content);
  return nodes == nullptr ? std::span<const Node>() : std::span<const Node>(*nodes);
}

ByteView Node::ContentBytes() const {
  if (const Bytes* bytes = std::get_if<Bytes>(&content)) return *bytes;
  if (const std::string* text = std::get_if<std::string>(&content)) return AsBytes(*text);
  return {};
}

std::string_view Node::ContentText() const { return AsText(ContentBytes()); }

bool operator==(const Node& a, const Node& b) {
  return a.tag == b.tag && a.attributes == b.attributes && a.content == b.content;
}

}  // namespace medidesk::gateway::wa
