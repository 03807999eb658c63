#include "store/service/request_checks.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <string_view>
#include <utility>

#include "base/uuid.h"

namespace medidesk::store {

absl::Status CheckId(std::string_view field, const std::string& id) {
  return IsUuid(id) ? absl::OkStatus() : rpc::InvalidField(field, "expected a UUID");
}

absl::Status CheckOptionalId(std::string_view field, const std::string& id) {
  return id.empty() ? absl::OkStatus() : CheckId(field, id);
}

absl::Status CheckActor(const rpc::Call& call, const v1::Actor& actor) {
  const std::string& id = actor.id();
  // Of an address text: what IPv4, IPv6 and its zones need.
  if (actor.address().size() > 64 ||
      actor.address().find_first_not_of("0123456789abcdefABCDEF.:%") != std::string::npos) {
    return rpc::InvalidField("actor.address", "expected an IPv4 or IPv6 address without port");
  }
  if (call.principal.kind == rpc::Principal::Kind::kToken) return absl::OkStatus();
  switch (actor.kind()) {
    case v1::ACTOR_KIND_STAFF:
    case v1::ACTOR_KIND_TOKEN:
      return CheckId("actor.id", id);
    case v1::ACTOR_KIND_SERVICE:
      for (const std::string_view service : {"gateway", "assistant", "store", "admin"}) {
        if (id == service) return absl::OkStatus();
      }
      return rpc::InvalidField("actor.id", "expected gateway, assistant, store or admin");
    case v1::ACTOR_KIND_OPERATOR:
      return id.empty() ? absl::OkStatus() : rpc::InvalidField("actor.id", "an operator has none");
    default:
      return rpc::InvalidField("actor.kind", "needed: who acts");
  }
}

absl::Status CheckPageSize(int size, int most) {
  return size >= 0 && size <= most ? absl::OkStatus()
                                   : rpc::InvalidField("page_size", fmt::format("expected 0 to {}", most));
}

absl::Status CheckLength(std::string_view field, const std::string& text, std::size_t most) {
  const auto characters = static_cast<std::size_t>(
      std::count_if(text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; }));
  return characters <= most ? absl::OkStatus() : rpc::InvalidField(field, fmt::format("at most {} characters", most));
}

absl::Status CheckCode(std::string_view field, const std::string& code, std::size_t most) {
  if (code.size() <= most && code.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789_.-") == std::string::npos) {
    return absl::OkStatus();
  }
  return rpc::InvalidField(field, fmt::format("at most {} characters of a-z, 0-9, _, . and -", most));
}

absl::Status CheckTimeRange(std::string_view field, const v1::TimeRange& range) {
  if (!range.has_start_time() || !range.has_end_time()) return absl::OkStatus();
  const auto when = [](const google::protobuf::Timestamp& time) { return std::pair(time.seconds(), time.nanos()); };
  return when(range.start_time()) < when(range.end_time())
             ? absl::OkStatus()
             : rpc::InvalidField(field, "end_time must be after start_time");
}

bool IsDate(const std::string& text) {
  if (text.size() != 10 || text[4] != '-' || text[7] != '-') return false;
  const auto number = [&](std::size_t at, std::size_t size) {
    int value = 0;
    for (const char c : std::string_view(text).substr(at, size)) {
      if (c < '0' || c > '9') return -1;
      value = value * 10 + (c - '0');
    }
    return value;
  };
  const int year = number(0, 4), month = number(5, 2), day = number(8, 2);
  return year >= 1800 && month > 0 && day > 0 &&
         std::chrono::year_month_day(std::chrono::year(year), std::chrono::month(static_cast<unsigned>(month)),
                                     std::chrono::day(static_cast<unsigned>(day)))
             .ok();
}

}  // namespace medidesk::store
