#include "cli/token_command.h"

#include <fmt/format.h>

#include <charconv>
#include <ctime>

#include "base/rpc/token_check.h"
#include "base/uuid.h"
#include "medidesk/store/v1/access.grpc.pb.h"

namespace medidesk::cli {
namespace {

using store::v1::AccessService;

absl::Status Wrong(std::string_view text) { return Error(absl::StatusCode::kInvalidArgument, text); }

// "90d" or "12h" to seconds.
absl::StatusOr<std::int64_t> ReadLifetime(const std::string& text) {
  std::int64_t count = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), count);
  const std::string_view unit(end, static_cast<std::size_t>(text.data() + text.size() - end));
  const std::int64_t seconds = unit == "d" ? 86'400 : unit == "h" ? 3'600 : 0;
  if (error != std::errc() || seconds == 0 || count < 1 || count > 36'500) {
    return Wrong("--expires: expected days or hours, for example 90d or 12h");
  }
  return count * seconds;
}

absl::Status ReadScopes(std::string_view text, store::v1::CreateTokenRequest* request) {
  while (!text.empty()) {
    const std::size_t end = std::min(text.find(','), text.size());
    const store::v1::TokenScope scope = rpc::ScopeFromName(text.substr(0, end));
    if (scope == store::v1::TOKEN_SCOPE_UNSPECIFIED) {
      return Wrong("--scope: expected reply, screen, preview, send, read or admin, comma separated");
    }
    request->add_scopes(scope);
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return request->scopes().empty() ? Wrong("--scope: name what the token may do") : absl::OkStatus();
}

std::string Minute(const google::protobuf::Timestamp& time) {
  const std::time_t seconds = static_cast<std::time_t>(time.seconds());
  std::tm parts = {};
  gmtime_r(&seconds, &parts);
  char text[32];
  return std::string(text, std::strftime(text, sizeof text, "%Y-%m-%d %H:%MZ", &parts));
}

std::string Scopes(const store::v1::Token& token) {
  std::string all;
  for (const int scope : token.scopes()) {
    all += (all.empty() ? "" : ",") + std::string(rpc::ScopeName(static_cast<store::v1::TokenScope>(scope)));
  }
  return all;
}

std::string State(const store::v1::Token& token) {
  if (token.has_revoke_time()) return "revoked " + Minute(token.revoke_time());
  if (!token.has_expire_time()) return "live";
  return (token.expire_time().seconds() <= std::time(nullptr) ? "expired " : "until ") + Minute(token.expire_time());
}

// Every token, page by page.
absl::StatusOr<std::vector<store::v1::Token>> List(Context& context, bool include_dead) {
  std::vector<store::v1::Token> tokens;
  store::v1::ListTokensRequest request;
  request.set_include_dead(include_dead);
  request.set_page_size(200);
  const Target store = context.Store();
  do {
    MD_ASSIGN_OR_RETURN(const auto page, (context.Call<AccessService>(store, MD_METHOD(ListTokens), request)));
    tokens.insert(tokens.end(), page.tokens().begin(), page.tokens().end());
    request.set_page_token(page.next_page_token());
  } while (!request.page_token().empty());
  return tokens;
}

absl::StatusOr<int> Create(Context& context, Arguments& arguments) {
  store::v1::CreateTokenRequest request;
  MD_ASSIGN_OR_RETURN(const auto scopes, arguments.Option("--scope"));
  MD_ASSIGN_OR_RETURN(const auto lifetime, arguments.Option("--expires"));
  MD_ASSIGN_OR_RETURN(std::string name, arguments.Word("NAME"));
  MD_RETURN_IF_ERROR(arguments.Finish());
  MD_RETURN_IF_ERROR(ReadScopes(scopes.value_or(""), &request));
  if (lifetime) {
    MD_ASSIGN_OR_RETURN(const std::int64_t seconds, ReadLifetime(*lifetime));
    request.mutable_expire_time()->set_seconds(std::time(nullptr) + seconds);
  }
  request.set_commit_id(NewUuid());
  request.set_name(std::move(name));
  *request.mutable_actor() = Context::Operator();
  const Target store = context.Store();
  auto response = context.Call<AccessService>(store, MD_METHOD(CreateToken), request);
  if (response.status().code() == absl::StatusCode::kUnavailable) {  // once more, with the same commit id
    response = context.Call<AccessService>(store, MD_METHOD(CreateToken), request);
  }
  if (!response.ok()) return response.status();
  if (response->secret().empty()) {
    return Error(absl::StatusCode::kAborted,
                 "the token was made, but its secret was lost with the connection; revoke it and make another");
  }
  // The secret alone on standard output: TOKEN=$(./medidesk token create ...).
  context.out() << response->secret() << '\n';
  context.notes() << fmt::format("Token {} ({}, {}). Keep the secret: it is shown this once.\n",
                                 response->token().name(), Scopes(response->token()), State(response->token()));
  return kDone;
}

absl::StatusOr<int> ShowList(Context& context, Arguments& arguments) {
  const bool all = arguments.Switch("--all");
  MD_RETURN_IF_ERROR(arguments.Finish());
  MD_ASSIGN_OR_RETURN(const std::vector<store::v1::Token> tokens, List(context, all));
  if (tokens.empty()) {
    context.notes() << "There are no tokens.\n";
    return kDone;
  }
  context.out() << fmt::format("{:<36}  {:<20}  {:<8}  {:<24}  {:<17}  {}\n", "id", "name", "begins", "scopes",
                               "last use", "state");
  for (const store::v1::Token& token : tokens) {
    context.out() << fmt::format("{:<36}  {:<20}  {:<8}  {:<24}  {:<17}  {}\n", token.id(), token.name(),
                                 token.prefix(), Scopes(token),
                                 token.has_last_use_time() ? Minute(token.last_use_time()) : "never", State(token));
  }
  return kDone;
}

absl::StatusOr<int> Revoke(Context& context, Arguments& arguments) {
  MD_ASSIGN_OR_RETURN(const std::string wanted, arguments.Word("NAME or ID"));
  MD_RETURN_IF_ERROR(arguments.Finish());
  std::string id = IsUuid(wanted) ? wanted : "";
  if (id.empty()) {
    MD_ASSIGN_OR_RETURN(const std::vector<store::v1::Token> tokens, List(context, /*include_dead=*/false));
    for (const store::v1::Token& token : tokens) {
      if (token.name() == wanted) id = token.id();
    }
    if (id.empty()) {
      return Error(absl::StatusCode::kNotFound, "no live token has this name; ./medidesk token list shows them");
    }
  }
  store::v1::RevokeTokenRequest request;
  request.set_token_id(id);
  *request.mutable_actor() = Context::Operator();
  MD_ASSIGN_OR_RETURN(const auto response,
                      (context.Call<AccessService>(context.Store(), MD_METHOD(RevokeToken), request)));
  context.out() << fmt::format("Token {} {}.\n", response.token().name(), State(response.token()));
  context.notes() << "Services that checked it lately go on for at most 5 s.\n";
  return kDone;
}

absl::StatusOr<int> Run(Context& context, Arguments& arguments) {
  MD_ASSIGN_OR_RETURN(const std::string action, arguments.Word("create, list or revoke"));
  if (action == "create") return Create(context, arguments);
  if (action == "list") return ShowList(context, arguments);
  if (action == "revoke") return Revoke(context, arguments);
  return Wrong("expected create, list or revoke");
}

}  // namespace

constexpr Command kTokenCommand = {"token", "who may call from outside: bearer tokens and their scopes",
                                   "token create NAME --scope reply,read,... [--expires 90d]\n"
                                   "token list [--all]\n"
                                   "token revoke NAME|ID",
                                   &Run};

}  // namespace medidesk::cli
