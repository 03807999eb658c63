#include "admin/api/testing/jwt_maker.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/evp.h>

#include <memory>
#include <vector>

namespace medidesk::admin {

Es256Key::Es256Key(std::string kid) : kid_(std::move(kid)), key_(EVP_EC_gen("P-256")) {}
Es256Key::~Es256Key() { EVP_PKEY_free(key_); }

std::string Es256Key::Jwks() const {
  unsigned char point[65];
  std::size_t size = 0;
  EVP_PKEY_get_octet_string_param(key_, OSSL_PKEY_PARAM_PUB_KEY, nullptr, 0, &size);
  std::vector<unsigned char> sent(size);
  EVP_PKEY_get_octet_string_param(key_, OSSL_PKEY_PARAM_PUB_KEY, sent.data(), sent.size(), &size);
  // Whatever form OpenSSL keeps, the set wants both coordinates.
  const std::unique_ptr<EC_GROUP, decltype(&EC_GROUP_free)> group(EC_GROUP_new_by_curve_name(NID_X9_62_prime256v1),
                                                                  &EC_GROUP_free);
  const std::unique_ptr<EC_POINT, decltype(&EC_POINT_free)> decoded(EC_POINT_new(group.get()), &EC_POINT_free);
  EC_POINT_oct2point(group.get(), decoded.get(), sent.data(), size, nullptr);
  EC_POINT_point2oct(group.get(), decoded.get(), POINT_CONVERSION_UNCOMPRESSED, point, sizeof point, nullptr);
  const std::string_view bytes(reinterpret_cast<const char*>(point), sizeof point);
  return R"({"keys":[{"kty":"RSA","kid":"other","n":"AQAB","e":"AQAB"},{"kty":"EC","crv":"P-256","alg":"ES256",)"
         R"("use":"sig","kid":")" +
         kid_ + R"(","x":")" + EncodeBase64Url(bytes.substr(1, 32)) + R"(","y":")" + EncodeBase64Url(bytes.substr(33)) +
         "\"}]}";
}

std::string Es256Key::Sign(std::string_view header, std::string_view payload) const {
  const std::string text = EncodeBase64Url(header) + "." + EncodeBase64Url(payload);
  const std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context(EVP_MD_CTX_new(), &EVP_MD_CTX_free);
  unsigned char der[128];
  std::size_t size = sizeof der;
  EVP_DigestSignInit(context.get(), nullptr, EVP_sha256(), nullptr, key_);
  EVP_DigestSign(context.get(), der, &size, reinterpret_cast<const unsigned char*>(text.data()), text.size());
  const unsigned char* cursor = der;
  const std::unique_ptr<ECDSA_SIG, decltype(&ECDSA_SIG_free)> pair(
      d2i_ECDSA_SIG(nullptr, &cursor, static_cast<long>(size)), &ECDSA_SIG_free);
  std::string raw(64, '\0');
  BN_bn2binpad(ECDSA_SIG_get0_r(pair.get()), reinterpret_cast<unsigned char*>(raw.data()), 32);
  BN_bn2binpad(ECDSA_SIG_get0_s(pair.get()), reinterpret_cast<unsigned char*>(raw.data()) + 32, 32);
  return text + "." + EncodeBase64Url(raw);
}

}  // namespace medidesk::admin
