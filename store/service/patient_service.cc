#include "store/service/patient_service.h"

#include <algorithm>
#include <memory>
#include <vector>

#include "base/phone_number.h"
#include "store/database_call.h"
#include "store/service/request_checks.h"

namespace medidesk::store {
namespace {

constexpr Query kLink = {"link_contact", "select medidesk.tie_contact($1::jsonb, $2, true)::text"};
constexpr Query kUnlink = {"unlink_contact", "select medidesk.tie_contact($1::jsonb, $2, false)::text"};
constexpr Query kBeginExport = {"begin_export", "select medidesk.begin_export($1::jsonb, $2)::text"};
constexpr Query kExport = {
    "export_patient", "select piece from medidesk.export_pieces(nullif($1, '')::uuid, nullif($2, '')::uuid) as piece"};
constexpr std::size_t kChunk = 65'536;  // bytes

// Checks what is there, field by field, and writes the phone number as E.164.
absl::Status CheckPatient(v1::Patient* patient) {
  MD_RETURN_IF_ERROR(CheckLength("patient.name", patient->name(), 200));
  if (!patient->phone().empty()) {
    const auto phone = PhoneNumber::Parse(patient->phone());
    if (!phone) return rpc::InvalidField("patient.phone", "expected a phone number of 7 to 15 digits");
    patient->set_phone(phone->E164());
  }
  MD_RETURN_IF_ERROR(CheckLength("patient.email", patient->email(), 254));
  if (!patient->email().empty() && patient->email().find('@') == std::string::npos) {
    return rpc::InvalidField("patient.email", "expected a mail address");
  }
  if (!patient->birth_date().empty() && !IsDate(patient->birth_date())) {
    return rpc::InvalidField("patient.birth_date", "expected YYYY-MM-DD");
  }
  MD_RETURN_IF_ERROR(CheckLength("patient.record_number", patient->record_number(), 64));
  MD_RETURN_IF_ERROR(CheckLength("patient.language", patient->language(), 35));
  return CheckLength("patient.note", patient->note(), 4000);
}

// Counts down when the export has ended, however it did.
class Place {
 public:
  explicit Place(std::atomic<int>& count) : count_(count) {}
  ~Place() { count_.fetch_sub(1); }
  Place(const Place&) = delete;
  Place& operator=(const Place&) = delete;

 private:
  std::atomic<int>& count_;
};

}  // namespace

PatientService::PatientService(rpc::Dispatcher& dispatcher, DbPool& pool, Options options)
    : dispatcher_(dispatcher), pool_(pool), options_(options) {}

PatientService::~PatientService() = default;

asio::awaitable<absl::StatusOr<v1::GetPatientResponse>> PatientService::GetPatient(
    const rpc::Call& call, const v1::GetPatientRequest& request) {
  MD_CO_RETURN_IF_ERROR(CheckActor(call, request.actor()));
  v1::GetPatientRequest checked = request;
  switch (request.key_case()) {
    case v1::GetPatientRequest::kPatientId:
      MD_CO_RETURN_IF_ERROR(CheckId("patient_id", request.patient_id()));
      break;
    case v1::GetPatientRequest::kContactId:
      MD_CO_RETURN_IF_ERROR(CheckId("contact_id", request.contact_id()));
      break;
    case v1::GetPatientRequest::kPhone: {
      const auto phone = PhoneNumber::Parse(request.phone());
      if (!phone) co_return rpc::InvalidField("phone", "expected a phone number of 7 to 15 digits");
      checked.set_phone(phone->E164());
      break;
    }
    default:
      co_return rpc::InvalidField("patient_id", "needed, or phone, or contact_id");
  }
  MD_ASSIGN_OR_CO_RETURN(std::string json, RequestToJson(call, checked));
  co_return co_await CallDatabase<v1::GetPatientResponse>(pool_, MD_FUNCTION("get_patient"), DeadlineOf(call),
                                                          std::move(json), call.trace.trace_id);
}

asio::awaitable<absl::StatusOr<v1::ListPatientsResponse>> PatientService::ListPatients(
    const rpc::Call& call, const v1::ListPatientsRequest& request) {
  MD_CO_RETURN_IF_ERROR(CheckActor(call, request.actor()));
  MD_CO_RETURN_IF_ERROR(CheckPageSize(request.page_size(), 200));
  MD_CO_RETURN_IF_ERROR(CheckLength("query", request.query(), 100));
  MD_CO_RETURN_IF_ERROR(CheckOptionalId("contact_id", request.contact_id()));
  MD_ASSIGN_OR_CO_RETURN(std::string json, RequestToJson(call, request));
  co_return co_await CallDatabase<v1::ListPatientsResponse>(pool_, MD_FUNCTION("list_patients"), DeadlineOf(call),
                                                            std::move(json), call.trace.trace_id);
}

asio::awaitable<absl::StatusOr<v1::CreatePatientResponse>> PatientService::CreatePatient(
    const rpc::Call& call, const v1::CreatePatientRequest& request) {
  MD_CO_RETURN_IF_ERROR(CheckId("commit_id", request.commit_id()));
  MD_CO_RETURN_IF_ERROR(CheckActor(call, request.actor()));
  v1::CreatePatientRequest checked = request;
  if (request.patient().name().empty()) co_return rpc::InvalidField("patient.name", "needed");
  MD_CO_RETURN_IF_ERROR(CheckPatient(checked.mutable_patient()));
  MD_ASSIGN_OR_CO_RETURN(std::string json, RequestToJson(call, checked));
  co_return co_await CallDatabase<v1::CreatePatientResponse>(pool_, MD_FUNCTION("create_patient"), DeadlineOf(call),
                                                             std::move(json), call.trace.trace_id);
}

asio::awaitable<absl::StatusOr<v1::UpdatePatientResponse>> PatientService::UpdatePatient(
    const rpc::Call& call, const v1::UpdatePatientRequest& request) {
  MD_CO_RETURN_IF_ERROR(CheckId("commit_id", request.commit_id()));
  MD_CO_RETURN_IF_ERROR(CheckActor(call, request.actor()));
  MD_CO_RETURN_IF_ERROR(CheckId("patient.id", request.patient().id()));
  const std::vector<std::string_view> known = {"name",          "phone",    "email", "birth_date",
                                               "record_number", "language", "note"};
  std::string fields;
  if (request.update_mask().paths_size() == 0 || request.update_mask().paths_size() > 20) {
    co_return rpc::InvalidField("update_mask", "name the fields to change");
  }
  for (const std::string& path : request.update_mask().paths()) {
    if (std::find(known.begin(), known.end(), path) == known.end()) {
      co_return rpc::InvalidField("update_mask",
                                  "expected name, phone, email, birth_date, record_number, language, note");
    }
    if (path == "name" && request.patient().name().empty()) co_return rpc::InvalidField("patient.name", "needed");
    fields += (fields.empty() ? "\"" : ",\"") + path + "\"";
  }
  v1::UpdatePatientRequest checked = request;
  MD_CO_RETURN_IF_ERROR(CheckPatient(checked.mutable_patient()));
  checked.clear_update_mask();
  MD_ASSIGN_OR_CO_RETURN(std::string json, RequestToJson(call, checked));
  json.back() = ',';  // an object, never an empty one
  json += "\"fields\":[" + fields + "]}";
  co_return co_await CallDatabase<v1::UpdatePatientResponse>(pool_, MD_FUNCTION("update_patient"), DeadlineOf(call),
                                                             std::move(json), call.trace.trace_id);
}

asio::awaitable<absl::StatusOr<v1::LinkContactResponse>> PatientService::LinkContact(
    const rpc::Call& call, const v1::LinkContactRequest& request) {
  MD_CO_RETURN_IF_ERROR(CheckId("commit_id", request.commit_id()));
  MD_CO_RETURN_IF_ERROR(CheckId("patient_id", request.patient_id()));
  MD_CO_RETURN_IF_ERROR(CheckId("contact_id", request.contact_id()));
  MD_CO_RETURN_IF_ERROR(CheckActor(call, request.actor()));
  MD_ASSIGN_OR_CO_RETURN(std::string json, RequestToJson(call, request));
  co_return co_await CallDatabase<v1::LinkContactResponse>(pool_, kLink, DeadlineOf(call), std::move(json),
                                                           call.trace.trace_id);
}

asio::awaitable<absl::StatusOr<v1::UnlinkContactResponse>> PatientService::UnlinkContact(
    const rpc::Call& call, const v1::UnlinkContactRequest& request) {
  MD_CO_RETURN_IF_ERROR(CheckId("commit_id", request.commit_id()));
  MD_CO_RETURN_IF_ERROR(CheckId("patient_id", request.patient_id()));
  MD_CO_RETURN_IF_ERROR(CheckId("contact_id", request.contact_id()));
  MD_CO_RETURN_IF_ERROR(CheckActor(call, request.actor()));
  MD_ASSIGN_OR_CO_RETURN(std::string json, RequestToJson(call, request));
  co_return co_await CallDatabase<v1::UnlinkContactResponse>(pool_, kUnlink, DeadlineOf(call), std::move(json),
                                                             call.trace.trace_id);
}

asio::awaitable<absl::StatusOr<v1::VerifyPatientResponse>> PatientService::VerifyPatient(
    const rpc::Call& call, const v1::VerifyPatientRequest& request) {
  MD_CO_RETURN_IF_ERROR(CheckId("contact_id", request.contact_id()));
  MD_CO_RETURN_IF_ERROR(CheckActor(call, request.actor()));
  if (!IsDate(request.birth_date())) co_return rpc::InvalidField("birth_date", "expected YYYY-MM-DD");
  if (request.record_number().empty()) co_return rpc::InvalidField("record_number", "needed");
  MD_CO_RETURN_IF_ERROR(CheckLength("record_number", request.record_number(), 64));
  MD_ASSIGN_OR_CO_RETURN(std::string json, RequestToJson(call, request));
  co_return co_await CallDatabase<v1::VerifyPatientResponse>(pool_, MD_FUNCTION("verify_patient"), DeadlineOf(call),
                                                             std::move(json), call.trace.trace_id);
}

asio::awaitable<absl::StatusOr<v1::ErasePatientResponse>> PatientService::ErasePatient(
    const rpc::Call& call, const v1::ErasePatientRequest& request) {
  MD_CO_RETURN_IF_ERROR(CheckId("commit_id", request.commit_id()));
  MD_CO_RETURN_IF_ERROR(CheckActor(call, request.actor()));
  MD_CO_RETURN_IF_ERROR(request.has_contact_id() ? CheckId("contact_id", request.contact_id())
                                                 : CheckId("patient_id", request.patient_id()));
  MD_ASSIGN_OR_CO_RETURN(std::string json, RequestToJson(call, request));
  co_return co_await CallDatabase<v1::ErasePatientResponse>(pool_, MD_FUNCTION("erase_patient"), DeadlineOf(call),
                                                            std::move(json), call.trace.trace_id);
}

asio::awaitable<absl::Status> PatientService::ExportPatient(const rpc::Call& call,
                                                            const v1::ExportPatientRequest& request,
                                                            rpc::StreamWriter<v1::ExportPatientResponse>& writer) {
  MD_CO_RETURN_IF_ERROR(CheckActor(call, request.actor()));
  MD_CO_RETURN_IF_ERROR(request.has_contact_id() ? CheckId("contact_id", request.contact_id())
                                                 : CheckId("patient_id", request.patient_id()));
  const bool full = exports_.fetch_add(1) >= options_.max_exports;
  const Place place(exports_);
  if (full) co_return Error(absl::StatusCode::kResourceExhausted, "other exports are running; repeat in a minute");
  MD_ASSIGN_OR_CO_RETURN(std::string json, RequestToJson(call, request));
  // The record comes first: nothing leaves without it.
  MD_ASSIGN_OR_CO_RETURN([[maybe_unused]] const v1::ExportPatientResponse begun,
                         co_await CallDatabase<v1::ExportPatientResponse>(pool_, kBeginExport, DeadlineOf(call),
                                                                          std::move(json), call.trace.trace_id));

  const std::function<std::vector<std::string>(DbConnection&)> work = [&](DbConnection& connection) {
    std::vector<std::string> chunks;
    std::size_t size = 0;
    for (const pqxx::row row : ExecutePrepared(connection, kExport, request.patient_id(), request.contact_id())) {
      std::string_view rest(row[0].c_str(), row[0].size());
      size += rest.size();
      if (size > options_.max_export_bytes) return std::vector<std::string>();
      while (!rest.empty()) {
        if (chunks.empty() || chunks.back().size() == kChunk) chunks.emplace_back();
        const std::size_t taken = std::min(rest.size(), kChunk - chunks.back().size());
        chunks.back().append(rest.substr(0, taken));
        rest.remove_prefix(taken);
      }
    }
    return chunks;
  };
  MD_ASSIGN_OR_CO_RETURN(std::vector<std::string> chunks, co_await pool_.Run(kExport, DeadlineOf(call), work));
  if (chunks.empty()) {
    co_return Error(absl::StatusCode::kOutOfRange,
                    "the copy would be larger than one document may be; export contact by contact");
  }
  for (std::string& chunk : chunks) {
    v1::ExportPatientResponse response;
    response.set_chunk(std::move(chunk));
    if (!co_await writer.Write(std::move(response))) co_return absl::OkStatus();
  }
  co_return absl::OkStatus();
}

}  // namespace medidesk::store
