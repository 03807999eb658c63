#include "cli/device_command.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <fstream>
#include <iterator>

#include "base/uuid.h"
#include "gateway/device/baileys_auth.h"
#include "gateway/device/device_restore.h"
#include "medidesk/store/v1/device.grpc.pb.h"

namespace medidesk::cli {
namespace {

using gateway::DeviceBackup;
using gateway::SealedName;
using gateway::SealingKeys;
namespace wa = gateway::wa;
using store::v1::DeviceService;

constexpr char kGatewayId[] = "medidesk-cli";

absl::StatusOr<SealingKeys> MasterKeys() {
  const char* text = std::getenv("MEDIDESK_MASTER_KEY");
  return SealingKeys::Parse(text == nullptr ? "" : text, gateway::SystemEntropy());
}

absl::Status Usage(std::string_view text) { return Error(absl::StatusCode::kInvalidArgument, text); }

// A new file of its owner's alone: an older backup is never replaced.
absl::Status WriteNew(const std::string& path, wa::ByteView bytes) {
  const int file = open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (file < 0) {
    return errno == EEXIST ? Error(absl::StatusCode::kAlreadyExists, "FILE exists already; give another name")
                           : Error(absl::StatusCode::kFailedPrecondition, "FILE cannot be made; check its folder");
  }
  bool written = true;
  for (std::size_t at = 0; written && at < bytes.size();) {
    const ssize_t size = write(file, bytes.data() + at, bytes.size() - at);
    written = size > 0;
    if (written) at += static_cast<std::size_t>(size);
  }
  written = fsync(file) == 0 && written;
  written = close(file) == 0 && written;
  if (written) return absl::OkStatus();
  unlink(path.c_str());
  return Error(absl::StatusCode::kFailedPrecondition, "FILE cannot be written; is the disk full?");
}

absl::StatusOr<wa::Bytes> ReadFile(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  if (!in) return Error(absl::StatusCode::kNotFound, "FILE cannot be read");
  wa::Bytes bytes(gateway::kMaxBackupBytes + 1);
  in.read(reinterpret_cast<char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
  bytes.resize(static_cast<std::size_t>(in.gcount()));
  return bytes;
}

absl::StatusOr<store::v1::Number> FindNumber(Context& context, const std::string& name) {
  store::v1::GetNumberRequest request;
  request.set_name(name);
  MD_ASSIGN_OR_RETURN(auto response, (context.Call<DeviceService>(context.Store(), MD_METHOD(GetNumber), request)));
  return std::move(*response.mutable_number());
}

// Made where it is not there yet.
absl::StatusOr<store::v1::Number> FindOrMakeNumber(Context& context, const std::string& name) {
  auto number = FindNumber(context, name);
  if (!absl::IsNotFound(number.status())) return number;
  store::v1::UpsertNumberRequest make;
  make.set_commit_id(NewUuid());
  make.mutable_number()->set_name(name);
  *make.mutable_actor() = Context::Operator();
  MD_ASSIGN_OR_RETURN(auto made,
                      (context.Call<DeviceService>(context.Store(), MD_METHOD(UpsertNumber), std::move(make))));
  return std::move(*made.mutable_number());
}

// What a backup holds of a number, read from the store.
absl::StatusOr<DeviceBackup> ReadBackup(Context& context, const SealingKeys& keys, const store::v1::Number& number) {
  store::v1::LoadDeviceStateRequest request;
  request.set_number_id(number.id());
  for (const auto& [kind, key] : {std::pair(store::v1::DEVICE_STATE_KIND_CREDENTIALS, wa::kSelfKey),
                                  std::pair(store::v1::DEVICE_STATE_KIND_SETTING, wa::kSettingsKey)}) {
    store::v1::DeviceRecordName* name = request.add_names();
    name->set_kind(kind);
    name->set_key(std::string(key));
  }
  MD_ASSIGN_OR_RETURN(const auto loaded,
                      (context.Call<DeviceService>(context.Store(), MD_METHOD(LoadDeviceState), request)));
  DeviceBackup backup;
  backup.number_name = number.name();
  backup.create_seconds = std::chrono::system_clock::to_time_t(std::chrono::system_clock::now());
  for (const store::v1::DeviceRecord& record : loaded.records()) {
    const SealedName name{.number_id = number.id(),
                          .record = {.kind = static_cast<wa::RecordKind>(record.kind()), .key = record.key()},
                          .revision = record.revision()};
    MD_ASSIGN_OR_RETURN(wa::Bytes plain, keys.Open(name, wa::AsBytes(record.sealed())));
    (name.record.kind == wa::RecordKind::kCredentials ? backup.credentials : backup.settings) = std::move(plain);
  }
  if (backup.credentials.empty()) {
    return Error(absl::StatusCode::kFailedPrecondition, "this number has no device keys; link it first");
  }
  return backup;
}

// The batch that makes the number what the plan says.
store::v1::CommitBatchRequest RestoreBatch(const gateway::DeviceRestore& plan, const SealingKeys& keys,
                                           const store::v1::Lease& lease) {
  store::v1::CommitBatchRequest batch;
  batch.set_number_id(lease.number().id());
  batch.set_lease_token(lease.lease_token());
  batch.set_commit_id(NewUuid());
  batch.set_first_revision(lease.revision() + 1);
  for (const wa::RecordKind kind : plan.drop) {
    auto* remove = batch.add_operations()->mutable_delete_device_state();
    remove->set_kind(static_cast<store::v1::DeviceStateKind>(kind));
    remove->set_all(true);
  }
  for (const wa::Record& record : plan.write) {
    const SealedName name{.number_id = lease.number().id(),
                          .record = record.name,
                          .revision = batch.first_revision() + batch.operations_size()};
    auto* put = batch.add_operations()->mutable_put_device_state()->mutable_record();
    put->set_kind(static_cast<store::v1::DeviceStateKind>(record.name.kind));
    put->set_key(record.name.key);
    put->set_sealed(wa::ToString(keys.Seal(name, record.value)));
  }
  auto* state = batch.add_operations()->mutable_set_number_state();
  state->set_state(store::v1::NUMBER_STATE_RECONNECTING);
  state->set_state_reason("restored");
  state->set_linked(true);
  state->set_phone(plan.phone);
  state->set_device_jid(plan.device_jid);
  state->set_platform(plan.platform);
  state->set_display_name(plan.business_name);
  return batch;
}

// Takes the number, writes what a restore keeps, and gives it up again.
absl::Status Restore(Context& context, const SealingKeys& keys, const DeviceBackup& backup,
                     const store::v1::Number& number) {
  MD_ASSIGN_OR_RETURN(const gateway::DeviceRestore plan, PlanRestore(backup, number.device_jid()));
  const Target store = context.Store();
  store::v1::HeartbeatRequest alive;
  alive.set_gateway_id(kGatewayId);
  alive.set_instance_id(NewUuid());
  alive.set_sequence(1);
  MD_RETURN_IF_ERROR(context.Call<DeviceService>(store, MD_METHOD(Heartbeat), alive).status());
  store::v1::TakeLeaseRequest take;
  take.set_gateway_id(kGatewayId);
  take.set_instance_id(alive.instance_id());
  take.set_number_id(number.id());
  const auto taken = context.Call<DeviceService>(store, MD_METHOD(TakeLease), take);
  if (rpc::Reason(taken.status()) == "LEASE_HELD") {
    return Error(absl::StatusCode::kFailedPrecondition,
                 "a gateway holds this number; stop it first, and wait until its lease has ended (15 to 105 s when it "
                 "was killed)");
  }
  if (!taken.ok()) return taken.status();

  const store::v1::CommitBatchRequest batch = RestoreBatch(plan, keys, taken->lease());
  auto committed = context.Call<DeviceService>(store, MD_METHOD(CommitBatch), batch);
  // The outcome of a call that was cut is unknown: the same commit once more.
  if (absl::IsUnavailable(committed.status()) || absl::IsDeadlineExceeded(committed.status())) {
    committed = context.Call<DeviceService>(store, MD_METHOD(CommitBatch), batch);
  }
  store::v1::ReleaseLeaseRequest release;
  release.set_number_id(number.id());
  release.set_lease_token(taken->lease().lease_token());
  const absl::Status released = context.Call<DeviceService>(store, MD_METHOD(ReleaseLease), release).status();
  if (!committed.ok()) return committed.status();
  if (!released.ok()) context.notes() << "The number is free for a gateway in at most two minutes.\n";
  return absl::OkStatus();
}

absl::StatusOr<int> Export(Context& context, Arguments& arguments) {
  MD_ASSIGN_OR_RETURN(const std::string name, arguments.Word("NAME"));
  MD_ASSIGN_OR_RETURN(const std::string path, arguments.Word("FILE"));
  MD_RETURN_IF_ERROR(arguments.Finish());
  MD_ASSIGN_OR_RETURN(const SealingKeys keys, MasterKeys());
  MD_ASSIGN_OR_RETURN(const store::v1::Number number, FindNumber(context, name));
  MD_ASSIGN_OR_RETURN(const DeviceBackup backup, ReadBackup(context, keys, number));
  MD_RETURN_IF_ERROR(WriteNew(path, SealBackup(backup, keys)));
  context.out() << "Written. Keep MEDIDESK_MASTER_KEY apart from the file: together they are the device.\n";
  return kDone;
}

absl::StatusOr<int> Import(Context& context, Arguments& arguments) {
  MD_ASSIGN_OR_RETURN(const auto as, arguments.Option("--as"));
  MD_ASSIGN_OR_RETURN(const std::string path, arguments.Word("FILE"));
  MD_RETURN_IF_ERROR(arguments.Finish());
  MD_ASSIGN_OR_RETURN(const SealingKeys keys, MasterKeys());
  MD_ASSIGN_OR_RETURN(const wa::Bytes file, ReadFile(path));
  MD_ASSIGN_OR_RETURN(const DeviceBackup backup, OpenBackup(file, keys));
  const std::string name = as.value_or(backup.number_name);
  MD_ASSIGN_OR_RETURN(const store::v1::Number number, FindOrMakeNumber(context, name));
  MD_RETURN_IF_ERROR(Restore(context, keys, backup, number));
  context.out() << fmt::format(
      "Number '{}' has its device back. Start a gateway: it logs in and uploads fresh pre-keys.\n", number.name());
  return kDone;
}

// The linked device of a stopped Baileys bot: its folder of JSON files, of which one holds what may be kept.
absl::StatusOr<int> ImportBaileys(Context& context, Arguments& arguments) {
  MD_ASSIGN_OR_RETURN(const auto as, arguments.Option("--as"));
  MD_ASSIGN_OR_RETURN(const std::string folder, arguments.Word("DIR"));
  MD_RETURN_IF_ERROR(arguments.Finish());
  MD_ASSIGN_OR_RETURN(const SealingKeys keys, MasterKeys());
  const auto file = ReadFile(folder + "/creds.json");
  if (!file.ok()) return Error(absl::StatusCode::kNotFound, "DIR holds no creds.json that can be read");
  MD_ASSIGN_OR_RETURN(const DeviceBackup backup, gateway::ReadBaileysCredentials(wa::AsText(*file)));
  MD_ASSIGN_OR_RETURN(const store::v1::Number number, FindOrMakeNumber(context, as.value_or("main")));
  MD_RETURN_IF_ERROR(Restore(context, keys, backup, number));
  context.out() << fmt::format(
      "Number '{}' has the old bot's device. Never start that bot with this folder again: two programs on one device "
      "disconnect each other. Then start a gateway.\n",
      number.name());
  return kDone;
}

absl::StatusOr<int> Renew(Context& context, Arguments& arguments) {
  MD_ASSIGN_OR_RETURN(const std::string name, arguments.Word("NAME"));
  MD_RETURN_IF_ERROR(arguments.Finish());
  MD_ASSIGN_OR_RETURN(const SealingKeys keys, MasterKeys());
  MD_ASSIGN_OR_RETURN(const store::v1::Number number, FindNumber(context, name));
  MD_ASSIGN_OR_RETURN(const DeviceBackup backup, ReadBackup(context, keys, number));
  MD_RETURN_IF_ERROR(Restore(context, keys, backup, number));
  context.out() << "Old sessions and pre-keys are dropped. Start a gateway: it logs in and uploads fresh pre-keys.\n";
  return kDone;
}

absl::StatusOr<int> Run(Context& context, Arguments& arguments) {
  MD_ASSIGN_OR_RETURN(const std::string action, arguments.Word("export, import, import-baileys or renew"));
  if (action == "export") return Export(context, arguments);
  if (action == "import") return Import(context, arguments);
  if (action == "import-baileys") return ImportBaileys(context, arguments);
  if (action == "renew") return Renew(context, arguments);
  return Usage("expected export, import, import-baileys or renew");
}

}  // namespace

constexpr Command kDeviceCommand = {
    "device", "a linked device's keys: back up, restore",
    "device export NAME FILE\ndevice import FILE [--as NAME]\ndevice import-baileys DIR "
    "[--as NAME]\ndevice renew NAME",
    &Run};

}  // namespace medidesk::cli
