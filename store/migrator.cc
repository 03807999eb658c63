#include "store/migrator.h"

#include <fmt/format.h>
#include <openssl/sha.h>

#include <algorithm>
#include <map>
#include <string>

#include "base/log.h"
#include "store/db_connection.h"

namespace medidesk::store {
namespace {

constexpr int kLock = 727001;

std::string Sha256Hex(std::string_view text) {
  unsigned char digest[SHA256_DIGEST_LENGTH];
  SHA256(reinterpret_cast<const unsigned char*>(text.data()), text.size(), digest);
  std::string hex;
  for (const unsigned char byte : digest) hex += fmt::format("{:02x}", byte);
  return hex;
}

void CreateTable(pqxx::connection& connection) {
  pqxx::work tx(connection);
  tx.exec(fmt::format("select pg_advisory_xact_lock({})", kLock));
  tx.exec("create schema if not exists medidesk");
  tx.exec(
      "create table if not exists medidesk.migrations "
      "(name text primary key, sha256 text not null, applied_at timestamptz not null default now())");
  tx.commit();
}

// True when every migration is there unchanged: then a login that may only read the list is enough.
bool AllApplied(pqxx::connection& connection, std::span<const Migration> migrations) {
  try {
    pqxx::nontransaction session(connection);
    if (session.exec1("select to_regclass('medidesk.migrations') is null")[0].as<bool>()) return false;
    std::map<std::string, std::string> known;
    for (const pqxx::row& row : session.exec("select name, sha256 from medidesk.migrations")) {
      known.emplace(row[0].as<std::string>(), row[1].as<std::string>());
    }
    return std::all_of(migrations.begin(), migrations.end(), [&](const Migration& migration) {
      const auto found = known.find(std::string(migration.name));
      return found != known.end() && found->second == Sha256Hex(migration.sql);
    });
  } catch (const pqxx::sql_error&) {
    return false;  // not even that: what follows says so
  }
}

// True when this call applied it.
absl::StatusOr<bool> Apply(pqxx::connection& connection, const Migration& migration) {
  const std::string name(migration.name), hash = Sha256Hex(migration.sql);
  pqxx::work tx(connection);
  tx.exec(fmt::format("select pg_advisory_xact_lock({})", kLock));
  const pqxx::result known = tx.exec("select sha256 from medidesk.migrations where name = " + tx.quote(name));
  if (!known.empty()) {
    if (known[0][0].as<std::string>() == hash) return false;
    return Error(
        absl::StatusCode::kFailedPrecondition,
        fmt::format("migration {} was changed after it had been applied; start the release that applied it", name));
  }
  tx.exec(std::string(migration.sql));
  tx.exec(
      fmt::format("insert into medidesk.migrations (name, sha256) values ({}, {})", tx.quote(name), tx.quote(hash)));
  tx.commit();
  return true;
}

}  // namespace

absl::Status Migrate(const Phi<std::string>& url, std::span<const Migration> migrations) {
  std::string current = "medidesk.migrations", sqlstate;
  try {
    // No role: what a migration creates belongs to the login.
    const auto connection = OpenConnection(url, "", std::chrono::milliseconds(0));
    if (AllApplied(*connection, migrations)) return absl::OkStatus();
    CreateTable(*connection);
    for (const Migration& migration : migrations) {
      current = migration.name;
      MD_ASSIGN_OR_RETURN(const bool applied, Apply(*connection, migration));
      if (applied) log::Info("migration_applied", {{"name", log::Public(migration.name)}});
    }
    return absl::OkStatus();
  } catch (...) {
    const DbFailure failure = ClassifyCurrentException(&sqlstate);
    if (failure == DbFailure::kLost) {
      return Error(absl::StatusCode::kUnavailable, "the database cannot be reached for migrations; trying again");
    }
    return Error(
        absl::StatusCode::kFailedPrecondition,
        fmt::format("migration {} failed with SQLSTATE {}; check the rights of the login in MIGRATE_DATABASE_URL",
                    current, sqlstate.empty() ? "unknown" : sqlstate));
  }
}

}  // namespace medidesk::store
