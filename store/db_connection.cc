#include "store/db_connection.h"

#include <fmt/format.h>

#include <string_view>
#include <typeinfo>

#include "base/log.h"

namespace medidesk::store {
namespace {

// Adds libpq parameters to a URL or a keyword string, where they are not given already.
std::string WithDefaults(const std::string& url) {
  static constexpr const char* kDefaults[][2] = {{"connect_timeout", "5"},  {"application_name", "medidesk-store"},
                                                 {"keepalives_idle", "20"}, {"keepalives_interval", "5"},
                                                 {"keepalives_count", "3"}, {"tcp_user_timeout", "15000"}};
  const bool is_url = url.rfind("postgres://", 0) == 0 || url.rfind("postgresql://", 0) == 0;
  std::string result = url;
  for (const auto& [name, value] : kDefaults) {
    if (url.find(std::string(name) + "=") != std::string::npos) continue;
    if (is_url) {
      result += result.find('?') == std::string::npos ? '?' : '&';
    } else if (!result.empty()) {
      result += ' ';
    }
    result += fmt::format("{}={}", name, value);
  }
  return result;
}

}  // namespace

std::unique_ptr<pqxx::connection> OpenConnection(const Phi<std::string>& url, const std::string& role,
                                                 std::chrono::milliseconds statement_timeout) {
  auto connection = std::make_unique<pqxx::connection>(WithDefaults(url.Expose()));
  pqxx::nontransaction session(*connection);
  // Every statement of ours has an index that serves it; a plan made while a table was empty must
  // not stay a sequential scan for the life of the connection.
  session.exec(
      fmt::format("set statement_timeout = {}; set idle_in_transaction_session_timeout = 15000;"
                  "set client_encoding = 'UTF8'; set timezone = 'UTC'; set jit = off;"
                  "set enable_seqscan = off; set plan_cache_mode = force_generic_plan;"
                  "set client_min_messages = warning",
                  statement_timeout.count()));
  if (!role.empty()) {
    const pqxx::result may =
        session.exec(fmt::format("select 1 from pg_roles where rolname = '{0}' and pg_has_role(current_user, oid, "
                                 "'member') and rolname <> current_user",
                                 role));
    if (!may.empty()) session.exec("set role " + role);
  }
  return connection;
}

// libpqxx 6 gives some of its typed errors no SQLSTATE, and keeps rollbacks apart from SQL errors: types come
// first, codes second.
DbFailure ClassifyCurrentException(std::string* sqlstate) {
  sqlstate->clear();
  try {
    throw;
  } catch (const pqxx::broken_connection&) {
    return DbFailure::kLost;
  } catch (const pqxx::in_doubt_error&) {
    return DbFailure::kLost;  // the connection went away during a commit
  } catch (const pqxx::statement_completion_unknown&) {
    *sqlstate = "40003";
    return DbFailure::kLost;
  } catch (const pqxx::deadlock_detected&) {
    *sqlstate = "40P01";
    return DbFailure::kConflict;
  } catch (const pqxx::transaction_rollback&) {
    *sqlstate = "40001";
    return DbFailure::kConflict;
  } catch (const pqxx::insufficient_resources& error) {
    *sqlstate = error.sqlstate().empty() ? "53000" : error.sqlstate();
    return DbFailure::kLost;
  } catch (const pqxx::undefined_table&) {
    *sqlstate = "42P01";
    return DbFailure::kNotReady;
  } catch (const pqxx::undefined_function&) {
    *sqlstate = "42883";
    return DbFailure::kNotReady;
  } catch (const pqxx::undefined_column&) {
    *sqlstate = "42703";
    return DbFailure::kNotReady;
  } catch (const pqxx::insufficient_privilege&) {
    *sqlstate = "42501";
    return DbFailure::kOther;
  } catch (const pqxx::sql_error& error) {
    *sqlstate = error.sqlstate();
    const std::string_view code = *sqlstate;
    if (code == "40001" || code == "40P01") return DbFailure::kConflict;
    if (code == "57014") return DbFailure::kTimeout;
    // Shutting down, starting up, failing over to a read-only replica, out of connections or memory.
    if (code.substr(0, 4) == "57P0" || code == "25006" || code.substr(0, 2) == "53" || code.substr(0, 2) == "08") {
      return DbFailure::kLost;
    }
    if (code == "3F000") return DbFailure::kNotReady;  // the schema is not there yet
    // libpq's own error: the connection is gone. A typed error without a code is the statement's.
    if (code.empty() && typeid(error) == typeid(pqxx::sql_error)) return DbFailure::kLost;
    return DbFailure::kOther;
  } catch (...) {
    return DbFailure::kOther;
  }
}

}  // namespace medidesk::store
