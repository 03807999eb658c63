// Passwords of staff: what may be one, and what is kept of it.
//
//   "scrypt$15$8$1$<salt>$<hash>"     log2 N, r, p; salt (16 bytes) and hash (32 bytes) in lower-case hex
//
// Pure functions but for the salt's randomness. Hashing and comparing take about 80 ms and 32 MiB: not on an event
// loop.
#pragma once

#include <string>
#include <string_view>

#include "base/status.h"

namespace medidesk::store {

// INVALID_ARGUMENT `WEAK_PASSWORD` for fewer than 12 characters, more than 256, a common password, a run of one or two
// characters or of neighbours ("abcdefghijkl"), or one made of the account's own mail address or name.
absl::Status CheckPassword(std::string_view password, std::string_view email, std::string_view name);

std::string HashPassword(std::string_view password);

// False also for a stored text of another form. In constant time for one form.
bool PasswordMatches(std::string_view stored, std::string_view password);

// A hash that no password has: comparing with it costs what comparing with a real one costs.
std::string_view NobodysPasswordHash();

}  // namespace medidesk::store
