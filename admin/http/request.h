// One HTTP request as a handler sees it: parsed, bounded, its body whole.
//
//   POST /functions/v1/whatsapp-webhook?x=1     method "POST", path() "/functions/v1/whatsapp-webhook", query() "x=1"
//   Content-Type: application/json              Find("content-type") == "application/json"
//
// A plain value; tests build one by hand. Not thread-safe: it belongs to one connection.
#pragma once

#include <boost/asio/ip/address.hpp>

#include <chrono>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace medidesk::http {

struct Request {
  struct Header {
    std::string name;  // lower case
    std::string value;
  };

  std::string method;  // upper case as sent; any token
  std::string target;  // origin form, "/path?query", percent-encoding kept; "*" for OPTIONS
  std::vector<Header> headers;
  std::string body;
  int version = 11;               // 10 for HTTP/1.0, 11 for HTTP/1.1
  boost::asio::ip::address peer;  // of the connection: a proxy's when there is one in front
  std::string id;                 // for logs and answers: the caller's x-request-id when well formed, else a UUID
  std::chrono::steady_clock::time_point received{};

  std::string_view path() const { return std::string_view(target).substr(0, target.find('?')); }
  std::string_view query() const {
    const std::size_t mark = target.find('?');
    return mark == std::string::npos ? std::string_view() : std::string_view(target).substr(mark + 1);
  }

  // The first header of that (lower-case) name; empty when there is none.
  std::string_view Find(std::string_view name) const {
    for (const Header& header : headers) {
      if (header.name == name) return header.value;
    }
    return {};
  }

  // True when the caller itself sits on this machine: a loopback peer that forwards for nobody.
  bool from_loopback() const {
    return (peer.is_loopback() ||
            (peer.is_v6() && peer.to_v6().is_v4_mapped() &&
             boost::asio::ip::make_address_v4(boost::asio::ip::v4_mapped, peer.to_v6()).is_loopback())) &&
           Find("x-forwarded-for").empty() && Find("forwarded").empty() && Find("x-real-ip").empty();
  }

  void Clear() {
    method.clear();
    target.clear();
    headers.clear();
    body.clear();
    version = 11;
    id.clear();
  }
};

}  // namespace medidesk::http
