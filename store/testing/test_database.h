// A database of its own for one test, in the cluster that TEST_DATABASE_URL names
// (`tests/with-postgres` starts one and removes it whole: nothing is dropped here). Without the
// variable a test fails and says so.
#pragma once

#include <gtest/gtest.h>

#include <atomic>
#include <cstdlib>
#include <memory>
#include <string>

#include "base/phi.h"
#include "base/uuid.h"
#include "store/db_connection.h"
#include "store/migrator.h"

namespace medidesk::store::testing {

class TestDatabase {
 public:
  // Migrated unless told otherwise.
  explicit TestDatabase(bool migrate = true) {
    const char* cluster = std::getenv("TEST_DATABASE_URL");
    if (cluster == nullptr || *cluster == '\0') {
      ADD_FAILURE() << "TEST_DATABASE_URL is not set: run the test through tests/with-postgres";
      std::abort();
    }
    cluster_ = cluster;
    std::string suffix = NewUuid().substr(24);
    name_ = "test_" + suffix;
    Admin("create database " + name_ + (migrate ? " template " + Migrated() : ""));
    url_ = WithName(name_);
  }
  TestDatabase(const TestDatabase&) = delete;
  TestDatabase& operator=(const TestDatabase&) = delete;

  const std::string& url() const { return url_; }
  const std::string& name() const { return name_; }

  // Runs statements as the superuser and gives the last result.
  pqxx::result Sql(const std::string& sql) {
    pqxx::connection connection(url_);
    pqxx::nontransaction session(connection);
    return session.exec(sql);
  }
  template <class T = std::string>
  T Value(const std::string& sql) {
    const pqxx::result rows = Sql(sql);
    return rows.empty() || rows[0][0].is_null() ? T() : rows[0][0].template as<T>();
  }
  // In the cluster's own database.
  pqxx::result Admin(const std::string& sql) const {
    pqxx::connection connection(cluster_);
    pqxx::nontransaction session(connection);
    return session.exec(sql);
  }

 private:
  // A database to copy: the migrations run once in a test program, which takes most of a test's time.
  const std::string& Migrated() const {
    static const std::string name = [this] {
      std::string made = "migrated_" + NewUuid().substr(24);
      Admin("create database " + made);
      const absl::Status status = Migrate(Phi(WithName(made)), EmbeddedMigrations());
      EXPECT_TRUE(status.ok()) << Text(status);
      return made;
    }();
    return name;
  }
  // The cluster's URL with another database name.
  std::string WithName(const std::string& name) const {
    const std::size_t query = cluster_.find('?');
    const std::string path = cluster_.substr(0, query);
    const std::string rest = query == std::string::npos ? "" : cluster_.substr(query);
    const std::size_t authority = path.find("://") + 3;
    const std::size_t slash = path.find('/', authority);
    return (slash == std::string::npos ? path : path.substr(0, slash)) + "/" + name + rest;
  }

  std::string cluster_, name_, url_;
};

}  // namespace medidesk::store::testing
