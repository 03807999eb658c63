#include "store/build.h"

#include <fmt/format.h>

#include <string_view>

#include "base/phi.h"

namespace medidesk::store {

void StoreConfig::Register(FlagSet& flags) {
  flags.Add("database_url", &database_url, "PostgreSQL, as a URL or a libpq connection string");
  flags.Add("migrate_database_url", &migrate_database_url, "a login that may create tables; empty: as --database_url");
  flags.Add("pool_size", &pool_size, "database connections", {.min = 1, .max = 200});
  flags.Add("pool_queue", &pool_queue, "calls that may wait for a connection; more are refused",
            {.min = 1, .max = 100'000});
  flags.Add("store_max_in_flight", &store_max_in_flight, "calls the store runs at once; more are refused",
            {.min = 1, .max = 100'000});
  flags.Add("slow_query", &slow_query, "a statement above this is logged and counted");
  flags.Add("statement_timeout", &statement_timeout, "a statement above this is ended");
  flags.Add("webhook_number", &webhook_number, "name of the number that webhook callers belong to, fixed at first use");
  flags.Add("hospital_file", &hospital_file, "YAML file with the hospital's facts, imported while there are none");
  flags.Twin("hospital_file", "MEDIDESK_HOSPITAL_FILE");
  flags.Add("retention_days", &retention_days, "texts older than this many days are deleted; 0: kept",
            {.min = 0, .max = 36'500});
  flags.Add("takeover_quiet_minutes", &takeover_quiet_minutes,
            "a conversation that staff took over goes back to the assistant when nobody wrote for so long; 0: only by "
            "hand",
            {.min = 0, .max = 525'600});
}

absl::Status StoreConfig::Check() const {
  if (database_url.empty()) {
    return Error(absl::StatusCode::kInvalidArgument,
                 "--database_url: needed; for example postgresql://user@127.0.0.1:5432/medidesk");
  }
  if (slow_query.count() == 0) return Error(absl::StatusCode::kInvalidArgument, "--slow_query: must be above 0");
  if (statement_timeout.count() < 100) {
    return Error(absl::StatusCode::kInvalidArgument, "--statement_timeout: must be at least 100ms");
  }
  if (!hospital_file.empty()) {
    if (const auto facts = ReadHospitalFile(hospital_file); !facts.ok()) {
      const std::string_view text = Text(facts.status());
      return Error(absl::StatusCode::kInvalidArgument,
                   fmt::format("--hospital_file: {}", text.substr(0, text.find('\n'))));
    }
  }
  return absl::OkStatus();
}

Store::Store(const StoreConfig& config, rpc::Dispatcher::Executor executor, prometheus::Registry& registry)
    : metrics_(registry),
      dispatcher_(executor, registry, {.service = "store", .max_in_flight = config.store_max_in_flight}),
      pool_({.url = Phi(config.database_url),
             .connections = config.pool_size,
             .max_waiting = config.pool_queue,
             .slow_query = config.slow_query,
             .statement_timeout = config.statement_timeout,
             .start_closed = true},
            metrics_),
      access_(pool_),
      staff_(pool_),
      access_service_(dispatcher_, access_, staff_),
      tokens_([this](std::string secret) {
        return access_service_.Check(std::move(secret), DbPool::Clock::now() + std::chrono::seconds(2));
      }),
      guard_(&tokens_, {}),
      conversations_(pool_, {.webhook_number = config.webhook_number}),
      conversation_service_(dispatcher_, conversations_, {}),
      knowledge_(pool_),
      knowledge_service_(dispatcher_, knowledge_, {}),
      patient_service_(dispatcher_, pool_, {}),
      task_service_(dispatcher_, pool_, {}),
      audit_service_(dispatcher_, pool_, {}),
      desk_service_(dispatcher_, pool_),
      report_service_(dispatcher_, pool_),
      experiment_service_(dispatcher_, pool_),
      devices_(pool_, {}),
      device_batch_(pool_),
      device_service_(dispatcher_, devices_, device_batch_, {}),
      maintenance_(
          {.url = Phi(config.database_url),
           .migrate_url = Phi(config.migrate_database_url.empty() ? config.database_url : config.migrate_database_url),
           .retention_days = config.retention_days,
           .takeover_quiet_minutes = config.takeover_quiet_minutes,
           .on_schema_ready =
               [this, url = Phi(config.database_url), file = config.hospital_file] {
                 if (!file.empty()) MD_RETURN_IF_ERROR(ImportFirstHospitalFile(url, "medidesk_service", file));
                 pool_.Open();
                 return absl::OkStatus();
               }},
          metrics_) {
  dispatcher_.SetGuard(&guard_);
}

Store::~Store() = default;

std::vector<grpc::Service*> Store::services() {
  return {&access_service_, &conversation_service_, &knowledge_service_, &device_service_, &patient_service_,
          &task_service_,   &audit_service_,        &report_service_,    &desk_service_,   &experiment_service_};
}

}  // namespace medidesk::store
