// What the services' requests have in common: ids, actors, page sizes. Each gives OK or InvalidField.
#pragma once

#include <string>
#include <string_view>

#include "base/rpc/call.h"
#include "base/rpc/error_details.h"
#include "medidesk/store/v1/common.pb.h"
#include "store/db_pool.h"

namespace medidesk::store {

inline DbPool::Clock::time_point DeadlineOf(const rpc::Call& call) { return DbPool::Clock::now() + call.Left(); }

absl::Status CheckId(std::string_view field, const std::string& id);
absl::Status CheckOptionalId(std::string_view field, const std::string& id);  // may be empty
// A kind, and the id that belongs to it; an address of at most 64 characters. A caller with a token is that token:
// see RequestToJson.
absl::Status CheckActor(const rpc::Call& call, const v1::Actor& actor);
absl::Status CheckPageSize(int size, int most);
// At most `most` characters of UTF-8.
absl::Status CheckLength(std::string_view field, const std::string& text, std::size_t most);
// At most `most` characters of [a-z0-9_.-].
absl::Status CheckCode(std::string_view field, const std::string& code, std::size_t most);
absl::Status CheckTimeRange(std::string_view field, const v1::TimeRange& range);
// YYYY-MM-DD, a day of the calendar.
bool IsDate(const std::string& text);

}  // namespace medidesk::store
