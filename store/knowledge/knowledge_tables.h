// The facts in PostgreSQL (0002_knowledge.sql), read as one snapshot and changed in one transaction.
//
// Blocking, for a thread that owns `connection`, which must be in autocommit. These functions throw what
// libpqxx throws; DbPool turns that into Status.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "base/status.h"
#include "store/database.h"
#include "store/knowledge/facts.h"
#include "store/knowledge/row_change.h"

namespace medidesk::store {

struct FactsChange {
  // What makes the new facts from the stored ones; may replace `facts` as a whole. An error leaves the
  // database as it is and is the outcome.
  std::function<absl::Status(Facts* facts)> edit;
  v1::Actor actor;                     // kind and id are recorded; default: not recorded
  std::int64_t expected_revision = 0;  // 0: any; else ABORTED when the facts have another
  bool dry_run = false;
  std::string commit_id;  // UUID of the call
};

struct FactsOutcome {
  absl::Status status;             // the edit's, or which rule the new facts break
  Facts facts;                     // as they are stored now; with dry_run as they would be
  std::vector<RowChange> changes;  // in order of kind and key; empty: nothing was to do
  bool committing = false;         // a commit was begun, so its outcome may be unknown
};

Facts LoadFacts(DbConnection& connection);
std::int64_t LoadFactsRevision(DbConnection& connection);

// Locks out other writers, then edits, checks, and writes the rows that differ with their history under the
// next revision. `outcome` is filled before the commit, so that it is known when the commit's answer is lost.
void ChangeFacts(DbConnection& connection, const FactsChange& change, FactsOutcome* outcome);
// True when a change of this commit_id is in the history.
bool WasCommitted(DbConnection& connection, const std::string& commit_id);

struct ChangesFilter {
  std::int64_t before_id = 0;  // 0: from the newest
  v1::KnowledgeKind kind = v1::KNOWLEDGE_KIND_UNSPECIFIED;
  std::string key;
  int limit = 50;
};
// Newest first.
std::vector<v1::KnowledgeChange> ListChanges(DbConnection& connection, const ChangesFilter& filter);

}  // namespace medidesk::store
