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

}  // namespace medidesk::store
