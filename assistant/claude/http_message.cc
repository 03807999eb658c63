#include "assistant/claude/http_message.h"

#include <boost/beast/core/string.hpp>

namespace medidesk::assistant::claude {

std::string_view HttpHeaders::Find(std::string_view name) const {
  for (const auto& [key, value] : fields_) {
    if (boost::beast::iequals(key, name)) return value;
  }
  return {};
}

}  // namespace medidesk::assistant::claude
