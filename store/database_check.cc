#include "store/database_check.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <memory>
#include <set>
#include <string_view>

#include "store/db_connection.h"
#include "store/migrator.h"

namespace medidesk::store {
namespace {

constexpr std::chrono::milliseconds kStatementTimeout{5000};
constexpr int kOldestServer = 150000;  // as server_version_num
constexpr double kClockWarning = 2;    // seconds
constexpr double kClockError = 60;     // seconds
constexpr char kRole[] = "medidesk_service";

class Findings {
 public:
  void Ok(std::string check, std::string what) { Add(FindingLevel::kOk, std::move(check), std::move(what), ""); }
  void Add(FindingLevel level, std::string check, std::string what, std::string cure) {
    list_.push_back({level, std::move(check), std::move(what), std::move(cure)});
  }
  std::vector<Finding> Take() { return std::move(list_); }

 private:
  std::vector<Finding> list_;
};

// libpq gives no SQLSTATE for a connection that was not made: its words are told apart, never passed on.
Finding Unreachable(std::string_view text) {
  static constexpr struct {
    std::string_view part, what, cure;
  } kKnown[] = {
      {"password authentication failed", "the database refuses the password",
       "correct user and password in DATABASE_URL"},
      {"no password supplied", "the database wants a password", "put the password into DATABASE_URL"},
      {"no pg_hba.conf entry", "the server does not let this login in from here",
       "allow it in pg_hba.conf, or add sslmode=require to DATABASE_URL where the server wants TLS"},
      {"could not translate host name", "the database's host name is unknown",
       "correct the host in DATABASE_URL, or the name server"},
      {"Connection refused", "nothing listens at the database's address",
       "start PostgreSQL, or correct host and port in DATABASE_URL"},
      {"No such file or directory", "the database's socket is not there",
       "start PostgreSQL, or correct the host in DATABASE_URL"},
      {"timeout expired", "the database did not answer in 5 s",
       "correct the host in DATABASE_URL, or open the firewall to it"},
      {"too many", "the database has no connection left",
       "raise max_connections in PostgreSQL, or lower POOL_SIZE of the stores"},
      {"SSL", "the database's TLS does not work out", "correct sslmode and sslrootcert in DATABASE_URL"},
      {"certificate", "the database's certificate is not accepted", "correct sslrootcert in DATABASE_URL"},
      {"starting up", "the database is starting up", "wait, then try again"},
      {"does not exist", "the database or the login does not exist",
       "create it with createdb and createuser, or correct DATABASE_URL"},
  };
  for (const auto& known : kKnown) {
    if (text.find(known.part) != std::string_view::npos) {
      return {FindingLevel::kError, "database", std::string(known.what), std::string(known.cure)};
    }
  }
  return {FindingLevel::kError, "database", "the database cannot be reached",
          "check DATABASE_URL: psql with the same URL says more"};
}

void CheckServer(DbConnection& connection, Findings& findings) {
  pqxx::nontransaction session(connection);
  const pqxx::row row = session.exec1(
      "select current_setting('server_version_num')::int, split_part(current_setting('server_version'), ' ', 1),"
      " current_setting('server_encoding'), current_setting('fsync'), current_setting('synchronous_commit'),"
      " current_setting('full_page_writes'), pg_is_in_recovery() or current_setting('default_transaction_read_only') "
      "= 'on'");
  const auto text = [&](int column) { return std::string(row[column].c_str()); };
  bool well = true;
  const auto add = [&](FindingLevel level, std::string what, std::string cure) {
    well = false;
    findings.Add(level, "database", std::move(what), std::move(cure));
  };
  if (row[0].as<int>() < kOldestServer) {
    add(FindingLevel::kError, "PostgreSQL " + text(1) + " is older than 15", "update the server to PostgreSQL 15");
  }
  if (text(2) != "UTF8") {
    add(FindingLevel::kError, "the database's encoding is not UTF8", "make it anew with createdb --encoding=UTF8");
  }
  if (text(3) != "on") {
    add(FindingLevel::kError, "fsync is off: a power cut destroys the database",
        "set fsync = on in postgresql.conf and reload PostgreSQL");
  }
  if (text(4) == "off") {
    add(FindingLevel::kError, "synchronous_commit is off: a crash loses accepted messages",
        "set synchronous_commit = on in postgresql.conf, the database and the login's role");
  }
  if (text(5) != "on") {
    add(FindingLevel::kError, "full_page_writes is off: a crash can destroy pages",
        "set full_page_writes = on in postgresql.conf and reload PostgreSQL");
  }
  if (row[6].as<bool>()) {
    add(FindingLevel::kError, "the database is read-only", "let DATABASE_URL point to the primary server");
  }
  if (well) findings.Ok("database", "PostgreSQL " + text(1) + ", every commit is on disk");
}

void CheckSchema(DbConnection& connection, Findings& findings) {
  pqxx::nontransaction session(connection);
  if (session.exec1("select to_regclass('medidesk.migrations') is null")[0].as<bool>()) {
    findings.Add(FindingLevel::kError, "schema", "the database holds no schema of MediDesk",
                 "start MediDesk once (./medidesk up): the store makes it, by MIGRATE_DATABASE_URL where that is set");
    return;
  }
  std::set<std::string> missing, foreign;
  for (const Migration& migration : EmbeddedMigrations()) missing.emplace(migration.name);
  for (const pqxx::row& row : session.exec("select name from medidesk.migrations")) {
    const auto name = row[0].as<std::string>();
    if (missing.erase(name) == 0) foreign.insert(name);
  }
  const std::string_view latest = EmbeddedMigrations().back().name;
  if (!missing.empty()) {
    findings.Add(FindingLevel::kError, "schema",
                 fmt::format("the schema is older than this program: {} is missing", *missing.begin()),
                 "start this release once: the store brings the schema up, by MIGRATE_DATABASE_URL where that is set");
  } else if (!foreign.empty()) {
    findings.Add(FindingLevel::kWarning, "schema", "a later release has changed the schema",
                 "update this installation to the release that the others run");
  } else {
    findings.Ok("schema", fmt::format("at {}", latest));
  }
}

void CheckRole(DbConnection& connection, Findings& findings) {
  pqxx::nontransaction session(connection);
  const pqxx::row row = session.exec1(
      "select coalesce((select pg_has_role(current_user, oid, 'member') from pg_roles where rolname = "
      "'medidesk_service'), false),"
      " coalesce((select pg_has_role(current_user, relowner, 'usage') from pg_class where oid = "
      "to_regclass('public.conversations')), false), to_regclass('public.conversations') is null");
  if (row[0].as<bool>()) {
    findings.Ok("role", "the store works as medidesk_service");
  } else if (row[2].as<bool>()) {
    findings.Add(FindingLevel::kSkipped, "role", "no schema yet, which makes the role medidesk_service", "");
  } else if (row[1].as<bool>()) {
    findings.Add(FindingLevel::kWarning, "role",
                 "medidesk_service cannot be assumed: the store works as the tables' owner, whom row security does "
                 "not bind",
                 "as an administrator: create role medidesk_service nologin noinherit; grant it to the login of "
                 "DATABASE_URL; restart");
  } else {
    findings.Add(FindingLevel::kError, "role",
                 "the login is neither the tables' owner nor a member of medidesk_service",
                 "as an administrator: grant medidesk_service to the login of DATABASE_URL");
  }
}

void CheckHospital(DbConnection& connection, Findings& findings) {
  pqxx::nontransaction session(connection);
  if (session.exec1("select to_regclass('public.hospital_settings') is null")[0].as<bool>()) {
    findings.Add(FindingLevel::kSkipped, "hospital", "no schema, no facts", "");
    return;
  }
  const pqxx::result rows = session.exec(
      "select exists (select from pg_timezone_names where name = timezone), emergency_number <> '' "
      "from public.hospital_settings limit 1");
  if (rows.empty()) {
    findings.Add(FindingLevel::kWarning, "hospital", "the database holds no facts: questions cannot be answered",
                 "./medidesk import FILE, with examples/hospital.yaml as the pattern");
    return;
  }
  bool well = true;
  if (!rows[0][0].as<bool>()) {
    well = false;
    findings.Add(FindingLevel::kError, "hospital", "the hospital's timezone is unknown to the database",
                 "correct timezone in the hospital's file and ./medidesk import it");
  }
  if (!rows[0][1].as<bool>()) {
    well = false;
    findings.Add(FindingLevel::kWarning, "hospital", "the facts name no emergency number",
                 "set emergency_number in the hospital's file and ./medidesk import it");
  }
  if (well) findings.Ok("hospital", "facts are there, with timezone and emergency number");
}

void CheckClock(DbConnection& connection, Findings& findings) {
  const auto seconds = [] {
    return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
  };
  pqxx::nontransaction session(connection);
  const double before = seconds();
  const double theirs = session.exec1("select extract(epoch from clock_timestamp())::float8")[0].as<double>();
  const double after = seconds();
  // What the round trip leaves open is no difference.
  const double apart = theirs < before ? before - theirs : std::max(0.0, theirs - after);
  if (apart < kClockWarning) {
    findings.Ok("clock", "the database's clock agrees with ours");
    return;
  }
  findings.Add(apart < kClockError ? FindingLevel::kWarning : FindingLevel::kError, "clock",
               fmt::format("the database's clock and ours are {:.0f} s apart", apart),
               "let both machines follow a time server (systemd-timesyncd, chrony)");
}

}  // namespace

std::vector<Finding> CheckDatabase(const Phi<std::string>& url, const Phi<std::string>& migrate_url) {
  Findings findings;
  std::unique_ptr<pqxx::connection> connection, owner;
  const auto open = [&](const Phi<std::string>& where, std::unique_ptr<pqxx::connection>& out) {
    try {
      out = OpenConnection(where, "", kStatementTimeout);
    } catch (const std::exception& error) {
      Finding finding = Unreachable(error.what());
      if (&where == &migrate_url) {
        const std::size_t name = finding.cure.find("DATABASE_URL");
        if (name != std::string::npos) finding.cure.insert(name, "MIGRATE_");
      }
      findings.Add(finding.level, finding.check, finding.what, finding.cure);
    }
  };
  open(url, connection);
  if (connection == nullptr) return findings.Take();
  if (!migrate_url.Expose().empty()) open(migrate_url, owner);

  const auto run = [&](const char* name, void (*check)(DbConnection&, Findings&), pqxx::connection& by) {
    try {
      check(by, findings);
    } catch (...) {
      std::string sqlstate;
      ClassifyCurrentException(&sqlstate);
      findings.Add(FindingLevel::kSkipped, name,
                   fmt::format("could not be checked: SQLSTATE {}", sqlstate.empty() ? "unknown" : sqlstate),
                   "set MIGRATE_DATABASE_URL to the tables' owner");
    }
  };
  pqxx::connection& reader = owner ? *owner : *connection;
  run("database", CheckServer, *connection);
  run("schema", CheckSchema, reader);
  run("role", CheckRole, *connection);
  run("hospital", CheckHospital, reader);
  run("clock", CheckClock, *connection);
  return findings.Take();
}

}  // namespace medidesk::store
