#include "cli/audit_command.h"

#include <fmt/format.h>

#include <charconv>
#include <ctime>

#include "base/rpc/client.h"
#include "medidesk/store/v1/audit.grpc.pb.h"

namespace medidesk::cli {
namespace {

namespace asio = boost::asio;
using store::v1::VerifyAuditRequest;
using store::v1::VerifyAuditResponse;

std::string ToHex(std::string_view bytes) {
  std::string hex;
  for (const char byte : bytes) hex += fmt::format("{:02x}", static_cast<unsigned char>(byte));
  return hex;
}

absl::StatusOr<std::string> FromHex(std::string_view hex) {
  std::string bytes;
  for (std::size_t i = 0; i + 1 < hex.size(); i += 2) {
    unsigned value = 0;
    const auto [end, error] = std::from_chars(hex.data() + i, hex.data() + i + 2, value, 16);
    if (error != std::errc() || end != hex.data() + i + 2) break;
    bytes += static_cast<char>(value);
  }
  if (hex.size() != 64 || bytes.size() != 32) {
    return Error(absl::StatusCode::kInvalidArgument, "--hash: expected the 64 hex digits of an earlier answer");
  }
  return bytes;
}

std::string TimeText(std::int64_t seconds) {
  const std::time_t time = seconds;
  std::tm parts = {};
  gmtime_r(&time, &parts);
  char text[32];
  return std::string(text, std::strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S UTC", &parts));
}

// The last message of the stream; progress goes to `notes`.
asio::awaitable<absl::StatusOr<VerifyAuditResponse>> Verify(const rpc::Client<store::v1::AuditService>& client,
                                                            const VerifyAuditRequest& request,
                                                            const rpc::CallOptions& options, std::ostream& notes) {
  auto stream = client.Stream(MD_METHOD(VerifyAudit), request, options);
  auto last_note = std::chrono::steady_clock::now();
  VerifyAuditResponse last;
  while (true) {
    MD_ASSIGN_OR_CO_RETURN(std::optional<VerifyAuditResponse> next, co_await stream.Next());
    if (!next) break;
    last = *std::move(next);
    if (const auto now = std::chrono::steady_clock::now(); !last.done() && now - last_note > std::chrono::seconds(2)) {
      last_note = now;
      notes << fmt::format("{} records checked ...\n", last.checked_count()) << std::flush;
    }
  }
  if (!last.done()) co_return Error(absl::StatusCode::kUnavailable, "the store ended the check early; repeat it");
  co_return last;
}

absl::StatusOr<int> Run(Context& context, Arguments& arguments) {
  VerifyAuditRequest request;
  MD_ASSIGN_OR_RETURN(const auto from, arguments.Option("--from"));
  MD_ASSIGN_OR_RETURN(const auto hash, arguments.Option("--hash"));
  MD_ASSIGN_OR_RETURN(const std::string action, arguments.Word("ACTION"));
  MD_RETURN_IF_ERROR(arguments.Finish());
  if (action != "verify") return Error(absl::StatusCode::kInvalidArgument, "audit: the one action is verify");
  if (from) {
    std::int64_t position = 0;
    const auto [end, error] = std::from_chars(from->data(), from->data() + from->size(), position);
    if (error != std::errc() || end != from->data() + from->size() || position < 1) {
      return Error(absl::StatusCode::kInvalidArgument, "--from: expected a position from 1");
    }
    request.set_start_sequence(position);
  }
  if (hash) {
    if (!from)
      return Error(absl::StatusCode::kInvalidArgument, "--hash: needs --from, the position it was printed with");
    MD_ASSIGN_OR_RETURN(*request.mutable_expected_previous_hash(), FromHex(*hash));
  }

  const Target store = context.Store();
  MD_RETURN_IF_ERROR(store.channel.status());
  const rpc::Client<store::v1::AuditService> client(*store.channel);
  rpc::CallOptions options = context.Options();
  options.deadline = rpc::Call::Clock::time_point::max();  // a long log takes as long as it takes
  const auto verdict = context.Wait(Verify(client, request, options, context.notes()));
  if (!verdict.ok()) return Context::Explain(verdict.status(), store);
  return PrintVerdict(*verdict, context.out());
}

}  // namespace

int PrintVerdict(const VerifyAuditResponse& verdict, std::ostream& out) {
  if (!verdict.valid()) {
    out << fmt::format(
        "BROKEN: the audit log was changed at records {} to {}, sealed {}. The {} records checked before hold. Compare "
        "with a backup of that time.\n",
        verdict.first_bad_sequence(), verdict.first_bad_sequence() + std::max<std::int64_t>(verdict.bad_count(), 1) - 1,
        TimeText(verdict.bad_seal_time().seconds()), verdict.checked_count());
    return kRefused;
  }
  out << fmt::format("The audit log holds: {} records checked, {} not sealed yet.\n", verdict.checked_count(),
                     verdict.unsealed_count());
  if (verdict.last_sequence() > 0) {
    // Who may write the database may write a whole new chain; not one that continues from this.
    out << fmt::format("Keep elsewhere, to check what comes after: audit verify --from {} --hash {}\n",
                       verdict.last_sequence() + 1, ToHex(verdict.last_chain_hash()));
  }
  return kDone;
}

constexpr Command kAuditCommand = {"audit", "whether the audit log is as it was written",
                                   "audit verify [--from POSITION [--hash HEX]]", &Run};

}  // namespace medidesk::cli
