#include "store/service/access_service.h"

#include <fmt/format.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <openssl/sha.h>

#include <algorithm>
#include <charconv>
#include <set>

#include "base/rpc/token_check.h"
#include "base/uuid.h"

namespace medidesk::store {
namespace {

using Clock = DbPool::Clock;

constexpr std::string_view kSecretPrefix = "mdk_";
constexpr std::size_t kSecretBytes = 32, kSecretText = 43;  // base64url of 256 bits
constexpr std::size_t kShownPrefix = 8;
constexpr std::int64_t kMaxAmount = 1'000'000'000'000;
constexpr std::chrono::seconds kCacheTtl{4};
constexpr std::string_view kLastUuid = "ffffffff-ffff-ffff-ffff-ffffffffffff";

Clock::time_point DeadlineOf(const rpc::Call& call) { return Clock::now() + call.Left(); }

absl::Status CheckId(std::string_view field, const std::string& id) {
  return IsUuid(id) ? absl::OkStatus() : rpc::InvalidField(field, "expected a UUID");
}

absl::StatusOr<int> PageSize(int asked, int standard, int most) {
  if (asked < 0 || asked > most) return rpc::InvalidField("page_size", fmt::format("expected 0 to {}", most));
  return asked == 0 ? standard : asked;
}

// Who acts, as the audit names them. A caller with a token is that token, whatever the request says.
absl::StatusOr<std::string> ActorName(const rpc::Call& call, const v1::Actor& actor) {
  if (call.principal.kind == rpc::Principal::Kind::kToken) return call.principal.id;
  switch (actor.kind()) {
    case v1::ACTOR_KIND_OPERATOR:
      if (!actor.id().empty()) return rpc::InvalidField("actor.id", "an operator has none");
      return std::string("operator");
    case v1::ACTOR_KIND_STAFF:
    case v1::ACTOR_KIND_TOKEN:
      MD_RETURN_IF_ERROR(CheckId("actor.id", actor.id()));
      return actor.id();
    case v1::ACTOR_KIND_SERVICE:
      return Error(absl::StatusCode::kPermissionDenied, "only an admin or the operator may change this");
    default:
      return rpc::InvalidField("actor.kind", "expected a known kind");
  }
}

// 256 random bits as base64url without padding.
std::string NewSecret() {
  unsigned char bytes[kSecretBytes];
  if (RAND_bytes(bytes, sizeof bytes) != 1) std::abort();  // a broken machine; nothing weaker will do
  unsigned char text[4 * (kSecretBytes / 3 + 1) + 1];
  EVP_EncodeBlock(text, bytes, sizeof bytes);
  std::string secret(kSecretPrefix);
  secret.append(reinterpret_cast<const char*>(text), kSecretText);
  std::replace(secret.begin(), secret.end(), '+', '-');
  std::replace(secret.begin(), secret.end(), '/', '_');
  return secret;
}

bool LooksLikeSecret(std::string_view secret) {
  constexpr std::string_view kAlphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
  return secret.size() == kSecretPrefix.size() + kSecretText &&
         secret.substr(0, kSecretPrefix.size()) == kSecretPrefix &&
         secret.find_first_not_of(kAlphabet) == std::string_view::npos;
}

std::string Sha256(std::string_view text) {
  std::string hash(SHA256_DIGEST_LENGTH, '\0');
  SHA256(reinterpret_cast<const unsigned char*>(text.data()), text.size(),
         reinterpret_cast<unsigned char*>(hash.data()));
  return hash;
}

std::int64_t Micros(const google::protobuf::Timestamp& time) {
  return time.seconds() * 1'000'000 + time.nanos() / 1000;
}

absl::StatusOr<std::vector<std::string>> ScopeNames(const v1::CreateTokenRequest& request) {
  std::set<int> scopes(request.scopes().begin(), request.scopes().end());
  if (scopes.empty()) return rpc::InvalidField("scopes", "at least one of reply, screen, preview, send, read, admin");
  std::vector<std::string> names;
  for (const int scope : scopes) {
    if (scope == v1::TOKEN_SCOPE_UNSPECIFIED || !v1::TokenScope_IsValid(scope)) {
      return rpc::InvalidField("scopes", "expected reply, screen, preview, send, read or admin");
    }
    names.emplace_back(rpc::ScopeName(static_cast<v1::TokenScope>(scope)));
  }
  return names;
}

absl::Status CheckTokenName(const std::string& name) {
  constexpr std::string_view kAlphabet = "abcdefghijklmnopqrstuvwxyz0123456789._-";
  if (name.empty() || name.size() > 64 || name.find_first_not_of(kAlphabet) != std::string::npos) {
    return rpc::InvalidField("name", "expected 1 to 64 characters of a-z, 0-9, dot, underscore and dash");
  }
  return absl::OkStatus();
}

absl::Status CheckLimit(const v1::Limit& limit) {
  if (limit.kind() == v1::LIMIT_KIND_UNSPECIFIED || !v1::LimitKind_IsValid(limit.kind())) {
    return rpc::InvalidField("limit.kind", "expected a known kind");
  }
  const v1::LimitSubject subject = limit.subject();
  if (subject == v1::LIMIT_SUBJECT_UNSPECIFIED || !v1::LimitSubject_IsValid(subject)) {
    return rpc::InvalidField("limit.subject", "expected a known subject");
  }
  if (!limit.subject_id().empty()) {
    if (subject == v1::LIMIT_SUBJECT_HOSPITAL || subject == v1::LIMIT_SUBJECT_ADDRESS) {
      return rpc::InvalidField("limit.subject_id", "leave it empty for this subject");
    }
    MD_RETURN_IF_ERROR(CheckId("limit.subject_id", limit.subject_id()));
  }
  if (limit.amount() < 0 || limit.amount() > kMaxAmount) {
    return rpc::InvalidField("limit.amount", "expected 0 to 1000000000000");
  }
  if (limit.burst() < 0 || limit.burst() > kMaxAmount) {
    return rpc::InvalidField("limit.burst", "expected 0 to 1000000000000");
  }
  const auto& period = limit.period();
  constexpr std::int64_t kLongest = 31 * 86'400;
  if (limit.amount() > 0 && (period.seconds() < 1 || period.seconds() > kLongest || period.nanos() < 0 ||
                             period.nanos() > 999'999'999 || (period.seconds() == kLongest && period.nanos() > 0))) {
    return rpc::InvalidField("limit.period", "expected 1 s to 31 days");
  }
  return absl::OkStatus();
}

}  // namespace

AccessService::AccessService(rpc::Dispatcher& dispatcher, AccessRepository& repository, StaffAccounts& staff)
    : dispatcher_(dispatcher), repository_(repository), staff_(staff) {}
AccessService::~AccessService() = default;

asio::awaitable<absl::StatusOr<v1::CreateTokenResponse>> AccessService::CreateToken(
    const rpc::Call& call, const v1::CreateTokenRequest& request) {
  MD_CO_RETURN_IF_ERROR(CheckId("commit_id", request.commit_id()));
  MD_CO_RETURN_IF_ERROR(CheckTokenName(request.name()));
  AccessRepository::NewToken token;
  MD_ASSIGN_OR_CO_RETURN(token.scopes, ScopeNames(request));
  MD_ASSIGN_OR_CO_RETURN(token.actor, ActorName(call, request.actor()));
  if (request.has_expire_time()) {
    const auto& time = request.expire_time();
    const std::int64_t now = std::chrono::system_clock::to_time_t(std::chrono::system_clock::now());
    constexpr std::int64_t kYear9999 = 253'402'300'799;
    if (time.seconds() <= now || time.seconds() > kYear9999 || time.nanos() < 0 || time.nanos() > 999'999'999) {
      co_return rpc::InvalidField("expire_time", "expected a time in the future");
    }
    token.expire_micros = Micros(time);
  }
  const std::string secret = NewSecret();
  token.id = NewUuid();
  token.commit_id = request.commit_id();
  token.name = request.name();
  token.hash = Sha256(secret);
  token.prefix = secret.substr(0, kShownPrefix);
  token.trace_id = call.trace.trace_id;
  MD_ASSIGN_OR_CO_RETURN(auto outcome, co_await repository_.CreateToken(std::move(token), DeadlineOf(call)));
  if (!outcome) {
    co_return Error(absl::StatusCode::kAlreadyExists, "a live token has this name; revoke it, or choose another name");
  }
  v1::CreateTokenResponse response;
  *response.mutable_token() = std::move(outcome->token);
  if (outcome->made) response.set_secret(secret);
  co_return response;
}

asio::awaitable<absl::StatusOr<v1::ListTokensResponse>> AccessService::ListTokens(
    const rpc::Call& call, const v1::ListTokensRequest& request) {
  MD_ASSIGN_OR_CO_RETURN(const int size, PageSize(request.page_size(), 50, 200));
  std::int64_t before = 0;
  std::string before_id(kLastUuid);
  if (const std::string& token = request.page_token(); !token.empty()) {
    const auto [end, error] = std::from_chars(token.data(), token.data() + token.size(), before);
    const std::size_t used = static_cast<std::size_t>(end - token.data());
    before_id = token.substr(std::min(used + 1, token.size()));
    if (error != std::errc() || before <= 0 || token[used] != '.' || !IsUuid(before_id)) {
      co_return rpc::InvalidField("page_token", "expected the token of a page that was listed before");
    }
  }
  MD_ASSIGN_OR_CO_RETURN(auto tokens, co_await repository_.ListTokens(request.include_dead(), before, before_id,
                                                                      size + 1, DeadlineOf(call)));
  v1::ListTokensResponse response;
  for (v1::Token& token : tokens) {
    if (response.tokens_size() == size) {
      const v1::Token& last = response.tokens(size - 1);
      response.set_next_page_token(fmt::format("{}.{}", Micros(last.create_time()), last.id()));
      break;
    }
    *response.add_tokens() = std::move(token);
  }
  co_return response;
}

asio::awaitable<absl::StatusOr<v1::RevokeTokenResponse>> AccessService::RevokeToken(
    const rpc::Call& call, const v1::RevokeTokenRequest& request) {
  MD_CO_RETURN_IF_ERROR(CheckId("token_id", request.token_id()));
  MD_ASSIGN_OR_CO_RETURN(std::string actor, ActorName(call, request.actor()));
  MD_ASSIGN_OR_CO_RETURN(auto token, co_await repository_.RevokeToken(request.token_id(), std::move(actor),
                                                                      call.trace.trace_id, DeadlineOf(call)));
  if (!token) co_return Error(absl::StatusCode::kNotFound, "no such token");
  v1::RevokeTokenResponse response;
  *response.mutable_token() = *std::move(token);
  co_return response;
}

asio::awaitable<absl::StatusOr<v1::CheckTokenResponse>> AccessService::CheckToken(
    const rpc::Call& call, const v1::CheckTokenRequest& request) {
  return Check(request.secret(), DeadlineOf(call));
}

asio::awaitable<absl::StatusOr<v1::CheckTokenResponse>> AccessService::Check(std::string secret,
                                                                             Clock::time_point deadline) {
  if (!LooksLikeSecret(secret)) co_return rpc::BadToken();
  MD_ASSIGN_OR_CO_RETURN(auto live, co_await repository_.CheckToken(Sha256(secret), deadline));
  if (!live) co_return rpc::BadToken();
  v1::CheckTokenResponse response;
  // A token that is about to expire is relied on no longer than it lives.
  std::int64_t ttl = kCacheTtl.count();
  if (live->token.has_expire_time()) {
    const std::int64_t now = std::chrono::system_clock::to_time_t(std::chrono::system_clock::now());
    ttl = std::clamp<std::int64_t>(live->token.expire_time().seconds() - now, 0, ttl);
  }
  response.mutable_cache_ttl()->set_seconds(ttl);
  *response.mutable_token() = std::move(live->token);
  if (live->request_limit) *response.mutable_request_limit() = *std::move(live->request_limit);
  co_return response;
}

asio::awaitable<absl::StatusOr<v1::ListLimitsResponse>> AccessService::ListLimits(
    const rpc::Call& call, const v1::ListLimitsRequest& request) {
  MD_ASSIGN_OR_CO_RETURN(const int size, PageSize(request.page_size(), 200, 1000));
  if (!v1::LimitKind_IsValid(request.kind())) co_return rpc::InvalidField("kind", "expected a known kind");
  int offset = 0;
  if (const std::string& token = request.page_token(); !token.empty()) {
    const auto [end, error] = std::from_chars(token.data(), token.data() + token.size(), offset);
    if (error != std::errc() || end != token.data() + token.size() || offset < 1 || offset > 1'000'000) {
      co_return rpc::InvalidField("page_token", "expected the token of a page that was listed before");
    }
  }
  MD_ASSIGN_OR_CO_RETURN(auto limits,
                         co_await repository_.ListLimits(request.kind(), offset, size + 1, DeadlineOf(call)));
  v1::ListLimitsResponse response;
  for (v1::Limit& limit : limits) {
    if (response.limits_size() == size) {
      response.set_next_page_token(std::to_string(offset + size));
      break;
    }
    *response.add_limits() = std::move(limit);
  }
  co_return response;
}

asio::awaitable<absl::StatusOr<v1::SetLimitResponse>> AccessService::SetLimit(const rpc::Call& call,
                                                                              const v1::SetLimitRequest& request) {
  MD_CO_RETURN_IF_ERROR(CheckId("commit_id", request.commit_id()));
  MD_CO_RETURN_IF_ERROR(CheckLimit(request.limit()));
  MD_ASSIGN_OR_CO_RETURN(std::string actor, ActorName(call, request.actor()));
  MD_ASSIGN_OR_CO_RETURN(
      auto limit, co_await repository_.SetLimit(request, std::move(actor), call.trace.trace_id, DeadlineOf(call)));
  if (!limit)
    co_return Error(absl::StatusCode::kNotFound, "limit.subject_id: there is no such contact, number or token");
  v1::SetLimitResponse response;
  *response.mutable_limit() = *std::move(limit);
  co_return response;
}

asio::awaitable<absl::StatusOr<v1::ConsumeLimitResponse>> AccessService::ConsumeLimit(
    const rpc::Call& call, const v1::ConsumeLimitRequest& request) {
  MD_CO_RETURN_IF_ERROR(CheckId("commit_id", request.commit_id()));
  if (request.kind() == v1::LIMIT_KIND_UNSPECIFIED || !v1::LimitKind_IsValid(request.kind())) {
    co_return rpc::InvalidField("kind", "expected a known kind");
  }
  if (request.amount() < 0 || request.amount() > kMaxAmount) {
    co_return rpc::InvalidField("amount", "expected 0 to 1000000000000");
  }
  for (const auto& [field, id] :
       {std::pair("contact_id", &request.contact_id()), std::pair("number_id", &request.number_id()),
        std::pair("token_id", &request.token_id())}) {
    if (!id->empty()) MD_CO_RETURN_IF_ERROR(CheckId(field, *id));
  }
  co_return co_await repository_.ConsumeLimit(request, DeadlineOf(call));
}

#define MD_STAFF(Name)                                                                                        \
  asio::awaitable<absl::StatusOr<v1::Name##Response>> AccessService::Name(const rpc::Call& call,              \
                                                                          const v1::Name##Request& request) { \
    return staff_.Name(call, request);                                                                        \
  }
MD_STAFF(CreateStaff)
MD_STAFF(GetStaff)
MD_STAFF(ListStaff)
MD_STAFF(UpdateStaff)
MD_STAFF(InviteStaff)
MD_STAFF(SetPassword)
MD_STAFF(Login)
MD_STAFF(CheckSession)
MD_STAFF(Logout)
#undef MD_STAFF

}  // namespace medidesk::store
