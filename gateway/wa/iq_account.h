// Small requests about the account and its connection.
#pragma once

#include <map>
#include <string>

#include "gateway/wa/iq.h"

namespace medidesk::gateway::wa {

// Asks for delivery to begin, which login holds back.
struct ActiveRequest {
  struct Response {};
  Node Build(std::string_view id) const { return ServerIq(id, "set", "passive", Node{"active", {}, {}}); }
  static absl::StatusOr<Response> Parse(const Node&) { return Response{}; }
};

// Says that we know of a change the server has marked as dirty.
struct CleanDirtyRequest {
  struct Response {};
  std::string type;
  std::string timestamp;  // as it came; may be empty

  Node Build(std::string_view id) const {
    Node clean{"clean", {{"type", type}}, {}};
    if (!timestamp.empty()) clean.SetAttr({"timestamp", timestamp});
    return ServerIq(id, "set", "urn:xmpp:whatsapp:dirty", std::move(clean));
  }
  static absl::StatusOr<Response> Parse(const Node&) { return Response{}; }
};

// The server's switches for this account: config code -> value, at most 4,096 of them.
struct ServerPropsRequest {
  using Response = std::map<std::string, std::string>;
  Node Build(std::string_view id) const { return ServerIq(id, "get", "abt", Node{"props", {{"protocol", "1"}}, {}}); }
  static absl::StatusOr<Response> Parse(const Node& answer);
};

// The account's privacy settings: category -> value; "readreceipts" is the one that matters to us.
struct PrivacyRequest {
  using Response = std::map<std::string, std::string>;
  Node Build(std::string_view id) const { return ServerIq(id, "get", "privacy", Node{"privacy", {}, {}}); }
  static absl::StatusOr<Response> Parse(const Node& answer);
};

// Whom the account has blocked, as text addresses; at most 4,096 of them.
struct BlocklistRequest {
  using Response = std::vector<std::string>;
  Node Build(std::string_view id) const {
    return {"iq", {{"id", id}, {"to", Jid::Server()}, {"type", "get"}, {"xmlns", "blocklist"}}, {}};
  }
  static absl::StatusOr<Response> Parse(const Node& answer);
};

// Removes our own device from the account.
struct LogoutRequest {
  struct Response {};
  Jid device;  // our own

  Node Build(std::string_view id) const {
    return ServerIq(id, "set", "md",
                    Node{"remove-companion-device", {{"jid", device}, {"reason", "user_initiated"}}, {}});
  }
  static absl::StatusOr<Response> Parse(const Node&) { return Response{}; }
};

static_assert(IqRequest<ActiveRequest> && IqRequest<CleanDirtyRequest> && IqRequest<ServerPropsRequest> &&
              IqRequest<PrivacyRequest> && IqRequest<BlocklistRequest> && IqRequest<LogoutRequest>);

}  // namespace medidesk::gateway::wa
