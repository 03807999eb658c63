// Nodes written as JSON, as the vectors have them:
//
//   {"tag": "iq", "attrs": [["id", "7"], ["to", "@s.whatsapp.net"]], "content": null}
//   content: null | [nodes] | {"str": text} | {"bytes": hex}
//
// and as the transcripts have them, with attrs as an object and children, text or hex in place of content. A value
// that looks like an address is one.
#pragma once

#include <string>
#include <utility>

#include "gateway/wa/node.h"
#include "gateway/wa/testing/vectors.h"

namespace medidesk::gateway::wa::testing {

inline Attribute AttributeFrom(std::string_view key, const boost::json::value& value) {
  const std::string text(value.as_string());
  const auto jid = Jid::Detect(text);
  return jid ? Attribute(key, *jid) : Attribute(key, text);
}

inline Node NodeFrom(const boost::json::value& json) {
  const auto nodes = [](const boost::json::value& list) {
    Nodes children;
    for (const auto& child : list.as_array()) children.push_back(NodeFrom(child));
    return children;
  };
  const boost::json::object& object = json.as_object();
  Node node{Text(json, "tag"), {}, {}};
  if (const auto& attrs = object.at("attrs"); attrs.is_array()) {
    for (const auto& pair : attrs.as_array()) {
      node.attributes.push_back(AttributeFrom(std::string(pair.at(0).as_string()), pair.at(1)));
    }
  } else {
    for (const auto& [key, value] : attrs.as_object()) {
      node.attributes.push_back(AttributeFrom(std::string(key), value));
    }
  }
  if (object.contains("children")) node.content = nodes(object.at("children"));
  if (object.contains("text")) node.content = Text(json, "text");
  if (object.contains("hex")) node.content = HexMember(json, "hex");
  if (!object.contains("content") || object.at("content").is_null()) return node;
  const boost::json::value& content = object.at("content");
  if (content.is_array()) {
    node.content = nodes(content);
  } else if (content.as_object().contains("str")) {
    node.content = Text(content, "str");
  } else {
    node.content = HexMember(content, "bytes");
  }
  return node;
}

}  // namespace medidesk::gateway::wa::testing
