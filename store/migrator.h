// Brings the database to the schema this program knows.
//
// The files of store/migrations are embedded in the binary. Each is applied once, in one
// transaction under an advisory lock, and recorded with its hash in medidesk.migrations; a file
// that was changed after it had been applied is refused. Several stores may start at once. Where nothing
// is left to apply, a login that may read that table will do.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "base/phi.h"
#include "base/status.h"

namespace medidesk::store {

struct Migration {
  std::string_view name;  // "0001_core"
  std::string_view sql;
};

// In order of their names.
std::span<const Migration> EmbeddedMigrations();

// Blocks. UNAVAILABLE when the database cannot be reached (try again); FAILED_PRECONDITION when a
// migration does not apply here: the text says which and what to do.
absl::Status Migrate(const Phi<std::string>& url, std::span<const Migration> migrations);

}  // namespace medidesk::store
