#include "admin/api/rate_limiter.h"

#include <openssl/rand.h>

#include <algorithm>
#include <bit>
#include <cstdlib>

#include "absl/hash/hash.h"
#include "absl/strings/string_view.h"

namespace medidesk::admin {
namespace {

std::uint64_t RandomSalt() {
  std::uint64_t salt;
  if (RAND_bytes(reinterpret_cast<unsigned char*>(&salt), sizeof salt) != 1) std::abort();
  return salt;
}

}  // namespace

RateLimiter::RateLimiter(const Options& options) : salt_(RandomSalt()) {
  if (options.per_second <= 0) return;
  interval_ = std::max<std::int64_t>(1, static_cast<std::int64_t>(1e9 / options.per_second));
  allowance_ = interval_ * (std::max(1, options.burst) - 1);
  const auto wanted = static_cast<std::uint64_t>(std::max(1, options.max_keys));
  const std::uint64_t sets = std::bit_ceil((wanted + kWays - 1) / kWays);
  set_mask_ = sets - 1;
  entries_.resize(sets * kWays);
  locks_ = std::make_unique<std::mutex[]>(kLocks);
}

RateLimiter::Decision RateLimiter::Take(std::string_view key, Time now) {
  if (entries_.empty()) return {};
  const std::uint64_t hash = std::max<std::uint64_t>(1, absl::HashOf(salt_, absl::string_view(key.data(), key.size())));
  const std::uint64_t set = (hash >> 8) & set_mask_;
  const std::int64_t time = std::chrono::duration_cast<std::chrono::nanoseconds>(now.time_since_epoch()).count();

  const std::lock_guard lock(locks_[set % kLocks]);
  Entry* const first = &entries_[set * kWays];
  Entry* entry = nullptr;
  Entry* fullest = first;
  for (Entry* candidate = first; candidate != first + kWays; ++candidate) {
    if (candidate->key == hash) {
      entry = candidate;
      break;
    }
    if (candidate->key == 0 && fullest->key != 0) fullest = candidate;
    if (candidate->key != 0 && fullest->key != 0 && candidate->full_at < fullest->full_at) fullest = candidate;
  }
  if (entry == nullptr) {
    entry = fullest;
    // A free place holds 0, a bucket that is full by now a time that has passed.
    *entry = {.key = hash, .full_at = std::min(entry->full_at, time + allowance_)};
  }
  const std::int64_t full_at = std::max(entry->full_at, time);
  if (const std::int64_t ahead = full_at - time; ahead > allowance_) {
    return {.allowed = false, .retry_after = std::chrono::milliseconds((ahead - allowance_ + 999'999) / 1'000'000)};
  }
  entry->full_at = full_at + interval_;
  return {};
}

std::string AddressKey(const boost::asio::ip::address& address) {
  namespace ip = boost::asio::ip;
  if (!address.is_v6()) return address.to_string();
  const ip::address_v6 v6 = address.to_v6();
  if (v6.is_v4_mapped()) return ip::make_address_v4(ip::v4_mapped, v6).to_string();
  ip::address_v6::bytes_type bytes = v6.to_bytes();
  std::fill(bytes.begin() + 8, bytes.end(), static_cast<unsigned char>(0));
  return ip::address_v6(bytes).to_string() + "/64";
}

}  // namespace medidesk::admin
