// The one place that names libpqxx's connection type: 6 and 7 call it differently.
#pragma once

#include <pqxx/pqxx>

namespace medidesk::store {

#if PQXX_VERSION_MAJOR >= 7
using DbConnection = pqxx::connection;
#else
using DbConnection = pqxx::connection_base;
#endif

// A statement: `name` labels its latency histogram and names the prepared statement. Both literals.
struct Query {
  const char* name;
  const char* sql;
};

// Runs a statement in autocommit: one round trip. The connection prepares it at its first use. Throws
// what libpqxx throws.
template <class... Arguments>
pqxx::result ExecutePrepared(DbConnection& connection, const Query& query, const Arguments&... arguments) {
  connection.prepare(query.name, query.sql);  // no round trip; the same again is ignored
  pqxx::nontransaction session(connection);
  return session.exec_prepared(query.name, arguments...);
}

}  // namespace medidesk::store
