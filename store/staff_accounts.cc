#include "store/staff_accounts.h"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/json.hpp>
#include <fmt/format.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>
#include <openssl/sha.h>

#include <algorithm>
#include <set>

#include "base/uuid.h"
#include "store/clean_text.h"
#include "store/database_call.h"
#include "store/password.h"
#include "store/service/request_checks.h"

namespace medidesk::store {
namespace {

namespace json = boost::json;
using absl::StatusCode;

constexpr std::size_t kSecretText = 43;  // base64url of 256 bits
constexpr std::size_t kMaxPasswordBytes = 1024;

constexpr Query kCheckSession = {"check_session", "select medidesk.check_session(decode($1, 'hex'))::text"};

std::string Base64Url(const unsigned char* bytes, std::size_t size) {
  std::string text(4 * ((size + 2) / 3) + 1, '\0');
  const int length = EVP_EncodeBlock(reinterpret_cast<unsigned char*>(text.data()), bytes, static_cast<int>(size));
  text.resize(static_cast<std::size_t>(length));
  while (text.ends_with('=')) text.pop_back();
  std::replace(text.begin(), text.end(), '+', '-');
  std::replace(text.begin(), text.end(), '/', '_');
  return text;
}

std::string NewSecret() {
  unsigned char bytes[32];
  if (RAND_bytes(bytes, sizeof bytes) != 1) std::abort();  // a broken machine; nothing weaker will do
  return Base64Url(bytes, sizeof bytes);
}

bool LooksLikeSecret(std::string_view secret) {
  constexpr std::string_view kAlphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
  return secret.size() == kSecretText && secret.find_first_not_of(kAlphabet) == std::string_view::npos;
}

std::string HashOf(std::string_view secret) {
  unsigned char hash[SHA256_DIGEST_LENGTH];
  SHA256(reinterpret_cast<const unsigned char*>(secret.data()), secret.size(), hash);
  std::string text;
  for (const unsigned char byte : hash) text += fmt::format("{:02x}", byte);
  return text;
}

// Bound to the session, and of no use for guessing it.
std::string CsrfOf(std::string_view session) {
  constexpr std::string_view kPurpose = "medidesk csrf";
  unsigned char mac[SHA256_DIGEST_LENGTH];
  unsigned size = 0;
  HMAC(EVP_sha256(), session.data(), static_cast<int>(session.size()),
       reinterpret_cast<const unsigned char*>(kPurpose.data()), kPurpose.size(), mac, &size);
  return Base64Url(mac, sizeof mac);
}

bool Same(std::string_view a, std::string_view b) {
  return a.size() == b.size() && CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

std::string LowerTrimmed(std::string_view text) {
  while (!text.empty() && text.front() == ' ') text.remove_prefix(1);
  while (!text.empty() && text.back() == ' ') text.remove_suffix(1);
  std::string lower = CleanText(std::string(text));
  std::transform(lower.begin(), lower.end(), lower.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
  return lower;
}

absl::Status CheckEmail(std::string_view field, const std::string& email) {
  const std::size_t at = email.find('@');
  const bool fine = email.size() <= 254 && at != std::string::npos && at > 0 && at + 1 < email.size() &&
                    email.find('@', at + 1) == std::string::npos &&
                    std::none_of(email.begin(), email.end(),
                                 [](char c) { return static_cast<unsigned char>(c) <= 0x20 || c == 0x7f; });
  return fine ? absl::OkStatus() : rpc::InvalidField(field, "expected a mail address of at most 254 characters");
}

absl::Status CheckName(std::string_view field, const std::string& name) {
  if (name.empty()) return rpc::InvalidField(field, "expected 1 to 100 characters");
  return CheckLength(field, name, 100);
}

absl::Status CheckAddress(const std::string& address) {
  const bool fine = !address.empty() && address.size() <= 64 &&
                    address.find_first_not_of("0123456789abcdefABCDEF.:%") == std::string::npos;
  return fine ? absl::OkStatus() : rpc::InvalidField("address", "expected an IPv4 or IPv6 address without port");
}

absl::Status CheckRole(v1::StaffRole role) {
  return role != v1::STAFF_ROLE_UNSPECIFIED && v1::StaffRole_IsValid(role)
             ? absl::OkStatus()
             : rpc::InvalidField("staff.role", "expected viewer, agent or admin");
}

// One text for every reason.
absl::Status Refused() { return Error(StatusCode::kUnauthenticated, "mail address or password are not right"); }
absl::Status NoSession() { return Error(StatusCode::kUnauthenticated, "the session has ended; log in again"); }
absl::Status BadInvitation() {
  return Error(StatusCode::kUnauthenticated, "the link was used, is over, or the password is not right");
}
absl::Status Locked(std::int64_t milliseconds) {
  const absl::Status status = rpc::WithReason(
      Error(StatusCode::kResourceExhausted, "too many tries without success; wait, or ask an admin for a new link"),
      "LOCKED_OUT");
  return rpc::WithRetryDelay(status, std::chrono::milliseconds(milliseconds));
}

asio::awaitable<absl::StatusOr<json::object>> Ask(DbPool& pool, const Query& query, DbPool::Clock::time_point deadline,
                                                  json::object request, std::string trace_id) {
  const std::string text = json::serialize(request);
  const std::function<std::string(DbConnection&)> work = [&](DbConnection& connection) {
    return ExecutePrepared(connection, query, text, trace_id).at(0)[0].as<std::string>();
  };
  MD_ASSIGN_OR_CO_RETURN(const std::string answer, co_await pool.Run(query, deadline, work));
  v1::Staff ignored;
  MD_CO_RETURN_IF_ERROR(ReadAnswer(answer, &ignored));  // a refusal
  boost::system::error_code error;
  json::value value = json::parse(answer, error);
  if (error || !value.is_object()) co_return Error(StatusCode::kInternal, "the database gave no object");
  co_return value.get_object();
}

std::string Text(const json::object& object, std::string_view name) {
  const json::value* found = object.if_contains(boost::core::string_view(name.data(), name.size()));
  return found != nullptr && found->is_string() ? std::string(found->get_string()) : std::string();
}

std::int64_t LockedFor(const json::object& object) {
  const json::value* found = object.if_contains("locked_ms");
  return found != nullptr && found->is_int64() ? found->get_int64() : 0;
}

absl::Status ReadStaff(const json::object& object, v1::Staff* staff) {
  const json::value* found = object.if_contains("staff");
  if (found == nullptr) return Error(StatusCode::kInternal, "the database gave no account");
  return ReadAnswer(json::serialize(*found), staff);
}

// The request as the functions take it, with what only this process knows added.
absl::StatusOr<json::object> ToObject(const rpc::Call& call, const google::protobuf::Message& request) {
  MD_ASSIGN_OR_RETURN(const std::string text, RequestToJson(call, request));
  return json::parse(text).get_object();  // we have just made it
}

}  // namespace

asio::awaitable<absl::Status> StaffAccounts::Hash(std::function<void()> work) {
  if (hashes_.fetch_add(1) >= kMaxHashes) {
    hashes_.fetch_sub(1);
    co_return rpc::WithRetryDelay(Error(StatusCode::kResourceExhausted, "too many logins at once; try again"),
                                  std::chrono::seconds(2));
  }
  const auto elsewhere = [&work]() -> asio::awaitable<void> {
    work();
    co_return;
  };
  asio::awaitable<void> running = elsewhere();
  co_await asio::co_spawn(hashing_.get_executor(), std::move(running), asio::use_awaitable);
  hashes_.fetch_sub(1);
  co_return absl::OkStatus();
}

asio::awaitable<absl::StatusOr<v1::CreateStaffResponse>> StaffAccounts::CreateStaff(
    const rpc::Call& call, const v1::CreateStaffRequest& request) {
  MD_CO_RETURN_IF_ERROR(CheckId("commit_id", request.commit_id()));
  MD_CO_RETURN_IF_ERROR(CheckActor(call, request.actor()));
  v1::CreateStaffRequest clean = request;
  v1::Staff& staff = *clean.mutable_staff();
  staff.set_email(LowerTrimmed(staff.email()));
  MD_CO_RETURN_IF_ERROR(CheckOptionalId("staff.id", staff.id()));
  MD_CO_RETURN_IF_ERROR(CheckEmail("staff.email", staff.email()));
  MD_CO_RETURN_IF_ERROR(CheckName("staff.name", staff.name()));
  MD_CO_RETURN_IF_ERROR(CheckRole(staff.role()));
  MD_ASSIGN_OR_CO_RETURN(json::object body, ToObject(call, clean));
  const std::string secret = NewSecret();
  body["invitation_hash"] = HashOf(secret);
  MD_ASSIGN_OR_CO_RETURN(const json::object answer, co_await Ask(pool_, MD_FUNCTION("create_staff"), DeadlineOf(call),
                                                                 std::move(body), call.trace.trace_id));
  v1::CreateStaffResponse response;
  MD_CO_RETURN_IF_ERROR(ReadAnswer(json::serialize(answer), &response));
  const json::value* made = answer.if_contains("made");
  if (made != nullptr && made->is_bool() && made->get_bool()) {
    response.set_invitation(secret);
  } else {
    response.clear_invitation_expire_time();
  }
  co_return response;
}

asio::awaitable<absl::StatusOr<v1::GetStaffResponse>> StaffAccounts::GetStaff(const rpc::Call& call,
                                                                              const v1::GetStaffRequest& request) {
  MD_CO_RETURN_IF_ERROR(CheckId("staff_id", request.staff_id()));
  MD_ASSIGN_OR_CO_RETURN(std::string body, RequestToJson(call, request));
  co_return co_await CallDatabase<v1::GetStaffResponse>(pool_, MD_FUNCTION("get_staff"), DeadlineOf(call),
                                                        std::move(body), call.trace.trace_id);
}

asio::awaitable<absl::StatusOr<v1::ListStaffResponse>> StaffAccounts::ListStaff(const rpc::Call& call,
                                                                                const v1::ListStaffRequest& request) {
  MD_CO_RETURN_IF_ERROR(CheckPageSize(request.page_size(), 200));
  MD_ASSIGN_OR_CO_RETURN(std::string body, RequestToJson(call, request));
  co_return co_await CallDatabase<v1::ListStaffResponse>(pool_, MD_FUNCTION("list_staff"), DeadlineOf(call),
                                                         std::move(body), call.trace.trace_id);
}

asio::awaitable<absl::StatusOr<v1::UpdateStaffResponse>> StaffAccounts::UpdateStaff(
    const rpc::Call& call, const v1::UpdateStaffRequest& request) {
  MD_CO_RETURN_IF_ERROR(CheckId("commit_id", request.commit_id()));
  MD_CO_RETURN_IF_ERROR(CheckActor(call, request.actor()));
  v1::UpdateStaffRequest clean = request;
  v1::Staff& staff = *clean.mutable_staff();
  MD_CO_RETURN_IF_ERROR(CheckId("staff.id", staff.id()));
  const std::set<std::string> fields(request.update_mask().paths().begin(), request.update_mask().paths().end());
  if (fields.empty()) co_return rpc::InvalidField("update_mask", "name at least one field");
  for (const std::string& field : fields) {
    if (field == "email") {
      staff.set_email(LowerTrimmed(staff.email()));
      MD_CO_RETURN_IF_ERROR(CheckEmail("staff.email", staff.email()));
    } else if (field == "name") {
      MD_CO_RETURN_IF_ERROR(CheckName("staff.name", staff.name()));
    } else if (field == "role") {
      MD_CO_RETURN_IF_ERROR(CheckRole(staff.role()));
    } else if (field != "disabled" && field != "on_duty") {
      co_return rpc::InvalidField("update_mask", "expected email, name, role, disabled, on_duty");
    }
  }
  MD_ASSIGN_OR_CO_RETURN(json::object body, ToObject(call, clean));
  body["fields"] = fmt::format("{}", fmt::join(fields, ","));
  MD_ASSIGN_OR_CO_RETURN(const json::object answer, co_await Ask(pool_, MD_FUNCTION("update_staff"), DeadlineOf(call),
                                                                 std::move(body), call.trace.trace_id));
  v1::UpdateStaffResponse response;
  MD_CO_RETURN_IF_ERROR(ReadStaff(answer, response.mutable_staff()));
  co_return response;
}

asio::awaitable<absl::StatusOr<v1::InviteStaffResponse>> StaffAccounts::InviteStaff(
    const rpc::Call& call, const v1::InviteStaffRequest& request) {
  MD_CO_RETURN_IF_ERROR(CheckId("staff_id", request.staff_id()));
  MD_CO_RETURN_IF_ERROR(CheckActor(call, request.actor()));
  MD_ASSIGN_OR_CO_RETURN(json::object body, ToObject(call, request));
  const std::string secret = NewSecret();
  body["invitation_hash"] = HashOf(secret);
  MD_ASSIGN_OR_CO_RETURN(const json::object answer, co_await Ask(pool_, MD_FUNCTION("invite_staff"), DeadlineOf(call),
                                                                 std::move(body), call.trace.trace_id));
  v1::InviteStaffResponse response;
  MD_CO_RETURN_IF_ERROR(ReadAnswer(json::serialize(answer), &response));
  response.set_invitation(secret);
  co_return response;
}

asio::awaitable<absl::StatusOr<v1::SetPasswordResponse>> StaffAccounts::SetPassword(
    const rpc::Call& call, const v1::SetPasswordRequest& request) {
  MD_CO_RETURN_IF_ERROR(CheckAddress(request.address()));
  const bool invited = request.proof_case() == v1::SetPasswordRequest::kInvitation;
  const std::string& secret = invited ? request.invitation() : request.session();
  if (!LooksLikeSecret(secret)) co_return invited ? BadInvitation() : NoSession();
  if (request.new_password().size() > kMaxPasswordBytes || request.old_password().size() > kMaxPasswordBytes) {
    co_return rpc::InvalidField("new_password", "at most 256 characters");
  }
  std::string email, name;
  if (invited && !request.email().empty()) {
    email = LowerTrimmed(request.email());
    MD_CO_RETURN_IF_ERROR(CheckEmail("email", email));
  }
  if (invited && !request.name().empty()) {
    name = CleanText(request.name());
    MD_CO_RETURN_IF_ERROR(CheckName("name", name));
  }

  json::object proof;
  proof[invited ? "invitation_hash" : "session_hash"] = HashOf(secret);
  proof["address"] = request.address();
  json::object begin = proof;
  MD_ASSIGN_OR_CO_RETURN(const json::object found, co_await Ask(pool_, MD_FUNCTION("begin_password"), DeadlineOf(call),
                                                                std::move(begin), call.trace.trace_id));
  if (const std::int64_t locked = LockedFor(found); locked > 0) co_return Locked(locked);
  const std::string staff_id = Text(found, "staff_id"), stored = Text(found, "password_hash");
  if (staff_id.empty()) co_return invited ? BadInvitation() : NoSession();
  MD_CO_RETURN_IF_ERROR(CheckPassword(request.new_password(), email.empty() ? Text(found, "email") : email,
                                      name.empty() ? Text(found, "name") : name));
  bool right = true;
  std::string hash;
  const std::function<void()> work = [&] {
    if (!invited) right = PasswordMatches(stored, request.old_password());
    if (right) hash = HashPassword(request.new_password());
  };
  MD_CO_RETURN_IF_ERROR(co_await Hash(work));
  if (!right) co_return BadInvitation();
  proof["staff_id"] = staff_id;
  proof["password_hash"] = hash;
  proof["email"] = email;
  proof["name"] = name;
  MD_ASSIGN_OR_CO_RETURN(const json::object done, co_await Ask(pool_, MD_FUNCTION("finish_password"), DeadlineOf(call),
                                                               std::move(proof), call.trace.trace_id));
  if (done.empty()) co_return BadInvitation();
  v1::SetPasswordResponse response;
  MD_CO_RETURN_IF_ERROR(ReadStaff(done, response.mutable_staff()));
  co_return response;
}

asio::awaitable<absl::StatusOr<v1::LoginResponse>> StaffAccounts::Login(const rpc::Call& call,
                                                                        const v1::LoginRequest& request) {
  MD_CO_RETURN_IF_ERROR(CheckAddress(request.address()));
  bool right = false;
  std::string staff_id;
  json::object finish;
  if (request.credential_case() == v1::LoginRequest::kVerifiedSubject) {
    if (!IsUuid(request.verified_subject())) co_return Refused();
    staff_id = request.verified_subject();
    right = true;
    finish["way"] = "supabase";
  } else {
    const std::string email = LowerTrimmed(request.password().email());
    const std::string& password = request.password().password();
    if (!CheckEmail("email", email).ok() || password.empty() || password.size() > kMaxPasswordBytes)
      co_return Refused();
    json::object begin;
    begin["email"] = email;
    begin["address"] = request.address();
    MD_ASSIGN_OR_CO_RETURN(const json::object found, co_await Ask(pool_, MD_FUNCTION("begin_login"), DeadlineOf(call),
                                                                  std::move(begin), call.trace.trace_id));
    if (const std::int64_t locked = LockedFor(found); locked > 0) co_return Locked(locked);
    staff_id = Text(found, "staff_id");
    const std::string stored = Text(found, "password_hash");
    const std::function<void()> work = [&] {
      const std::string_view against = stored.empty() ? NobodysPasswordHash() : std::string_view(stored);
      right = PasswordMatches(against, password) && !stored.empty();
    };
    MD_CO_RETURN_IF_ERROR(co_await Hash(work));
    finish["way"] = "password";
  }
  const std::string secret = NewSecret();
  finish["staff_id"] = staff_id;
  finish["ok"] = right;
  finish["session_hash"] = HashOf(secret);
  finish["address"] = request.address();
  MD_ASSIGN_OR_CO_RETURN(const json::object done, co_await Ask(pool_, MD_FUNCTION("finish_login"), DeadlineOf(call),
                                                               std::move(finish), call.trace.trace_id));
  if (!right || done.empty()) co_return Refused();
  v1::LoginResponse response;
  MD_CO_RETURN_IF_ERROR(ReadAnswer(json::serialize(done), &response));
  response.set_session(secret);
  response.set_csrf_token(CsrfOf(secret));
  co_return response;
}

asio::awaitable<absl::StatusOr<v1::CheckSessionResponse>> StaffAccounts::CheckSession(
    const rpc::Call& call, const v1::CheckSessionRequest& request) {
  if (!LooksLikeSecret(request.session())) co_return NoSession();
  const std::string hash = HashOf(request.session());
  const std::function<std::string(DbConnection&)> work = [&](DbConnection& connection) {
    return ExecutePrepared(connection, kCheckSession, hash).at(0)[0].as<std::string>();
  };
  MD_ASSIGN_OR_CO_RETURN(const std::string answer, co_await pool_.Run(kCheckSession, DeadlineOf(call), work));
  v1::CheckSessionResponse response;
  MD_CO_RETURN_IF_ERROR(ReadAnswer(answer, &response));
  if (!response.has_staff()) co_return NoSession();
  const std::string csrf = CsrfOf(request.session());
  if (!request.csrf_token().empty() && !Same(request.csrf_token(), csrf)) {
    co_return rpc::WithReason(Error(StatusCode::kPermissionDenied, "the page is out of date; load it again"), "CSRF");
  }
  response.set_csrf_token(csrf);
  co_return response;
}

asio::awaitable<absl::StatusOr<v1::LogoutResponse>> StaffAccounts::Logout(const rpc::Call& call,
                                                                          const v1::LogoutRequest& request) {
  if (!LooksLikeSecret(request.session())) co_return v1::LogoutResponse();
  json::object body;
  body["session_hash"] = HashOf(request.session());
  body["everywhere"] = request.everywhere();
  MD_ASSIGN_OR_CO_RETURN(const json::object answer, co_await Ask(pool_, MD_FUNCTION("logout"), DeadlineOf(call),
                                                                 std::move(body), call.trace.trace_id));
  v1::LogoutResponse response;
  MD_CO_RETURN_IF_ERROR(ReadAnswer(json::serialize(answer), &response));
  co_return response;
}

}  // namespace medidesk::store
