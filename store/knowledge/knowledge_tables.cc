#include "store/knowledge/knowledge_tables.h"

#include <fmt/format.h>
#include <google/protobuf/util/json_util.h>
#include <google/protobuf/util/message_differencer.h>

#include <algorithm>
#include <stdexcept>
#include <utility>

#include "base/rpc/error_details.h"
#include "store/knowledge/hospital_file.h"

namespace medidesk::store {
namespace {

using google::protobuf::Message;

#define MD_ROWS(table) "(select coalesce(json_agg(t order by t.key), '[]') from public." table " t)"
constexpr Query kFacts = {
    "knowledge_facts",
    "select json_build_object('revision', r.revision, "
    "'hospital', (select to_jsonb(h) - 'only_row' from public.hospital_settings h), "
    "'departments', " MD_ROWS("departments") ", 'doctors', " MD_ROWS("doctors") ", 'faqs', " MD_ROWS(
        "faqs") ", 'visiting_hours', " MD_ROWS("visiting_hours") ")::text from medidesk.knowledge_revision r"};
#undef MD_ROWS
constexpr Query kRevision = {"knowledge_revision", "select revision from medidesk.knowledge_revision"};
constexpr Query kLock = {"knowledge_lock",
                         "select revision, (extract(epoch from clock_timestamp()) * 1000000)::bigint "
                         "from medidesk.knowledge_revision for update"};
constexpr Query kRaise = {"knowledge_raise", "update medidesk.knowledge_revision set revision = $1::bigint"};
constexpr Query kRecord = {
    "knowledge_record",
    "insert into medidesk.knowledge_changes (revision, commit_id, actor_kind, actor_id, kind, key, action, before, "
    "after) "
    "select $1::bigint, $2::uuid, $3, $4, c.kind, c.key, c.action, c.before, c.after "
    "from jsonb_to_recordset($5::jsonb) as c (kind text, key text, action text, before jsonb, after jsonb)"};
constexpr Query kWasCommitted = {"knowledge_was_committed",
                                 "select 1 from medidesk.knowledge_changes where commit_id = $1::uuid limit 1"};
// One statement for each set of filters: with `$2 = '' or kind = $2` no index would serve any of them.
#define MD_CHANGES(name, where)                                                                                       \
  {                                                                                                                   \
    "knowledge_changes" name,                                                                                         \
        "select id, revision, (extract(epoch from change_time) * 1000000)::bigint, actor_kind, actor_id, kind, key, " \
        "action, before::text, after::text from medidesk.knowledge_changes where id < $1::bigint" where               \
        " order by id desc limit $2::int"                                                                             \
  }
constexpr Query kChanges = MD_CHANGES("", "");
constexpr Query kChangesOfKind = MD_CHANGES("_of_kind", " and kind = $3");
constexpr Query kChangesOfRow = MD_CHANGES("_of_row", " and kind = $3 and key = $4");
#undef MD_CHANGES

constexpr Query kDeleteHospital = {"knowledge_delete_hospital", "delete from public.hospital_settings"};
constexpr Query kInsertHospital = {
    "knowledge_insert_hospital",
    "insert into public.hospital_settings select t.* from jsonb_array_elements($1::jsonb) as e, "
    "jsonb_populate_record(null::public.hospital_settings, e || '{\"only_row\": true}') as t"};
#define MD_TABLE(table)                                                                                            \
  {"knowledge_delete_" table, "delete from public." table " where key = any ($1::text[])"}, {                      \
    "knowledge_insert_" table, "insert into public." table                                                         \
                               " select t.* from jsonb_populate_recordset(null::public." table ", $1::jsonb) as t" \
  }

// How one kind of row is named and written.
struct Table {
  v1::KnowledgeKind kind;
  Query remove, insert;
};
constexpr Table kDepartments = {v1::KNOWLEDGE_KIND_DEPARTMENT, MD_TABLE("departments")};
constexpr Table kDoctors = {v1::KNOWLEDGE_KIND_DOCTOR, MD_TABLE("doctors")};
constexpr Table kFaqs = {v1::KNOWLEDGE_KIND_FAQ, MD_TABLE("faqs")};
constexpr Table kVisitingHours = {v1::KNOWLEDGE_KIND_VISITING_HOURS, MD_TABLE("visiting_hours")};
#undef MD_TABLE

template <class... Arguments>
pqxx::result Execute(pqxx::transaction_base& session, DbConnection& connection, const Query& query,
                     const Arguments&... arguments) {
  connection.prepare(query.name, query.sql);  // no round trip; the same again is ignored
  return session.exec_prepared(query.name, arguments...);
}

std::string ToJson(const Message& message) {
  google::protobuf::util::JsonPrintOptions options;
  options.always_print_primitive_fields = true;  // every column is written
  options.preserve_proto_field_names = true;
  std::string json;
  if (!google::protobuf::util::MessageToJsonString(message, &json, options).ok()) {
    throw std::runtime_error("a row could not be written as JSON");
  }
  return json;
}

void SetTime(std::int64_t micros, google::protobuf::Timestamp* time) {
  time->set_seconds(micros / 1'000'000);
  time->set_nanos(static_cast<std::int32_t>(micros % 1'000'000 * 1000));
}

template <class Row>
bool SameContent(const Row& a, const Row& b) {
  Row left = a, right = b;
  for (Row* row : {&left, &right}) {
    row->clear_revision();
    row->clear_update_time();
  }
  return google::protobuf::util::MessageDifferencer::Equals(left, right);
}

// Finds the rows that differ, stamps them, and collects what is written about them.
class Differ {
 public:
  Differ(std::int64_t revision, std::int64_t now) : revision_(revision), now_(now) {}

  struct Rows {
    std::string removed;  // keys as a PostgreSQL array, without braces; keys need no quotes
    std::string written;  // rows as a JSON array, without brackets
  };

  // `before` and `after` are sorted by key. Rows of equal content keep their revision and time.
  template <class Repeated>
  Rows Compare(v1::KnowledgeKind kind, const Repeated& before, Repeated* after) {
    Rows rows;
    int old = 0;
    for (auto& row : *after) {
      for (; old < before.size() && before[old].key() < row.key(); ++old) Remove(kind, before[old], &rows);
      const bool known = old < before.size() && before[old].key() == row.key();
      Write(kind, row.key(), known ? &before[old] : nullptr, &row, &rows);
      if (known) ++old;
    }
    for (; old < before.size(); ++old) Remove(kind, before[old], &rows);
    return rows;
  }

  template <class Row>
  void Write(v1::KnowledgeKind kind, const std::string& key, const Row* before, Row* row, Rows* rows) {
    if (before != nullptr && SameContent(*before, *row)) {
      *row = *before;
      return;
    }
    row->set_revision(revision_);
    SetTime(now_, row->mutable_update_time());
    const std::string json = ToJson(*row);
    Append(&rows->written, json);
    if (before != nullptr) Append(&rows->removed, key);
    Record(kind, key, before == nullptr ? v1::KNOWLEDGE_ACTION_CREATED : v1::KNOWLEDGE_ACTION_UPDATED,
           before == nullptr ? "null" : ToJson(*before), json);
  }

  const std::vector<RowChange>& changes() const { return changes_; }
  std::string history() const { return "[" + history_ + "]"; }

 private:
  template <class Row>
  void Remove(v1::KnowledgeKind kind, const Row& row, Rows* rows) {
    Append(&rows->removed, row.key());
    Record(kind, row.key(), v1::KNOWLEDGE_ACTION_DELETED, ToJson(row), "null");
  }

  void Record(v1::KnowledgeKind kind, const std::string& key, v1::KnowledgeAction action, const std::string& before,
              const std::string& after) {
    changes_.push_back({kind, key, action});
    Append(&history_, fmt::format(R"({{"kind":"{}","key":"{}","action":"{}","before":{},"after":{}}})",
                                  v1::KnowledgeKind_Name(kind), key, v1::KnowledgeAction_Name(action), before, after));
  }

  static void Append(std::string* list, const std::string& entry) {
    if (!list->empty()) *list += ',';
    *list += entry;
  }

  const std::int64_t revision_, now_;
  std::vector<RowChange> changes_;
  std::string history_;
};

Facts LoadFrom(pqxx::transaction_base& session, DbConnection& connection) {
  const pqxx::result rows = Execute(session, connection, kFacts);
  Facts facts;
  google::protobuf::util::JsonParseOptions options;
  options.ignore_unknown_fields = true;  // columns of a newer release
  if (!google::protobuf::util::JsonStringToMessage(rows.at(0)[0].as<std::string>(), &facts, options).ok()) {
    throw std::runtime_error("the stored facts could not be read");
  }
  return facts;
}

// "faqs[3].answer" as "faqs.parking.answer": an index means nothing to a caller.
std::string ByKey(const Facts& facts, const std::string& path) {
  const std::size_t open = path.find('['), close = path.find(']');
  if (open == std::string::npos || close == std::string::npos) return path;
  const std::string section = path.substr(0, open);
  const int index = std::stoi(path.substr(open + 1, close - open - 1));
  const auto key = [&]() -> std::string {
    if (section == "departments" && index < facts.departments_size()) return facts.departments(index).key();
    if (section == "doctors" && index < facts.doctors_size()) return facts.doctors(index).key();
    if (section == "faqs" && index < facts.faqs_size()) return facts.faqs(index).key();
    if (section == "visiting_hours" && index < facts.visiting_hours_size()) return facts.visiting_hours(index).key();
    return "";
  }();
  return IsKnowledgeKey(key) ? fmt::format("{}.{}{}", section, key, path.substr(close + 1)) : path;
}

absl::Status CheckNewFacts(const Facts& facts) {
  if (const auto problems = CheckFacts(facts); !problems.empty()) {
    return rpc::InvalidField(ByKey(facts, problems.front().path), problems.front().text);
  }
  if (WriteHospitalFile(facts).size() > kMaxFileBytes) {
    return rpc::InvalidField("facts", "more than 4 MiB as a file; remove rows or shorten texts");
  }
  return absl::OkStatus();
}

}  // namespace

Facts LoadFacts(DbConnection& connection) {
  pqxx::nontransaction session(connection);
  return LoadFrom(session, connection);
}

std::int64_t LoadFactsRevision(DbConnection& connection) {
  pqxx::nontransaction session(connection);
  return Execute(session, connection, kRevision).at(0)[0].as<std::int64_t>();
}

bool WasCommitted(DbConnection& connection, const std::string& commit_id) {
  pqxx::nontransaction session(connection);
  return !Execute(session, connection, kWasCommitted, commit_id).empty();
}

void ChangeFacts(DbConnection& connection, const FactsChange& change, FactsOutcome* outcome) {
  *outcome = {};
  pqxx::work tx(connection);
  const pqxx::result locked = Execute(tx, connection, kLock);
  const auto revision = locked.at(0)[0].as<std::int64_t>();
  const Facts before = LoadFrom(tx, connection);
  if (change.expected_revision != 0 && change.expected_revision != revision) {
    outcome->status = Error(absl::StatusCode::kAborted, "the facts have changed since; read them again, then decide");
    return;
  }
  Facts after = before;
  outcome->status = change.edit(&after);
  if (!outcome->status.ok()) return;
  NormalizeFacts(&after);
  outcome->status = CheckNewFacts(after);
  if (!outcome->status.ok()) return;

  Differ differ(revision + 1, locked.at(0)[1].as<std::int64_t>());
  Differ::Rows hospital;
  differ.Write(v1::KNOWLEDGE_KIND_HOSPITAL, "", before.has_hospital() ? &before.hospital() : nullptr,
               after.mutable_hospital(), &hospital);
  const Differ::Rows departments = differ.Compare(kDepartments.kind, before.departments(), after.mutable_departments());
  const Differ::Rows doctors = differ.Compare(kDoctors.kind, before.doctors(), after.mutable_doctors());
  const Differ::Rows faqs = differ.Compare(kFaqs.kind, before.faqs(), after.mutable_faqs());
  const Differ::Rows visiting =
      differ.Compare(kVisitingHours.kind, before.visiting_hours(), after.mutable_visiting_hours());

  outcome->changes = differ.changes();
  const bool writes = !outcome->changes.empty() && !change.dry_run;
  after.set_revision(writes ? revision + 1 : revision);
  outcome->facts = std::move(after);
  if (!writes) return;

  if (!hospital.written.empty()) {
    Execute(tx, connection, kDeleteHospital);
    Execute(tx, connection, kInsertHospital, "[" + hospital.written + "]");
  }
  const auto write = [&](const Table& table, const Differ::Rows& rows) {
    if (!rows.removed.empty()) Execute(tx, connection, table.remove, "{" + rows.removed + "}");
    if (!rows.written.empty()) Execute(tx, connection, table.insert, "[" + rows.written + "]");
  };
  write(kDepartments, departments);
  write(kDoctors, doctors);
  write(kFaqs, faqs);
  write(kVisitingHours, visiting);
  Execute(tx, connection, kRecord, revision + 1, change.commit_id,
          change.actor.kind() == v1::ACTOR_KIND_UNSPECIFIED ? "" : v1::ActorKind_Name(change.actor.kind()),
          change.actor.id(), differ.history());
  Execute(tx, connection, kRaise, revision + 1);
  outcome->committing = true;
  tx.commit();
}

std::vector<v1::KnowledgeChange> ListChanges(DbConnection& connection, const ChangesFilter& filter) {
  pqxx::nontransaction session(connection);
  const std::int64_t before = filter.before_id == 0 ? INT64_MAX : filter.before_id;
  const std::string kind = filter.kind == v1::KNOWLEDGE_KIND_UNSPECIFIED ? "" : v1::KnowledgeKind_Name(filter.kind);
  const pqxx::result rows = kind.empty() ? Execute(session, connection, kChanges, before, filter.limit)
                            : filter.key.empty()
                                ? Execute(session, connection, kChangesOfKind, before, filter.limit, kind)
                                : Execute(session, connection, kChangesOfRow, before, filter.limit, kind, filter.key);
  std::vector<v1::KnowledgeChange> changes;
  for (const auto& row : rows) {
    v1::KnowledgeChange& change = changes.emplace_back();
    change.set_id(row[0].as<std::int64_t>());
    change.set_revision(row[1].as<std::int64_t>());
    SetTime(row[2].as<std::int64_t>(), change.mutable_change_time());
    v1::ActorKind actor_kind = v1::ACTOR_KIND_UNSPECIFIED;
    if (v1::ActorKind_Parse(row[3].as<std::string>(), &actor_kind)) {
      change.mutable_actor()->set_kind(actor_kind);
      change.mutable_actor()->set_id(row[4].as<std::string>());
    }
    v1::KnowledgeKind change_kind = v1::KNOWLEDGE_KIND_UNSPECIFIED;
    v1::KnowledgeKind_Parse(row[5].as<std::string>(), &change_kind);
    change.set_kind(change_kind);
    change.set_key(row[6].as<std::string>());
    v1::KnowledgeAction action = v1::KNOWLEDGE_ACTION_UNSPECIFIED;
    v1::KnowledgeAction_Parse(row[7].as<std::string>(), &action);
    change.set_action(action);
    if (!row[8].is_null()) change.set_before(row[8].as<std::string>());
    if (!row[9].is_null()) change.set_after(row[9].as<std::string>());
  }
  return changes;
}

}  // namespace medidesk::store
