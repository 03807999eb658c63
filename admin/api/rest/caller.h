// Who calls /v1, and whether they may.
//
//   Authorization: Bearer <token>   -> the token's principal, when it holds the scope
//   the dashboard's cookie          -> a member of staff, when the account's role allows the operation
//   neither                         -> the operator, from this machine alone (see MayGoWithoutToken)
//   anything else                   -> UNAUTHENTICATED
#pragma once

#include <boost/asio/awaitable.hpp>

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

#include "admin/api/rest/route_table.h"
#include "admin/http/request.h"
#include "base/phi.h"
#include "base/status.h"
#include "medidesk/store/v1/access.pb.h"
#include "medidesk/store/v1/common.pb.h"

namespace medidesk::admin::rest {

struct Principal {
  store::v1::ActorKind kind = store::v1::ACTOR_KIND_OPERATOR;
  std::string id = {};  // UUID of the token or the account; empty for the operator
  store::v1::StaffRole role = store::v1::STAFF_ROLE_UNSPECIFIED;  // of staff
};

// Thread-safe.
class TokenChecker {
 public:
  struct Checked {
    Principal principal;
    // Set: the token has used up the limit that it was given, and this is how long until it may come again.
    std::optional<std::chrono::milliseconds> limited = std::nullopt;
  };
  virtual ~TokenChecker() = default;
  // UNAUTHENTICATED for a token that is worth nothing, PERMISSION_DENIED for one without the scope;
  // UNAVAILABLE and the like when that cannot be found out.
  virtual boost::asio::awaitable<absl::StatusOr<Checked>> Check(Phi<std::string> token, Scope scope) = 0;
};

// Sessions of the dashboard. Thread-safe.
class SessionChecker {
 public:
  virtual ~SessionChecker() = default;
  // True for a request that comes from the dashboard's page, whatever its session is worth: it is then never the
  // operator's.
  virtual bool IsPresented(const http::Request& request) const = 0;
  // UNAUTHENTICATED without a live session; PERMISSION_DENIED for a request of another site, and for one that
  // `changes` something without the session's CSRF secret.
  virtual boost::asio::awaitable<absl::StatusOr<Principal>> Check(const http::Request& request, bool changes) = 0;
};

// The token of an Authorization header: its text, or empty when it is of another scheme or malformed.
std::string_view BearerToken(std::string_view authorization);

// True for a request that a program on this machine made by itself: over loopback, to a loopback name
// (a page that rebinds its own name to 127.0.0.1 does not have one), not through a proxy as far as
// that can be told (forwarding headers, HTTP/1.0), and not on behalf of a web page from elsewhere.
bool MayGoWithoutToken(const http::Request& request);

// True unless the browser says that a page of elsewhere made the request.
bool IsOfThisSite(const http::Request& request);

// What stands for an address in limits and audit records: IPv4 as it is, also when mapped into IPv6.
std::string AddressText(const boost::asio::ip::address& peer);

}  // namespace medidesk::admin::rest
