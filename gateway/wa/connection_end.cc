#include "gateway/wa/connection_end.h"

#include <algorithm>

namespace medidesk::gateway::wa {
namespace {

constexpr std::uint64_t kMaxBanSeconds = 366 * 24 * 3600;

int CodeOf(const Node& node, std::string_view attribute, int absent) {
  const auto code = node.AttrNumber(attribute);
  return code && *code <= 999 ? static_cast<int>(*code) : absent;
}

EndKind KindOfFailure(int code) {
  switch (code) {
    case 400:
      return EndKind::kGenericRefusal;
    case 401:
    case 403:
    case 406:
    case 516:
      return EndKind::kLoggedOut;
    case 402:
      return EndKind::kBanned;
    case 405:
      return EndKind::kVersionRefused;
    case 409:
    case 413:
    case 414:
    case 415:
    case 418:
    case 501:
      return EndKind::kRefused;
    case 419:
      return EndKind::kMaybeLoggedOut;
    case 429:
      return EndKind::kSlowRetry;
    case 515:
      return EndKind::kRestart;
    default:
      return EndKind::kRetry;
  }
}

EndKind KindOfStreamError(int code) {
  switch (code) {
    case 401:
    case 403:
    case 406:
    case 516:
      return EndKind::kLoggedOut;
    case 405:
      return EndKind::kVersionRefused;
    case 409:
    case 440:
      return EndKind::kReplaced;
    case 413:
    case 414:
      return EndKind::kRefused;
    case 419:
      return EndKind::kMaybeLoggedOut;
    case 429:
      return EndKind::kSlowRetry;
    case 500:
    case 503:
      return EndKind::kRetry;
    case 515:
      return EndKind::kRestart;
    default:
      return EndKind::kUnknownRetry;
  }
}

}  // namespace

ConnectionEnd EndOfFailure(const Node& failure) {
  const int code = CodeOf(failure, "reason", 500);
  ConnectionEnd end{.kind = KindOfFailure(code), .code = code, .reason = "failure." + std::to_string(code), .ban = {}};
  if (end.kind == EndKind::kBanned) {
    end.ban_code = CodeOf(failure, "code", 0);
    if (const auto seconds = failure.AttrNumber("expire"); seconds && *seconds > 0) {
      end.ban = std::chrono::seconds(std::min(*seconds, kMaxBanSeconds));
    }
  }
  return end;
}

ConnectionEnd EndOfStreamError(const Node& stream_error) {
  const Node* conflict = stream_error.Child("conflict");
  const int code = CodeOf(stream_error, "code", conflict == nullptr ? 500 : 0);
  const std::string reason = "stream." + std::to_string(code);
  if (code == 515) return {.kind = EndKind::kRestart, .code = code, .reason = reason, .ban = {}};
  if (conflict != nullptr) {
    if (conflict->Attr("type") == "device_removed" || code == 401 || code == 516) {
      return {
          .kind = EndKind::kLoggedOut, .code = code == 0 ? 401 : code, .reason = "stream.device_removed", .ban = {}};
    }
    return {.kind = EndKind::kReplaced, .code = code == 0 ? 440 : code, .reason = "stream.replaced", .ban = {}};
  }
  return {.kind = KindOfStreamError(code), .code = code, .reason = reason, .ban = {}};
}

}  // namespace medidesk::gateway::wa
