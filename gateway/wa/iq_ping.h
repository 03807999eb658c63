// Asks whether the server is there.
#pragma once

#include <cstdint>
#include <optional>

#include "gateway/wa/iq.h"

namespace medidesk::gateway::wa {

struct PingRequest {
  struct Response {
    std::optional<std::uint64_t> server_time;  // unix seconds
  };
  Node Build(std::string_view id) const {
    return {"iq", {{"id", id}, {"to", Jid::Server()}, {"type", "get"}, {"xmlns", "w:p"}}, {}};
  }
  static absl::StatusOr<Response> Parse(const Node& answer) { return Response{answer.AttrNumber("t")}; }
};
static_assert(IqRequest<PingRequest>);

// The answer to a ping of the server's; nullopt when `iq` is none.
inline std::optional<Node> PingAnswer(const Node& iq) {
  if (iq.tag != "iq" || iq.Attr("type") != "get" || iq.Attr("xmlns") != "urn:xmpp:ping") return std::nullopt;
  Node answer{"iq", {{"to", iq.AttrJid("from").value_or(Jid::Server())}, {"type", "result"}}, {}};
  if (iq.HasAttr("id")) answer.SetAttr({"id", iq.Attr("id")});
  return answer;
}

}  // namespace medidesk::gateway::wa
