#include "store/service/knowledge_service.h"

#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <utility>

#include "base/uuid.h"
#include "store/knowledge/facts_difference.h"
#include "store/knowledge/hospital_file.h"

namespace medidesk::store {
namespace {

using Clock = DbPool::Clock;
template <class Row>
using Rows = google::protobuf::RepeatedPtrField<Row>;

constexpr std::size_t kMaxFileName = 200;
constexpr int kMaxChangeLines = 500;
constexpr std::size_t kMaxErrorText = 900;  // bytes; base/rpc cuts a little above

Clock::time_point DeadlineOf(const rpc::Call& call) { return Clock::now() + call.Left(); }

absl::StatusOr<int> PageSize(int asked, int standard, int most) {
  if (asked < 0 || asked > most) return rpc::InvalidField("page_size", fmt::format("expected 0 to {}", most));
  return asked == 0 ? standard : asked;
}

absl::Status CheckActor(const v1::Actor& actor) {
  const std::string& id = actor.id();
  switch (actor.kind()) {
    case v1::ACTOR_KIND_STAFF:
    case v1::ACTOR_KIND_TOKEN:
      return IsUuid(id) ? absl::OkStatus() : rpc::InvalidField("actor.id", "expected a UUID");
    case v1::ACTOR_KIND_SERVICE:
      for (const std::string_view service : {"gateway", "assistant", "store", "admin"}) {
        if (id == service) return absl::OkStatus();
      }
      return rpc::InvalidField("actor.id", "expected gateway, assistant, store or admin");
    case v1::ACTOR_KIND_OPERATOR:
      return id.empty() ? absl::OkStatus() : rpc::InvalidField("actor.id", "an operator has none");
    case v1::ACTOR_KIND_UNSPECIFIED:
      return id.empty() ? absl::OkStatus() : rpc::InvalidField("actor.kind", "needed beside an id");
    default:
      return rpc::InvalidField("actor.kind", "expected a known kind");
  }
}

absl::Status CheckExpected(std::int64_t revision) {
  return revision >= 0 ? absl::OkStatus() : rpc::InvalidField("expected_revision", "expected 0 or a revision");
}

template <class Row>
const Row* Find(const Rows<Row>& rows, const std::string& key) {
  const auto found = std::lower_bound(rows.begin(), rows.end(), key,
                                      [](const Row& row, const std::string& wanted) { return row.key() < wanted; });
  return found != rows.end() && found->key() == key ? &*found : nullptr;
}

absl::Status NoSuchKey(std::string_view noun) {
  return Error(absl::StatusCode::kNotFound, fmt::format("no {} has this key", noun));
}

absl::Status CheckRevision(std::int64_t expected, std::int64_t stored) {
  if (expected == 0 || expected == stored) return absl::OkStatus();
  return Error(absl::StatusCode::kAborted, "the row has changed since; read it again, then decide");
}

absl::Status NeedsHospital(const Facts& facts) {
  if (facts.has_hospital()) return absl::OkStatus();
  return Error(absl::StatusCode::kFailedPrecondition,
               "there are no hospital settings yet; import a hospital file or call UpdateHospital first");
}

absl::Status CheckReferences(const Facts& facts, const v1::Doctor& doctor) {
  if (Find(facts.departments(), doctor.department_key()) != nullptr) return absl::OkStatus();
  return Error(absl::StatusCode::kFailedPrecondition,
               "doctor.department_key: there is no department of this key; create it first");
}
template <class Row>
absl::Status CheckReferences(const Facts&, const Row&) {
  return absl::OkStatus();
}

absl::Status CheckUnused(const Facts& facts, const v1::Department& department) {
  const bool used = std::any_of(facts.doctors().begin(), facts.doctors().end(),
                                [&](const v1::Doctor& doctor) { return doctor.department_key() == department.key(); });
  if (!used) return absl::OkStatus();
  return Error(absl::StatusCode::kFailedPrecondition, "doctors belong to this department; move or delete them first");
}
template <class Row>
absl::Status CheckUnused(const Facts&, const Row&) {
  return absl::OkStatus();
}

bool Matches(const v1::Doctor& row, const v1::ListDoctorsRequest& filter) {
  return filter.department_key().empty() || row.department_key() == filter.department_key();
}
bool Matches(const v1::Faq& row, const v1::ListFaqsRequest& filter) {
  return (filter.category().empty() || row.category() == filter.category()) &&
         (filter.language().empty() || row.language() == filter.language());
}
template <class Row, class Filter>
bool Matches(const Row&, const Filter&) {
  return true;
}

// One page of rows after the token, which is the last key of the page before.
template <class Row, class Request>
absl::Status FillPage(const Rows<Row>& rows, const Request& request, Rows<Row>* page, std::string* next_page_token) {
  MD_ASSIGN_OR_RETURN(const int limit, PageSize(request.page_size(), 100, 1000));
  const std::string& token = request.page_token();
  if (!token.empty() && !IsKnowledgeKey(token)) {
    return rpc::InvalidField("page_token", "expected the token of a page that was listed before");
  }
  auto row = std::upper_bound(rows.begin(), rows.end(), token,
                              [](const std::string& last, const Row& candidate) { return last < candidate.key(); });
  for (; row != rows.end(); ++row) {
    if (!Matches(*row, request)) continue;
    if (page->size() == limit) {
      *next_page_token = page->Get(limit - 1).key();
      break;
    }
    *page->Add() = *row;
  }
  return absl::OkStatus();
}

// What makes single rows of one kind from requests.
template <class Row>
struct RowEdits {
  const char* field;  // of the request: "faq"
  const char* noun;   // "FAQ"
  Rows<Row>* (Facts::*rows)();

  std::function<absl::Status(Facts*)> Create(const Row& row) const {
    return [*this, &row](Facts* facts) {
      MD_RETURN_IF_ERROR(NeedsHospital(*facts));
      Rows<Row>* stored = (facts->*rows)();
      if (Find(*stored, row.key()) != nullptr) {
        return Error(absl::StatusCode::kAlreadyExists, fmt::format("another {} has this key already", noun));
      }
      MD_RETURN_IF_ERROR(CheckReferences(*facts, row));
      *stored->Add() = row;
      return absl::OkStatus();
    };
  }

  std::function<absl::Status(Facts*)> Update(const Row& row, std::int64_t expected_revision) const {
    return [*this, &row, expected_revision](Facts* facts) {
      Rows<Row>* stored = (facts->*rows)();
      const Row* old = Find(*stored, row.key());
      if (old == nullptr) return NoSuchKey(noun);
      MD_RETURN_IF_ERROR(CheckRevision(expected_revision, old->revision()));
      MD_RETURN_IF_ERROR(CheckReferences(*facts, row));
      *const_cast<Row*>(old) = row;  // of our own list
      return absl::OkStatus();
    };
  }

  std::function<absl::Status(Facts*)> Delete(const std::string& key, std::int64_t expected_revision) const {
    return [*this, key, expected_revision](Facts* facts) {
      Rows<Row>* stored = (facts->*rows)();
      const Row* old = Find(*stored, key);
      if (old == nullptr) return NoSuchKey(noun);
      MD_RETURN_IF_ERROR(CheckRevision(expected_revision, old->revision()));
      MD_RETURN_IF_ERROR(CheckUnused(*facts, *old));
      for (int i = 0; i < stored->size(); ++i) {
        if (stored->Get(i).key() == key) {
          stored->DeleteSubrange(i, 1);
          break;
        }
      }
      return absl::OkStatus();
    };
  }
};

constexpr RowEdits<v1::Department> kDepartments = {"department", "department", &Facts::mutable_departments};
constexpr RowEdits<v1::Doctor> kDoctors = {"doctor", "doctor", &Facts::mutable_doctors};
constexpr RowEdits<v1::Faq> kFaqs = {"faq", "FAQ", &Facts::mutable_faqs};
constexpr RowEdits<v1::VisitingHours> kVisitingHours = {"visiting_hours", "area", &Facts::mutable_visiting_hours};

absl::Status CheckWrite(bool has_row, const char* field, const std::string& key, const v1::Actor& actor,
                        std::int64_t expected_revision) {
  if (!has_row) return rpc::InvalidField(field, "missing");
  if (!IsKnowledgeKey(key)) {
    return rpc::InvalidField(fmt::format("{}.key", field), "expected 1 to 64 characters of a-z, 0-9, - and _");
  }
  MD_RETURN_IF_ERROR(CheckExpected(expected_revision));
  return CheckActor(actor);
}

// As many whole lines of an import's errors as an RPC's error carries.
absl::Status CutErrors(const absl::Status& status) {
  const std::string text(Text(status));
  if (text.size() <= kMaxErrorText) return status;
  const std::size_t end = text.rfind('\n', kMaxErrorText);
  return Error(status.code(),
               text.substr(0, end == std::string::npos ? kMaxErrorText : end) + "\nand more; a dry run lists them");
}

std::string_view SectionOf(v1::KnowledgeKind kind) {
  switch (kind) {
    case v1::KNOWLEDGE_KIND_DEPARTMENT:
      return "departments.";
    case v1::KNOWLEDGE_KIND_DOCTOR:
      return "doctors.";
    case v1::KNOWLEDGE_KIND_FAQ:
      return "faqs.";
    case v1::KNOWLEDGE_KIND_VISITING_HOURS:
      return "visiting_hours.";
    default:
      return "hospital";
  }
}

int RowsOf(const Facts& facts, v1::KnowledgeKind kind) {
  switch (kind) {
    case v1::KNOWLEDGE_KIND_DEPARTMENT:
      return facts.departments_size();
    case v1::KNOWLEDGE_KIND_DOCTOR:
      return facts.doctors_size();
    case v1::KNOWLEDGE_KIND_FAQ:
      return facts.faqs_size();
    case v1::KNOWLEDGE_KIND_VISITING_HOURS:
      return facts.visiting_hours_size();
    default:
      return facts.has_hospital() ? 1 : 0;
  }
}

void Describe(const KnowledgeRepository::Outcome& outcome, v1::KnowledgeServiceImportResponse* response) {
  response->set_revision(outcome.facts->revision());
  for (int kind = v1::KNOWLEDGE_KIND_HOSPITAL; kind <= v1::KNOWLEDGE_KIND_VISITING_HOURS; ++kind) {
    v1::ImportCount* count = response->add_counts();
    count->set_kind(static_cast<v1::KnowledgeKind>(kind));
    for (const RowChange& change : outcome.changes) {
      if (change.kind != kind) continue;
      if (change.action == v1::KNOWLEDGE_ACTION_CREATED) count->set_added(count->added() + 1);
      if (change.action == v1::KNOWLEDGE_ACTION_UPDATED) count->set_changed(count->changed() + 1);
      if (change.action == v1::KNOWLEDGE_ACTION_DELETED) count->set_removed(count->removed() + 1);
    }
    count->set_unchanged(RowsOf(*outcome.facts, count->kind()) - count->added() - count->changed());
  }
  for (const RowChange& change : outcome.changes) {
    if (response->changes_size() == kMaxChangeLines) {
      response->add_changes(fmt::format("and {} more", outcome.changes.size() - kMaxChangeLines));
      break;
    }
    const char sign = change.action == v1::KNOWLEDGE_ACTION_CREATED   ? '+'
                      : change.action == v1::KNOWLEDGE_ACTION_UPDATED ? '~'
                                                                      : '-';
    response->add_changes(fmt::format("{} {}{}", sign, SectionOf(change.kind), change.key));
  }
}

}  // namespace

KnowledgeService::KnowledgeService(rpc::Dispatcher& dispatcher, KnowledgeRepository& repository, Options options)
    : dispatcher_(dispatcher), repository_(repository), options_(options) {}
KnowledgeService::~KnowledgeService() = default;

asio::awaitable<absl::StatusOr<v1::GetFactsResponse>> KnowledgeService::GetFacts(const rpc::Call& call,
                                                                                 const v1::GetFactsRequest& request) {
  MD_ASSIGN_OR_CO_RETURN(const auto facts, co_await repository_.Get(DeadlineOf(call)));
  if (request.known_revision() == 0 || request.known_revision() != facts->revision()) co_return *facts;
  v1::GetFactsResponse response;
  response.set_revision(facts->revision());
  response.set_unchanged(true);
  co_return response;
}

asio::awaitable<absl::Status> KnowledgeService::Watch(const rpc::Call&, const v1::KnowledgeServiceWatchRequest&,
                                                      rpc::StreamWriter<v1::KnowledgeServiceWatchResponse>& writer) {
  std::int64_t told = -1;
  while (true) {
    // The first look is a fresh one; a database that is away is waited for.
    const auto age = told < 0 ? std::chrono::milliseconds(0) : options_.watch_poll;
    const auto revision = co_await repository_.Revision(age, Clock::now() + std::chrono::seconds(5));
    if (revision.ok() && *revision != told) {
      told = *revision;
      v1::KnowledgeServiceWatchResponse response;
      response.set_revision(told);
      if (!co_await writer.Write(std::move(response))) co_return absl::OkStatus();
    }
    asio::steady_timer timer(co_await asio::this_coro::executor, options_.watch_poll);
    co_await timer.async_wait(asio::use_awaitable);
  }
}

asio::awaitable<absl::StatusOr<v1::KnowledgeServiceImportResponse>> KnowledgeService::Import(
    const rpc::Call& call, const v1::KnowledgeServiceImportRequest& request) {
  MD_CO_RETURN_IF_ERROR(CheckActor(request.actor()));
  MD_CO_RETURN_IF_ERROR(CheckExpected(request.expected_revision()));
  if (request.file_name().size() > kMaxFileName) co_return rpc::InvalidField("file_name", "at most 200 characters");
  if (request.content().empty()) co_return rpc::InvalidField("content", "missing");
  const std::string file_name = request.file_name().empty() ? "hospital.yaml" : request.file_name();

  bool mistakes = false;  // in the file; the edit runs on a pool thread, where reading a large file holds nobody up
  Facts before;
  KnowledgeRepository::Change change;
  change.edit = [&](Facts* facts) {
    auto parsed = ParseHospitalFile(request.content(), file_name, request.dry_run() ? kAllProblems : kFewProblems);
    mistakes = !parsed.ok();
    if (mistakes) return parsed.status();
    before = std::exchange(*facts, *std::move(parsed));
    return absl::OkStatus();
  };
  change.actor = request.actor();
  change.expected_revision = request.expected_revision();
  change.dry_run = request.dry_run();
  const auto outcome = co_await repository_.Apply(std::move(change), DeadlineOf(call));
  v1::KnowledgeServiceImportResponse response;
  if (!outcome.ok() && !mistakes) co_return outcome.status();
  if (!outcome.ok() && !request.dry_run()) co_return CutErrors(outcome.status());
  if (outcome.ok()) {
    Describe(*outcome, &response);
    DescribeDifferences(before, *outcome->facts, outcome->changes, &response);
    co_return response;
  }
  MD_ASSIGN_OR_CO_RETURN(const std::int64_t revision,
                         co_await repository_.Revision(std::chrono::milliseconds(0), DeadlineOf(call)));
  response.set_revision(revision);
  const std::string text(Text(outcome.status()));
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find('\n', at), text.size());
    response.add_problems(text.substr(at, end - at));
    at = end + 1;
  }
  co_return response;
}

asio::awaitable<absl::StatusOr<v1::KnowledgeServiceExportResponse>> KnowledgeService::Export(
    const rpc::Call& call, const v1::KnowledgeServiceExportRequest&) {
  MD_ASSIGN_OR_CO_RETURN(const auto facts, co_await repository_.Get(DeadlineOf(call)));
  v1::KnowledgeServiceExportResponse response;
  response.set_content(WriteHospitalFile(*facts));
  response.set_revision(facts->revision());
  co_return response;
}

asio::awaitable<absl::StatusOr<v1::GetHospitalResponse>> KnowledgeService::GetHospital(const rpc::Call& call,
                                                                                       const v1::GetHospitalRequest&) {
  MD_ASSIGN_OR_CO_RETURN(const auto facts, co_await repository_.Get(DeadlineOf(call)));
  if (!facts->has_hospital()) co_return Error(absl::StatusCode::kNotFound, "there are no hospital settings yet");
  v1::GetHospitalResponse response;
  *response.mutable_hospital() = facts->hospital();
  co_return response;
}

asio::awaitable<absl::StatusOr<v1::UpdateHospitalResponse>> KnowledgeService::UpdateHospital(
    const rpc::Call& call, const v1::UpdateHospitalRequest& request) {
  if (!request.has_hospital()) co_return rpc::InvalidField("hospital", "missing");
  MD_CO_RETURN_IF_ERROR(CheckExpected(request.expected_revision()));
  MD_CO_RETURN_IF_ERROR(CheckActor(request.actor()));
  KnowledgeRepository::Change change;
  change.edit = [&request](Facts* facts) {
    MD_RETURN_IF_ERROR(CheckRevision(request.expected_revision(), facts->hospital().revision()));
    *facts->mutable_hospital() = request.hospital();
    return absl::OkStatus();
  };
  change.actor = request.actor();
  MD_ASSIGN_OR_CO_RETURN(const auto outcome, co_await repository_.Apply(std::move(change), DeadlineOf(call)));
  v1::UpdateHospitalResponse response;
  *response.mutable_hospital() = outcome.facts->hospital();
  co_return response;
}

// The five handlers of one kind of row; `rows` is the field in Facts and in the list's answer.
#define MD_ROW_HANDLERS(Row, Plural, row, rows, edits)                                                                \
  asio::awaitable<absl::StatusOr<v1::List##Plural##Response>> KnowledgeService::List##Plural(                         \
      const rpc::Call& call, const v1::List##Plural##Request& request) {                                              \
    MD_ASSIGN_OR_CO_RETURN(const auto facts, co_await repository_.Get(DeadlineOf(call)));                             \
    v1::List##Plural##Response response;                                                                              \
    MD_CO_RETURN_IF_ERROR(                                                                                            \
        FillPage(facts->rows(), request, response.mutable_##rows(), response.mutable_next_page_token()));             \
    co_return response;                                                                                               \
  }                                                                                                                   \
  asio::awaitable<absl::StatusOr<v1::Get##Row##Response>> KnowledgeService::Get##Row(                                 \
      const rpc::Call& call, const v1::Get##Row##Request& request) {                                                  \
    MD_ASSIGN_OR_CO_RETURN(const auto facts, co_await repository_.Get(DeadlineOf(call)));                             \
    const v1::Row* found = Find(facts->rows(), request.key());                                                        \
    if (found == nullptr) co_return NoSuchKey(edits.noun);                                                            \
    v1::Get##Row##Response response;                                                                                  \
    *response.mutable_##row() = *found;                                                                               \
    co_return response;                                                                                               \
  }                                                                                                                   \
  asio::awaitable<absl::StatusOr<v1::Create##Row##Response>> KnowledgeService::Create##Row(                           \
      const rpc::Call& call, const v1::Create##Row##Request& request) {                                               \
    MD_CO_RETURN_IF_ERROR(                                                                                            \
        CheckWrite(request.has_##row(), edits.field, request.row().key(), request.actor(), /*expected_revision=*/0)); \
    KnowledgeRepository::Change change;                                                                               \
    change.edit = edits.Create(request.row());                                                                        \
    change.actor = request.actor();                                                                                   \
    MD_ASSIGN_OR_CO_RETURN(const auto outcome, co_await repository_.Apply(std::move(change), DeadlineOf(call)));      \
    v1::Create##Row##Response response;                                                                               \
    *response.mutable_##row() = *Find(outcome.facts->rows(), request.row().key());                                    \
    co_return response;                                                                                               \
  }                                                                                                                   \
  asio::awaitable<absl::StatusOr<v1::Update##Row##Response>> KnowledgeService::Update##Row(                           \
      const rpc::Call& call, const v1::Update##Row##Request& request) {                                               \
    MD_CO_RETURN_IF_ERROR(CheckWrite(request.has_##row(), edits.field, request.row().key(), request.actor(),          \
                                     request.expected_revision()));                                                   \
    KnowledgeRepository::Change change;                                                                               \
    change.edit = edits.Update(request.row(), request.expected_revision());                                           \
    change.actor = request.actor();                                                                                   \
    MD_ASSIGN_OR_CO_RETURN(const auto outcome, co_await repository_.Apply(std::move(change), DeadlineOf(call)));      \
    v1::Update##Row##Response response;                                                                               \
    *response.mutable_##row() = *Find(outcome.facts->rows(), request.row().key());                                    \
    co_return response;                                                                                               \
  }                                                                                                                   \
  asio::awaitable<absl::StatusOr<v1::Delete##Row##Response>> KnowledgeService::Delete##Row(                           \
      const rpc::Call& call, const v1::Delete##Row##Request& request) {                                               \
    MD_CO_RETURN_IF_ERROR(CheckExpected(request.expected_revision()));                                                \
    MD_CO_RETURN_IF_ERROR(CheckActor(request.actor()));                                                               \
    KnowledgeRepository::Change change;                                                                               \
    change.edit = edits.Delete(request.key(), request.expected_revision());                                           \
    change.actor = request.actor();                                                                                   \
    MD_ASSIGN_OR_CO_RETURN(const auto outcome, co_await repository_.Apply(std::move(change), DeadlineOf(call)));      \
    v1::Delete##Row##Response response;                                                                               \
    response.set_revision(outcome.facts->revision());                                                                 \
    co_return response;                                                                                               \
  }
MD_ROW_HANDLERS(Department, Departments, department, departments, kDepartments)
MD_ROW_HANDLERS(Doctor, Doctors, doctor, doctors, kDoctors)
MD_ROW_HANDLERS(Faq, Faqs, faq, faqs, kFaqs)
MD_ROW_HANDLERS(VisitingHours, VisitingHours, visiting_hours, visiting_hours, kVisitingHours)
#undef MD_ROW_HANDLERS

asio::awaitable<absl::StatusOr<v1::ListKnowledgeChangesResponse>> KnowledgeService::ListKnowledgeChanges(
    const rpc::Call& call, const v1::ListKnowledgeChangesRequest& request) {
  ChangesFilter filter;
  MD_ASSIGN_OR_CO_RETURN(const int limit, PageSize(request.page_size(), 50, 500));
  if (!v1::KnowledgeKind_IsValid(request.kind())) co_return rpc::InvalidField("kind", "expected a known kind");
  if (!request.key().empty() && request.kind() == v1::KNOWLEDGE_KIND_UNSPECIFIED) {
    co_return rpc::InvalidField("kind", "needed beside a key");
  }
  if (!request.key().empty() && !IsKnowledgeKey(request.key())) co_return rpc::InvalidField("key", "expected a key");
  if (const std::string& token = request.page_token(); !token.empty()) {
    const char* end = token.data() + token.size();
    const auto [stop, error] = std::from_chars(token.data(), end, filter.before_id);
    if (error != std::errc() || stop != end || filter.before_id <= 0) {
      co_return rpc::InvalidField("page_token", "expected the token of a page that was listed before");
    }
  }
  filter.kind = request.kind();
  filter.key = request.key();
  filter.limit = limit + 1;  // one more tells whether a page follows
  MD_ASSIGN_OR_CO_RETURN(auto changes, co_await repository_.History(std::move(filter), DeadlineOf(call)));
  v1::ListKnowledgeChangesResponse response;
  // Both rows of a large change come whole: the page ends early rather than exceed a message's limit.
  std::size_t bytes = 0;
  for (v1::KnowledgeChange& change : changes) {
    bytes += change.ByteSizeLong();
    const bool full = response.changes_size() == limit || (response.changes_size() > 0 && bytes > (2u << 20));
    if (full) {
      response.set_next_page_token(std::to_string(response.changes(response.changes_size() - 1).id()));
      break;
    }
    *response.add_changes() = std::move(change);
  }
  co_return response;
}

}  // namespace medidesk::store
