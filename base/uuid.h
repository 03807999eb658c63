// UUID strings, the only form of id that leaves a process (RFC 9562).
#pragma once

#include <string>
#include <string_view>

namespace medidesk {

// A version 7 UUID: 48 bits of milliseconds, then random bits. New rows land side by side in an
// index. Thread-safe.
std::string NewUuid();

// True for 8-4-4-4-12 lower- or upper-case hex digits.
bool IsUuid(std::string_view text);

}  // namespace medidesk
