// Makes tokens for tests, good and bad ones.
#pragma once

#include <string>
#include <string_view>

#include "admin/api/jwt.h"

namespace medidesk::admin {

inline std::string MakeJwt(std::string_view secret, std::string_view header, std::string_view payload) {
  const std::string text = EncodeBase64Url(header) + "." + EncodeBase64Url(payload);
  return text + "." + EncodeBase64Url(HmacSha256(secret, text));
}

inline std::string MakeHs256(std::string_view secret, std::string_view payload) {
  return MakeJwt(secret, R"({"alg":"HS256","typ":"JWT"})", payload);
}

// A key pair on P-256.
class Es256Key {
 public:
  explicit Es256Key(std::string kid);
  ~Es256Key();
  Es256Key(const Es256Key&) = delete;
  Es256Key& operator=(const Es256Key&) = delete;

  std::string Jwks() const;
  std::string Sign(std::string_view header, std::string_view payload) const;

 private:
  const std::string kid_;
  evp_pkey_st* key_;
};

}  // namespace medidesk::admin
