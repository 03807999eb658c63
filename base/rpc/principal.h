// On whose authority a call is made, once its credential has been checked.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace medidesk::store::v1 {
enum TokenScope : int;
}

namespace medidesk::rpc {

using store::v1::TokenScope;
class TokenBucket;

struct Principal {
  enum class Kind {
    kLocal,    // this process, this machine, or a network that the operator trusts
    kService,  // a certificate that names one of our services
    kToken,    // a bearer token
  };
  Kind kind = Kind::kLocal;
  std::string id;                                 // kService: "gateway", ...; kToken: the token's UUID; else empty
  std::uint32_t scopes = 0;                       // kToken: a bit for each TokenScope
  std::shared_ptr<TokenBucket> bucket = nullptr;  // kToken: what its requests are charged to; null: no limit

  // Everybody but a token may do everything. A token needs the scope, or `admin`.
  bool May(TokenScope scope) const;
  bool IsService(std::string_view name) const { return kind == Kind::kService && id == name; }
};

}  // namespace medidesk::rpc
