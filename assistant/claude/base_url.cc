#include "assistant/claude/base_url.h"

#include <boost/url/parse.hpp>
#include <boost/url/url_view.hpp>

#include <charconv>
#include <string>
#include <system_error>

namespace medidesk::assistant::claude {
namespace {

absl::Status Invalid() {
  return Error(absl::StatusCode::kInvalidArgument,
               "ANTHROPIC_BASE_URL: expected http://host[:port][/path] or https://host[:port][/path]");
}

std::string Copy(boost::urls::string_view text) { return {text.data(), text.size()}; }

bool IsPort(std::string_view text) {
  unsigned value = 0;
  const char* end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data(), end, value);
  return error == std::errc() && rest == end && value >= 1 && value <= 65535;
}

}  // namespace

absl::StatusOr<Origin> ParseBaseUrl(std::string_view text) {
  const auto parsed = boost::urls::parse_uri(text);
  if (!parsed) return Invalid();
  const boost::urls::url_view& url = *parsed;
  if (url.has_userinfo() || url.has_query() || url.has_fragment() || url.encoded_host().empty()) return Invalid();

  Origin origin;
  if (url.scheme_id() == boost::urls::scheme::https) {
    origin.tls = true;
  } else if (url.scheme_id() == boost::urls::scheme::http) {
    origin.tls = false;
  } else {
    return Invalid();
  }
  origin.host = Copy(url.encoded_host());
  const bool ipv6 = url.host_type() == boost::urls::host_type::ipv6;
  if (!ipv6 && origin.host.find('%') != std::string::npos) return Invalid();
  origin.host_header = origin.host;
  if (ipv6) origin.host = origin.host.substr(1, origin.host.size() - 2);
  origin.port = origin.tls ? "443" : "80";
  if (url.has_port()) {
    origin.port = Copy(url.port());
    if (!IsPort(origin.port)) return Invalid();
    origin.host_header += ":" + origin.port;
  }
  origin.path = Copy(url.encoded_path());
  while (origin.path.ends_with('/')) origin.path.pop_back();
  return origin;
}

}  // namespace medidesk::assistant::claude
