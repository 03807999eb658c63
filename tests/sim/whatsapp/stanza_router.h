// Who answers which stanza of a logged-in device. Each part of the server adds its own handlers at the start:
//
//   router.OnIq("w:p", [](Session& session, const Node& ping) { session.Answer(ping); });
//   router.On("message", [&](Session& session, const Node& message) { .. });
//
// A later handler for the same thing takes the place of the earlier one.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <utility>

#include "gateway/wa/node.h"

namespace medidesk::whatsapp_sim {

class Session;

class StanzaRouter {
 public:
  using Handler = std::function<void(Session&, const gateway::wa::Node&)>;

  void On(std::string tag, Handler handler) { stanzas_[std::move(tag)] = std::move(handler); }
  // An IQ of type get or set. `child`: the tag of its first child; empty: any other of that namespace.
  void OnIq(std::string xmlns, std::string child, Handler handler) {
    requests_[{std::move(xmlns), std::move(child)}] = std::move(handler);
  }

  // nullptr when nobody knows it.
  const Handler* Find(const gateway::wa::Node& stanza) const {
    if (stanza.tag == "iq") {
      const std::string_view type = stanza.Attr("type");
      if (type != "get" && type != "set") return nullptr;
      const std::string xmlns(stanza.Attr("xmlns"));
      const auto children = stanza.Children();
      auto found = requests_.find({xmlns, children.empty() ? "" : children[0].tag});
      if (found == requests_.end()) found = requests_.find({xmlns, ""});
      return found == requests_.end() ? nullptr : &found->second;
    }
    const auto found = stanzas_.find(stanza.tag);
    return found == stanzas_.end() ? nullptr : &found->second;
  }

 private:
  std::map<std::string, Handler> stanzas_;
  std::map<std::pair<std::string, std::string>, Handler> requests_;
};

}  // namespace medidesk::whatsapp_sim
