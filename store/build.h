// The store put together: configuration, pool, maintenance and services. Used by main.cc and by the
// all-in-one program.
#pragma once

#include <grpcpp/impl/service_type.h>
#include <prometheus/registry.h>

#include <memory>
#include <string>
#include <vector>

#include "base/flags.h"
#include "base/rpc/call_guard.h"
#include "base/rpc/dispatcher.h"
#include "base/rpc/token_check.h"
#include "store/access_repository.h"
#include "store/conversation_repository.h"
#include "store/db_pool.h"
#include "store/device_batch.h"
#include "store/device_repository.h"
#include "store/knowledge/knowledge_repository.h"
#include "store/maintenance.h"
#include "store/metrics.h"
#include "store/service/access_service.h"
#include "store/service/audit_service.h"
#include "store/service/conversation_service.h"
#include "store/service/desk_service.h"
#include "store/service/device_service.h"
#include "store/service/experiment_service.h"
#include "store/service/knowledge_service.h"
#include "store/service/patient_service.h"
#include "store/service/report_service.h"
#include "store/service/task_service.h"
#include "store/staff_accounts.h"

namespace medidesk::store {

struct StoreConfig {
  std::string database_url;
  std::string migrate_database_url;
  int pool_size = 8;
  int pool_queue = 256;
  int store_max_in_flight = 512;
  std::chrono::milliseconds slow_query{250};
  std::chrono::milliseconds statement_timeout{10'000};
  std::string webhook_number;
  std::string hospital_file;
  int retention_days = 0;
  int takeover_quiet_minutes = 0;

  void Register(FlagSet& flags);
  absl::Status Check() const;
};

// Owns everything but the event loop and the registry, which outlive it. Stop servers first.
class Store {
 public:
  Store(const StoreConfig& config, rpc::Dispatcher::Executor executor, prometheus::Registry& registry);
  ~Store();

  rpc::Dispatcher& dispatcher() { return dispatcher_; }
  std::vector<grpc::Service*> services();
  // Before the server starts: see CallGuard.
  void TrustNetwork(bool trust) { guard_.TrustNetwork(trust); }

 private:
  StoreMetrics metrics_;
  rpc::Dispatcher dispatcher_;
  DbPool pool_;
  AccessRepository access_;
  StaffAccounts staff_;
  AccessService access_service_;
  rpc::TokenCheck tokens_;
  rpc::CallGuard guard_;
  ConversationRepository conversations_;
  ConversationService conversation_service_;
  KnowledgeRepository knowledge_;
  KnowledgeService knowledge_service_;
  PatientService patient_service_;
  TaskService task_service_;
  AuditService audit_service_;
  DeskService desk_service_;
  ReportService report_service_;
  ExperimentService experiment_service_;
  DeviceRepository devices_;
  DeviceBatch device_batch_;
  DeviceService device_service_;
  Maintenance maintenance_;
};

}  // namespace medidesk::store
