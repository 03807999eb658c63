#include "admin/api/rest/caller.h"

#include <algorithm>

namespace medidesk::admin::rest {
namespace {

namespace ip = boost::asio::ip;

constexpr std::size_t kLongestToken = 512;  // bytes

bool EqualsIgnoringCase(std::string_view a, std::string_view lower) {
  return std::equal(a.begin(), a.end(), lower.begin(), lower.end(),
                    [](char x, char y) { return (x >= 'A' && x <= 'Z' ? x + 32 : x) == y; });
}

// "127.0.0.1:8080", "[::1]:8080", "localhost".
bool IsLoopbackHost(std::string_view host) {
  if (host.starts_with('[')) {
    const std::size_t end = host.find(']');
    return end != std::string_view::npos && host.substr(1, end - 1) == "::1";
  }
  const std::string_view name = host.substr(0, host.find(':'));
  if (EqualsIgnoringCase(name, "localhost")) return true;
  boost::system::error_code error;
  const ip::address_v4 address = ip::make_address_v4(std::string(name), error);
  return !error && address.is_loopback();
}

}  // namespace

std::string_view BearerToken(std::string_view authorization) {
  constexpr std::string_view kScheme = "bearer ";
  if (authorization.size() <= kScheme.size() || !EqualsIgnoringCase(authorization.substr(0, kScheme.size()), kScheme)) {
    return {};
  }
  std::string_view token = authorization.substr(kScheme.size());
  while (token.starts_with(' ')) token.remove_prefix(1);
  const bool visible = std::all_of(token.begin(), token.end(), [](char c) { return c > 0x20 && c < 0x7f; });
  return visible && token.size() <= kLongestToken ? token : std::string_view();
}

bool MayGoWithoutToken(const http::Request& request) {
  const std::string_view host = request.Find("host");
  if (!request.from_loopback() || request.version < 11 || !request.Find("via").empty() || !IsLoopbackHost(host)) {
    return false;
  }
  return IsOfThisSite(request);
}

bool IsOfThisSite(const http::Request& request) {
  const std::string_view site = request.Find("sec-fetch-site");
  if (!site.empty() && site != "same-origin" && site != "none") return false;
  const std::string_view origin = request.Find("origin");
  const std::string host(request.Find("host"));
  return origin.empty() || origin == "http://" + host || origin == "https://" + host;
}

std::string AddressText(const ip::address& peer) {
  if (peer.is_v6() && peer.to_v6().is_v4_mapped()) {
    return ip::make_address_v4(ip::v4_mapped, peer.to_v6()).to_string();
  }
  return peer.to_string();
}

}  // namespace medidesk::admin::rest
