// A database shaped as a hosted Supabase project, not yet migrated: the three API roles, schema auth with
// auth.uid(), the publication, default privileges that hand every new table to all three (as projects made
// before 2026 have them), and a login `test_project` that owns it and is no superuser.
#pragma once

#include <string>

#include "store/testing/logins.h"
#include "store/testing/test_database.h"

namespace medidesk::store::testing {

// The original's three tables, as its owner made them.
inline constexpr const char* kOriginalTables = R"(
  create table public.conversations (id uuid primary key default gen_random_uuid(), phone text not null,
    patient_name text, status text default 'active', assigned_to uuid,
    created_at timestamptz default now(), updated_at timestamptz default now());
  create table public.messages (id uuid primary key default gen_random_uuid(),
    conversation_id uuid references public.conversations (id), sender text, content text, direction text,
    whatsapp_message_id text, created_at timestamptz default now());
  create table public.patients (id uuid primary key default gen_random_uuid(), name text, phone text unique,
    email text, created_at timestamptz default now());)";

class SupabaseDatabase {
 public:
  SupabaseDatabase() {
    for (const char* role : {"anon", "authenticated"}) MakeRole(database_, role, "nologin noinherit");
    MakeRole(database_, "service_role", "nologin noinherit bypassrls");
    MakeRole(database_, kProject, "login password 'test_project' nosuperuser createrole bypassrls");
    database_.Admin("alter database " + database_.name() + " owner to test_project");
    database_.Sql(R"(
      create schema auth;
      create function auth.uid() returns uuid language sql stable
        as $$ select nullif(current_setting('request.jwt.claim.sub', true), '')::uuid $$;
      grant usage on schema auth to anon, authenticated, service_role, test_project;
      grant usage on schema public to anon, authenticated, service_role;
      create publication supabase_realtime;
      alter publication supabase_realtime owner to test_project;
      alter default privileges for role test_project in schema public
        grant all on tables to anon, authenticated, service_role;
      alter default privileges for role test_project in schema public
        grant all on functions to anon, authenticated, service_role;
      alter default privileges for role test_project in schema public
        grant all on sequences to anon, authenticated, service_role)");
  }

  TestDatabase& database() { return database_; }
  std::string ProjectUrl() const { return UrlOf(database_, kProject); }

  // Runs statements as the project's login.
  void AsProject(const std::string& sql) {
    pqxx::connection connection(ProjectUrl());
    pqxx::work tx(connection);
    tx.exec(sql);
    tx.commit();
  }

  // The first value of a statement that an API role makes, or how many rows it touched; the SQLSTATE when
  // it is refused.
  std::string As(const std::string& role, const std::string& claims, const std::string& sql) {
    pqxx::connection connection(database_.url());
    pqxx::work tx(connection);
    try {
      tx.exec("set local role " + role);
      tx.exec("select set_config('request.jwt.claims', " + tx.quote(claims) + ", true)");
      const pqxx::result rows = tx.exec(sql);
      const std::string value =
          rows.columns() == 0 ? std::to_string(rows.affected_rows()) : (rows.empty() ? "" : rows[0][0].c_str());
      tx.commit();
      return value;
    } catch (const pqxx::insufficient_privilege&) {
      return kRefused;  // libpqxx 6 leaves its SQLSTATE out
    } catch (const pqxx::sql_error& error) {
      return error.sqlstate();
    }
  }

  static constexpr const char* kRefused = "42501";  // insufficient privilege

 private:
  static constexpr const char* kProject = "test_project";
  TestDatabase database_{/*migrate=*/false};
};

}  // namespace medidesk::store::testing
