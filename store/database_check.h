// Looks at the database as the store would use it, changes nothing, and says what to do: the store's side
// of `./medidesk doctor`.
//
// Checked: reachable with this login; server version and encoding; fsync, synchronous_commit and
// full_page_writes; schema at this program's version; the role medidesk_service; the hospital's facts; the
// database's clock against ours.
#pragma once

#include <string>
#include <vector>

#include "base/finding.h"
#include "base/phi.h"

namespace medidesk::store {

// Blocks, at most about 5 s for the connection and 5 s a statement. `migrate_url` may be empty; it is used for
// what the service's own login may not read. A check that fails says so and does not stop the others.
std::vector<Finding> CheckDatabase(const Phi<std::string>& url, const Phi<std::string>& migrate_url);

}  // namespace medidesk::store
