#include "tests/sim/whatsapp/node_json.h"

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>

#include <algorithm>
#include <string>
#include <string_view>
#include <utility>

#include "tests/sim/whatsapp/bytes.h"

namespace medidesk::whatsapp_sim {

namespace json = boost::json;
namespace wa = gateway::wa;

namespace {

constexpr int kMaxDepth = 64;

absl::Status Bad(std::string_view text) { return Error(absl::StatusCode::kInvalidArgument, text); }

std::string_view Text(const json::string& text) { return {text.data(), text.size()}; }
json::string JsonText(std::string_view text) { return json::string(text.data(), text.size()); }

bool IsPrintable(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) { return c >= 0x20 && c < 0x7f; });
}

absl::StatusOr<wa::Node> Read(const json::value& value, int depth) {
  const json::object* object = value.if_object();
  if (object == nullptr || depth > kMaxDepth) return Bad("node: expected an object, at most 64 deep");
  wa::Node node;
  for (const auto& [key, member] : *object) {
    const std::string_view name(key.data(), key.size());
    if (name == "tag" && member.is_string()) {
      node.tag = Text(member.get_string());
    } else if (name == "attrs" && member.is_object()) {
      for (const auto& [attribute, text] : member.get_object()) {
        if (!text.is_string()) return Bad("node: attrs are strings");
        const std::string_view content = Text(text.get_string());
        const std::string_view attribute_name(attribute.data(), attribute.size());
        const auto jid = wa::Jid::Detect(content);
        node.attributes.push_back(jid ? wa::Attribute(attribute_name, *jid) : wa::Attribute(attribute_name, content));
      }
    } else if (name == "children" && member.is_array()) {
      wa::Nodes children;
      for (const json::value& child : member.get_array()) {
        MD_ASSIGN_OR_RETURN(wa::Node read, Read(child, depth + 1));
        children.push_back(std::move(read));
      }
      node.content = std::move(children);
    } else if (name == "hex" && member.is_string()) {
      auto bytes = FromHex(Text(member.get_string()));
      if (!bytes) return Bad("node: hex is not hexadecimal");
      node.content = *std::move(bytes);
    } else if (name == "text" && member.is_string()) {
      if (!object->contains("hex")) node.content = std::string(Text(member.get_string()));
    } else {
      return Bad("node: expected tag, attrs and one of children, hex, text");
    }
  }
  if (node.tag.empty()) return Bad("node: tag is missing");
  return node;
}

}  // namespace

json::value NodeToJson(const wa::Node& node) {
  json::object attributes;
  for (const wa::Attribute& attribute : node.attributes) {
    attributes[json::string_view(attribute.key.data(), attribute.key.size())] = JsonText(attribute.value);
  }
  json::object object{{"tag", JsonText(node.tag)}, {"attrs", std::move(attributes)}};
  if (std::holds_alternative<wa::Nodes>(node.content)) {
    json::array children;
    for (const wa::Node& child : node.Children()) children.push_back(NodeToJson(child));
    object["children"] = std::move(children);
  } else if (std::holds_alternative<Bytes>(node.content)) {
    object["hex"] = JsonText(Hex(node.ContentBytes()));
    if (IsPrintable(node.ContentText())) object["text"] = JsonText(node.ContentText());
  } else if (std::holds_alternative<std::string>(node.content)) {
    object["text"] = JsonText(node.ContentText());
  }
  return object;
}

absl::StatusOr<wa::Node> NodeFromJson(const json::value& value) { return Read(value, 0); }

}  // namespace medidesk::whatsapp_sim
