#include "gateway/wa/iq_account.h"

#include <algorithm>

namespace medidesk::gateway::wa {
namespace {

constexpr std::size_t kMaxListed = 4096;

std::span<const Node> ListedIn(const Node& answer, std::string_view tag) {
  const Node* list = answer.Child(tag);
  if (list == nullptr) return {};
  return list->Children().first(std::min(list->Children().size(), kMaxListed));
}

}  // namespace

absl::StatusOr<ServerPropsRequest::Response> ServerPropsRequest::Parse(const Node& answer) {
  Response props;
  for (const Node& prop : ListedIn(answer, "props")) {
    const std::string_view name = prop.HasAttr("config_code") ? prop.Attr("config_code") : prop.Attr("name");
    if (name.empty()) continue;
    props[std::string(name)] = prop.HasAttr("config_value") ? prop.Attr("config_value") : prop.Attr("value");
  }
  return props;
}

absl::StatusOr<PrivacyRequest::Response> PrivacyRequest::Parse(const Node& answer) {
  Response settings;
  for (const Node& category : ListedIn(answer, "privacy")) {
    if (category.HasAttr("name")) settings[std::string(category.Attr("name"))] = category.Attr("value");
  }
  return settings;
}

absl::StatusOr<BlocklistRequest::Response> BlocklistRequest::Parse(const Node& answer) {
  Response blocked;
  for (const Node& item : ListedIn(answer, "list")) {
    if (item.HasAttr("jid")) blocked.emplace_back(item.Attr("jid"));
  }
  return blocked;
}

}  // namespace medidesk::gateway::wa
