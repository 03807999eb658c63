// Limits how often each key may come: `burst` at once, `per_second` in the long run.
//
// The token bucket is kept as one number a key, the time at which its bucket will be full again
// (the "generic cell rate algorithm"). Keys live in a fixed table of sets of eight, under a hash
// that is salted at random; memory is allocated once and never grows, and a decision takes the same
// time with one key as with a million.
//
// When a set is full, the key whose bucket is fullest gives way: it loses least by being forgotten.
// Whoever comes in its place takes over what was missing in that bucket, all but one event. So a key
// that has used up its bucket cannot have itself forgotten and come back to a full one, however many
// other keys its owner brings along; and a stranger is never refused his first event.
//
// Thread-safe. Time is an argument; it may not run backwards by more than a burst is worth.
#pragma once

#include <boost/asio/ip/address.hpp>

#include <chrono>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

namespace medidesk::admin {

class RateLimiter {
 public:
  using Time = std::chrono::steady_clock::time_point;
  struct Options {
    double per_second = 10;  // 0 or less: no limit
    int burst = 20;          // at least 1
    int max_keys = 65'536;   // 16 bytes each
  };
  struct Decision {
    bool allowed = true;
    std::chrono::milliseconds retry_after{0};  // when refused
  };

  explicit RateLimiter(const Options& options);

  // Counts one event of `key`; a refused event is not counted.
  Decision Take(std::string_view key, Time now);

  bool limits() const { return !entries_.empty(); }

 private:
  static constexpr std::size_t kWays = 8;
  static constexpr std::size_t kLocks = 64;

  struct Entry {
    std::uint64_t key = 0;     // hash; 0: free
    std::int64_t full_at = 0;  // nanoseconds of the steady clock
  };

  const std::uint64_t salt_;
  std::int64_t interval_ = 0;   // nanoseconds a token takes to come back
  std::int64_t allowance_ = 0;  // nanoseconds `full_at` may lie ahead before an event is refused
  std::uint64_t set_mask_ = 0;
  std::vector<Entry> entries_;  // sets of kWays; the set's lock guards it
  std::unique_ptr<std::mutex[]> locks_;
};

// What a connection waits after its address was refused, before it is read again: a flood on kept connections then
// costs next to nothing. Callers that heed `retry-after` (at least 1 s) never notice.
inline constexpr std::chrono::milliseconds kRefusedAddressPause{250};

// What an address counts as: an IPv4 address alone, also when mapped into IPv6; of an IPv6 address its
// first 64 bits, because one household or machine has all addresses that share them.
std::string AddressKey(const boost::asio::ip::address& address);

}  // namespace medidesk::admin
