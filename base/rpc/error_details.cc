#include "base/rpc/error_details.h"

#include "absl/strings/cord.h"
#include "google/rpc/error_details.pb.h"
#include "google/rpc/status.pb.h"

namespace medidesk::rpc {
namespace {

constexpr std::string_view kDomain = "medidesk";
constexpr std::size_t kMaxText = 1024;     // bytes
constexpr std::size_t kMaxDetails = 4096;  // bytes
constexpr std::size_t kMaxDetailCount = 8;

template <class Detail>
const std::string& TypeUrl() {
  static const std::string url = "type.googleapis.com/" + Detail::descriptor()->full_name();
  return url;
}

template <class Detail>
absl::Status With(absl::Status status, const Detail& detail) {
  if (!status.ok()) status.SetPayload(TypeUrl<Detail>(), absl::Cord(detail.SerializeAsString()));
  return status;
}

template <class Detail>
std::optional<Detail> Read(const absl::Status& status) {
  const auto payload = status.GetPayload(TypeUrl<Detail>());
  Detail detail;
  if (!payload || !detail.ParseFromString(std::string(*payload))) return std::nullopt;
  return detail;
}

// Cuts before the byte `limit`, never inside a UTF-8 character.
std::string Cut(std::string_view text, std::size_t limit) {
  if (text.size() > limit) {
    while (limit > 0 && (static_cast<unsigned char>(text[limit]) & 0xC0) == 0x80) --limit;
    text = text.substr(0, limit);
  }
  return std::string(text);
}

}  // namespace

absl::Status WithReason(absl::Status status, std::string_view reason,
                        const std::map<std::string, std::string>& metadata) {
  google::rpc::ErrorInfo info;
  info.set_reason(std::string(reason));
  info.set_domain(std::string(kDomain));
  info.mutable_metadata()->insert(metadata.begin(), metadata.end());
  return With(std::move(status), info);
}

absl::Status WithRetryDelay(absl::Status status, std::chrono::milliseconds delay) {
  google::rpc::RetryInfo info;
  info.mutable_retry_delay()->set_seconds(delay.count() / 1000);
  info.mutable_retry_delay()->set_nanos(static_cast<int>(delay.count() % 1000) * 1'000'000);
  return With(std::move(status), info);
}

absl::Status InvalidField(std::string_view field, std::string_view description) {
  google::rpc::BadRequest bad;
  auto* violation = bad.add_field_violations();
  violation->set_field(std::string(field));
  violation->set_description(std::string(description));
  return With(Error(absl::StatusCode::kInvalidArgument, std::string(field) + ": " + std::string(description)), bad);
}

std::string Reason(const absl::Status& status) {
  const auto info = Read<google::rpc::ErrorInfo>(status);
  return info ? info->reason() : std::string();
}

std::map<std::string, std::string> ReasonMetadata(const absl::Status& status) {
  const auto info = Read<google::rpc::ErrorInfo>(status);
  if (!info) return {};
  return {info->metadata().begin(), info->metadata().end()};
}

std::optional<std::chrono::milliseconds> RetryDelay(const absl::Status& status) {
  const auto info = Read<google::rpc::RetryInfo>(status);
  if (!info) return std::nullopt;
  // Bounded: the peer's number must not overflow ours.
  const std::int64_t seconds = std::clamp<std::int64_t>(info->retry_delay().seconds(), 0, 86'400);
  return std::chrono::milliseconds(seconds * 1000 + info->retry_delay().nanos() / 1'000'000);
}

std::string InvalidFieldName(const absl::Status& status) {
  const auto bad = Read<google::rpc::BadRequest>(status);
  return bad && bad->field_violations_size() > 0 ? bad->field_violations(0).field() : std::string();
}

grpc::Status ToGrpc(const absl::Status& status) {
  if (status.ok()) return grpc::Status::OK;
  const auto code = static_cast<grpc::StatusCode>(status.code());
  google::rpc::Status wire;
  wire.set_code(static_cast<int>(status.code()));
  wire.set_message(Cut(Text(status), kMaxText));
  std::size_t size = 0;
  status.ForEachPayload([&](auto type_url, const absl::Cord& payload) {
    size += payload.size() + type_url.size();
    if (size > kMaxDetails) return;
    auto* detail = wire.add_details();
    detail->set_type_url(std::string(type_url.data(), type_url.size()));
    detail->set_value(std::string(payload));
  });
  if (wire.details().empty()) return {code, wire.message()};
  return {code, wire.message(), wire.SerializeAsString()};
}

absl::Status FromGrpc(const grpc::Status& status) {
  if (status.ok()) return absl::OkStatus();
  absl::Status result =
      Error(static_cast<absl::StatusCode>(status.error_code()), Cut(status.error_message(), kMaxText));
  google::rpc::Status wire;
  if (status.error_details().empty() || !wire.ParseFromString(status.error_details())) return result;
  std::size_t count = 0;
  for (const auto& detail : wire.details()) {
    if (++count > kMaxDetailCount) break;
    result.SetPayload(detail.type_url(), absl::Cord(detail.value()));
  }
  return result;
}

}  // namespace medidesk::rpc
