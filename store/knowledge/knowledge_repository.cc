#include "store/knowledge/knowledge_repository.h"

#include <fmt/format.h>

#include <fstream>
#include <sstream>
#include <utility>

#include "base/log.h"
#include "base/uuid.h"
#include "store/db_connection.h"
#include "store/knowledge/hospital_file.h"

namespace medidesk::store {
namespace {

// Names of the pool's jobs; their statements are in knowledge_tables.cc.
constexpr Query kGet = {"knowledge_get", ""};
constexpr Query kRevision = {"knowledge_revision", ""};
constexpr Query kApply = {"knowledge_change", ""};
constexpr Query kHistory = {"knowledge_history", ""};

using FactsPointer = std::shared_ptr<const Facts>;

}  // namespace

void KnowledgeRepository::Remember(const FactsPointer& facts) {
  const std::lock_guard lock(mutex_);
  looked_ = DbPool::Clock::now();
  revision_ = facts->revision();
  facts_ = facts;
}

FactsPointer KnowledgeRepository::Cached() {
  const std::lock_guard lock(mutex_);
  return facts_;
}

asio::awaitable<absl::StatusOr<FactsPointer>> KnowledgeRepository::Get(Deadline deadline) {
  const FactsPointer cached = Cached();
  const std::function<FactsPointer(DbConnection&)> work = [&](DbConnection& connection) -> FactsPointer {
    if (cached != nullptr && LoadFactsRevision(connection) == cached->revision()) return cached;
    return std::make_shared<const Facts>(LoadFacts(connection));
  };
  MD_ASSIGN_OR_CO_RETURN(FactsPointer facts, co_await pool_.Run(kGet, deadline, work));
  Remember(facts);
  co_return facts;
}

asio::awaitable<absl::StatusOr<std::int64_t>> KnowledgeRepository::Revision(std::chrono::milliseconds age,
                                                                            Deadline deadline) {
  {
    const std::lock_guard lock(mutex_);
    if (revision_ >= 0 && DbPool::Clock::now() - looked_ < age) co_return revision_;
  }
  const std::function<std::int64_t(DbConnection&)> work = LoadFactsRevision;
  MD_ASSIGN_OR_CO_RETURN(const std::int64_t revision, co_await pool_.Run(kRevision, deadline, work));
  const std::lock_guard lock(mutex_);
  revision_ = revision;
  looked_ = DbPool::Clock::now();
  co_return revision;
}

asio::awaitable<absl::StatusOr<KnowledgeRepository::Outcome>> KnowledgeRepository::Apply(Change change,
                                                                                         Deadline deadline) {
  FactsChange facts_change;
  facts_change.edit = std::move(change.edit);
  facts_change.actor = std::move(change.actor);
  facts_change.expected_revision = change.expected_revision;
  facts_change.dry_run = change.dry_run;
  facts_change.commit_id = NewUuid();
  FactsOutcome outcome;
  const std::function<bool(DbConnection&)> work = [&](DbConnection& connection) {
    // The pool repeats a job whose connection was lost, perhaps after its commit had happened.
    if (outcome.committing && WasCommitted(connection, facts_change.commit_id)) return true;
    ChangeFacts(connection, facts_change, &outcome);
    return true;
  };
  MD_ASSIGN_OR_CO_RETURN([[maybe_unused]] const bool done, co_await pool_.Run(kApply, deadline, work));
  if (!outcome.status.ok()) co_return outcome.status;
  Outcome told;
  told.facts = std::make_shared<const Facts>(std::move(outcome.facts));
  told.changes = std::move(outcome.changes);
  if (outcome.committing) Remember(told.facts);
  co_return told;
}

asio::awaitable<absl::StatusOr<std::vector<v1::KnowledgeChange>>> KnowledgeRepository::History(ChangesFilter filter,
                                                                                               Deadline deadline) {
  const std::function<std::vector<v1::KnowledgeChange>(DbConnection&)> work = [&](DbConnection& connection) {
    return ListChanges(connection, filter);
  };
  co_return co_await pool_.Run(kHistory, deadline, work);
}

absl::StatusOr<Facts> ReadHospitalFile(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) {
    return Error(absl::StatusCode::kNotFound, fmt::format("{}: cannot be opened; check the path and its rights", path));
  }
  std::string content(kMaxFileBytes + 1, '\0');  // one more byte tells a file that is too long
  file.read(content.data(), static_cast<std::streamsize>(content.size()));
  content.resize(static_cast<std::size_t>(file.gcount()));
  return ParseHospitalFile(content, path);
}

absl::Status ImportFirstHospitalFile(const Phi<std::string>& url, const std::string& role, const std::string& path) {
  MD_ASSIGN_OR_RETURN(const Facts facts, ReadHospitalFile(path));
  FactsChange change;
  bool first = false;
  change.edit = [&](Facts* stored) {
    first = stored->revision() == 0 && !stored->has_hospital();
    if (first) *stored = facts;
    return absl::OkStatus();
  };
  change.actor.set_kind(v1::ACTOR_KIND_SERVICE);
  change.actor.set_id("store");
  change.commit_id = NewUuid();
  FactsOutcome outcome;
  try {
    const auto connection = OpenConnection(url, role, std::chrono::seconds(30));
    // A look without the writers' lock: a start with facts, the usual one, ends here.
    if (LoadFactsRevision(*connection) != 0) return absl::OkStatus();
    ChangeFacts(*connection, change, &outcome);
  } catch (...) {
    std::string sqlstate;
    ClassifyCurrentException(&sqlstate);
    return Error(absl::StatusCode::kUnavailable,
                 fmt::format("the hospital file could not be stored (SQLSTATE {}); trying again",
                             sqlstate.empty() ? "none" : sqlstate));
  }
  if (outcome.status.ok() && first) {
    log::Info("hospital_file_imported",
              {{"faqs", outcome.facts.faqs_size()}, {"doctors", outcome.facts.doctors_size()}});
  }
  return outcome.status;
}

}  // namespace medidesk::store
