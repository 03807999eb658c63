#include "admin/api/jwt.h"

#include <boost/json/parse.hpp>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/param_build.h>
#include <openssl/sha.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <optional>

namespace medidesk::admin {

namespace json = boost::json;
using std::chrono::system_clock;

namespace {

constexpr std::size_t kMaxToken = 8u << 10;   // bytes; the server's head limit is 16 KiB
constexpr std::size_t kMaxJwks = 256u << 10;  // bytes
constexpr std::size_t kP256 = 32;             // bytes of a coordinate

absl::Status Refused(std::string_view rule) { return Error(absl::StatusCode::kUnauthenticated, rule); }

const std::uint8_t* Bytes(std::string_view text) { return reinterpret_cast<const std::uint8_t*>(text.data()); }

constexpr std::array<std::int8_t, 256> MakeDecodeTable() {
  std::array<std::int8_t, 256> table{};
  for (auto& entry : table) entry = -1;
  for (int i = 0; i < 26; ++i) table['A' + i] = static_cast<std::int8_t>(i);
  for (int i = 0; i < 26; ++i) table['a' + i] = static_cast<std::int8_t>(26 + i);
  for (int i = 0; i < 10; ++i) table['0' + i] = static_cast<std::int8_t>(52 + i);
  table['-'] = 62;
  table['_'] = 63;
  return table;
}
constexpr std::array<std::int8_t, 256> kDecode = MakeDecodeTable();

struct Parts {
  std::string_view header, payload, signature;
};

std::optional<Parts> Split(std::string_view token) {
  const std::size_t first = token.find('.');
  if (first == std::string_view::npos) return std::nullopt;
  const std::size_t second = token.find('.', first + 1);
  if (second == std::string_view::npos || token.find('.', second + 1) != std::string_view::npos) return std::nullopt;
  return Parts{token.substr(0, first), token.substr(first + 1, second - first - 1), token.substr(second + 1)};
}

std::optional<json::object> ParseObject(std::string_view text, std::size_t max_depth = 16) {
  json::error_code error;
  json::parse_options options;
  options.max_depth = max_depth;
  json::value value = json::parse({text.data(), text.size()}, error, {}, options);
  if (error || !value.is_object()) return std::nullopt;
  return std::move(value.get_object());
}

std::string_view StringOf(const json::object& object, std::string_view name) {
  const json::value* value = object.if_contains({name.data(), name.size()});
  if (value == nullptr || !value->is_string()) return {};
  return {value->get_string().data(), value->get_string().size()};
}

// Seconds since 1970, fractions cut off; nullopt for what is no number or lies beyond the year 9999.
std::optional<std::int64_t> SecondsOf(const json::value* value) {
  constexpr double kYear9999 = 253'402'300'799.0;
  if (value == nullptr) return std::nullopt;
  double seconds;
  if (value->is_int64()) {
    seconds = static_cast<double>(value->get_int64());
  } else if (value->is_uint64()) {
    seconds = static_cast<double>(value->get_uint64());
  } else if (value->is_double()) {
    seconds = value->get_double();
  } else {
    return std::nullopt;
  }
  if (!(seconds >= 0 && seconds <= kYear9999)) return std::nullopt;
  return static_cast<std::int64_t>(seconds);
}

bool VerifyEs256(EVP_PKEY* key, std::string_view text, std::string_view signature) {
  if (signature.size() != 2 * kP256) return false;
  // OpenSSL wants the pair in DER.
  const std::unique_ptr<ECDSA_SIG, decltype(&ECDSA_SIG_free)> pair(ECDSA_SIG_new(), &ECDSA_SIG_free);
  BIGNUM* r = BN_bin2bn(Bytes(signature), kP256, nullptr);
  BIGNUM* s = BN_bin2bn(Bytes(signature) + kP256, kP256, nullptr);
  if (pair == nullptr || r == nullptr || s == nullptr || ECDSA_SIG_set0(pair.get(), r, s) != 1) {
    BN_free(r);
    BN_free(s);
    return false;
  }
  std::array<std::uint8_t, 80> der;
  std::uint8_t* end = der.data();
  const int size = i2d_ECDSA_SIG(pair.get(), nullptr);
  if (size <= 0 || static_cast<std::size_t>(size) > der.size()) return false;
  i2d_ECDSA_SIG(pair.get(), &end);
  const std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context(EVP_MD_CTX_new(), &EVP_MD_CTX_free);
  return context != nullptr && EVP_DigestVerifyInit(context.get(), nullptr, EVP_sha256(), nullptr, key) == 1 &&
         EVP_DigestVerify(context.get(), der.data(), static_cast<std::size_t>(size), Bytes(text), text.size()) == 1;
}

std::shared_ptr<EVP_PKEY> MakeP256Key(std::string_view x, std::string_view y) {
  if (x.size() != kP256 || y.size() != kP256) return nullptr;
  const std::string point = "\x04" + std::string(x) + std::string(y);  // uncompressed
  const std::unique_ptr<OSSL_PARAM_BLD, decltype(&OSSL_PARAM_BLD_free)> builder(OSSL_PARAM_BLD_new(),
                                                                                &OSSL_PARAM_BLD_free);
  OSSL_PARAM_BLD_push_utf8_string(builder.get(), OSSL_PKEY_PARAM_GROUP_NAME, "prime256v1", 0);
  OSSL_PARAM_BLD_push_octet_string(builder.get(), OSSL_PKEY_PARAM_PUB_KEY, point.data(), point.size());
  const std::unique_ptr<OSSL_PARAM, decltype(&OSSL_PARAM_free)> parameters(OSSL_PARAM_BLD_to_param(builder.get()),
                                                                           &OSSL_PARAM_free);
  const std::unique_ptr<EVP_PKEY_CTX, decltype(&EVP_PKEY_CTX_free)> context(
      EVP_PKEY_CTX_new_from_name(nullptr, "EC", nullptr), &EVP_PKEY_CTX_free);
  EVP_PKEY* key = nullptr;
  if (context == nullptr || EVP_PKEY_fromdata_init(context.get()) != 1 ||
      EVP_PKEY_fromdata(context.get(), &key, EVP_PKEY_PUBLIC_KEY, parameters.get()) != 1) {
    return nullptr;  // not on the curve
  }
  return {key, &EVP_PKEY_free};
}

absl::StatusOr<JwtClaims> CheckClaims(std::string_view payload, system_clock::time_point now,
                                      std::chrono::seconds leeway) {
  std::string text;
  if (!DecodeBase64Url(payload, text)) return Refused("token: not base64url");
  const std::optional<json::object> claims = ParseObject(text);
  if (!claims) return Refused("token: payload is not a JSON object");
  const auto seconds_now = std::chrono::duration_cast<std::chrono::seconds>(now.time_since_epoch()).count();
  const std::optional<std::int64_t> expires = SecondsOf(claims->if_contains("exp"));
  if (!expires) return Refused("token: no exp");
  if (*expires <= seconds_now) return Refused("token: expired");
  if (const json::value* not_before = claims->if_contains("nbf"); not_before != nullptr) {
    const std::optional<std::int64_t> begins = SecondsOf(not_before);
    if (!begins || *begins > seconds_now + leeway.count()) return Refused("token: not valid yet");
  }
  JwtClaims result;
  result.expires = std::chrono::sys_seconds(std::chrono::seconds(*expires));
  result.subject = StringOf(*claims, "sub");
  const std::string_view role = StringOf(*claims, "role");
  if (role == "anon") {
    result.role = JwtRole::kAnon;
  } else if (role == "authenticated") {
    result.role = JwtRole::kAuthenticated;
  } else if (role == "service_role") {
    result.role = JwtRole::kServiceRole;
  } else {
    return Refused("token: unknown role");
  }
  return result;
}

}  // namespace

bool DecodeBase64Url(std::string_view text, std::string& out) {
  out.clear();
  if (text.size() % 4 == 1) return false;
  out.reserve(text.size() * 3 / 4);
  std::uint32_t bits = 0;
  int held = 0;
  for (const char c : text) {
    const int value = kDecode[static_cast<unsigned char>(c)];
    if (value < 0) return false;
    bits = (bits << 6) | static_cast<std::uint32_t>(value);
    held += 6;
    if (held >= 8) {
      held -= 8;
      out += static_cast<char>((bits >> held) & 0xff);
    }
  }
  return (bits & ((1u << held) - 1)) == 0;  // a second spelling of the same bytes is refused
}

std::string EncodeBase64Url(std::string_view bytes) {
  static constexpr char kAlphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
  std::string out;
  std::uint32_t bits = 0;
  int held = 0;
  for (const char c : bytes) {
    bits = (bits << 8) | static_cast<unsigned char>(c);
    held += 8;
    while (held >= 6) {
      held -= 6;
      out += kAlphabet[(bits >> held) & 63];
    }
  }
  if (held > 0) out += kAlphabet[(bits << (6 - held)) & 63];
  return out;
}

std::string HmacSha256(std::string_view key, std::string_view text) {
  std::string digest(SHA256_DIGEST_LENGTH, '\0');
  unsigned int size = 0;
  HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()), Bytes(text), text.size(),
       reinterpret_cast<std::uint8_t*>(digest.data()), &size);
  return digest;
}

std::string Sha256(std::string_view text) {
  std::string digest(SHA256_DIGEST_LENGTH, '\0');
  SHA256(Bytes(text), text.size(), reinterpret_cast<std::uint8_t*>(digest.data()));
  return digest;
}

bool LooksLikeJwt(std::string_view text) {
  const std::optional<Parts> parts = Split(text);
  if (!parts || parts->header.empty() || parts->payload.empty() || parts->signature.empty()) return false;
  return std::all_of(text.begin(), text.end(),
                     [](char c) { return c == '.' || kDecode[static_cast<unsigned char>(c)] >= 0; });
}

absl::StatusOr<std::shared_ptr<const JwkSet>> JwkSet::Parse(std::string_view text) {
  const auto bad = [](std::string_view why) { return Error(absl::StatusCode::kInvalidArgument, why); };
  if (text.size() > kMaxJwks) return bad("key set: larger than 256 KiB");
  const std::optional<json::object> root = ParseObject(text);
  const json::value* list = root ? root->if_contains("keys") : nullptr;
  if (list == nullptr || !list->is_array()) return bad(R"(key set: expected {"keys":[...]})");
  auto set = std::make_shared<JwkSet>();
  for (const json::value& entry : list->get_array()) {
    if (!entry.is_object()) return bad("key set: a key is not an object");
    const json::object& key = entry.get_object();
    if (StringOf(key, "kty") != "EC" || StringOf(key, "crv") != "P-256") continue;
    if (const std::string_view use = StringOf(key, "use"); !use.empty() && use != "sig") continue;
    if (const std::string_view alg = StringOf(key, "alg"); !alg.empty() && alg != "ES256") continue;
    std::string x, y;
    if (!DecodeBase64Url(StringOf(key, "x"), x) || !DecodeBase64Url(StringOf(key, "y"), y)) {
      return bad("key set: a coordinate is not base64url");
    }
    std::shared_ptr<EVP_PKEY> made = MakeP256Key(x, y);
    if (made == nullptr) return bad("key set: a P-256 key is not on the curve");
    set->keys_.insert_or_assign(std::string(StringOf(key, "kid")), std::move(made));
  }
  return std::shared_ptr<const JwkSet>(std::move(set));
}

evp_pkey_st* JwkSet::Find(std::string_view kid) const {
  const auto found = keys_.find(kid);
  return found == keys_.end() ? nullptr : found->second.get();
}

JwtVerifier::JwtVerifier(std::string hs256_secret, std::chrono::seconds leeway)
    : hs256_secret_(std::move(hs256_secret)), leeway_(leeway) {}

void JwtVerifier::SetKeys(std::shared_ptr<const JwkSet> keys) {
  const std::lock_guard lock(mutex_);
  keys_ = std::move(keys);
}

std::shared_ptr<const JwkSet> JwtVerifier::keys() const {
  const std::lock_guard lock(mutex_);
  return keys_;
}

bool JwtVerifier::configured() const { return !hs256_secret_.empty() || keys() != nullptr; }

absl::StatusOr<JwtClaims> JwtVerifier::Verify(std::string_view token, system_clock::time_point now) const {
  if (token.size() > kMaxToken) return Refused("token: too long");
  const std::optional<Parts> parts = Split(token);
  if (!parts) return Refused("token: expected three parts");
  std::string header_text, signature;
  if (!DecodeBase64Url(parts->header, header_text) || !DecodeBase64Url(parts->signature, signature)) {
    return Refused("token: not base64url");
  }
  const std::optional<json::object> header = ParseObject(header_text);
  if (!header) return Refused("token: header is not a JSON object");
  // RFC 7515 section 4.1.11: extensions that must be understood, and we know none.
  if (header->contains("crit")) return Refused("token: critical header extensions");
  const std::string_view algorithm = StringOf(*header, "alg");
  const std::string_view signed_text = token.substr(0, parts->header.size() + 1 + parts->payload.size());
  if (algorithm == "HS256" && !hs256_secret_.empty()) {
    const std::string expected = HmacSha256(hs256_secret_, signed_text);
    if (signature.size() != expected.size() || CRYPTO_memcmp(signature.data(), expected.data(), expected.size()) != 0) {
      return Refused("token: wrong signature");
    }
  } else if (const std::shared_ptr<const JwkSet> set = keys(); algorithm == "ES256" && set != nullptr) {
    EVP_PKEY* key = set->Find(StringOf(*header, "kid"));
    if (key == nullptr) return Error(absl::StatusCode::kNotFound, "token: unknown key id");
    if (!VerifyEs256(key, signed_text, signature)) return Refused("token: wrong signature");
  } else {
    return Refused("token: algorithm not taken");
  }
  return CheckClaims(parts->payload, now, leeway_);
}

}  // namespace medidesk::admin
