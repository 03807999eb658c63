// Opens connections as the store wants them, and turns libpqxx's exceptions into Status.
#pragma once

#include <chrono>
#include <exception>
#include <memory>
#include <string>

#include "base/phi.h"
#include "base/status.h"
#include "store/database.h"

namespace medidesk::store {

// Connects within 5 s, sets timeouts and, unless `role` is empty or may not be assumed, the role.
// Throws what libpqxx throws.
std::unique_ptr<pqxx::connection> OpenConnection(const Phi<std::string>& url, const std::string& role,
                                                 std::chrono::milliseconds statement_timeout);

enum class DbFailure { kLost, kConflict, kTimeout, kNotReady, kOther };

// Call inside a catch block: what the current exception means. `sqlstate` gets the code, or "".
DbFailure ClassifyCurrentException(std::string* sqlstate);

}  // namespace medidesk::store
