// PatientService over a real PostgreSQL: patients and their contacts, the copy, the erasure, and how old texts end.
#include "store/service/patient_service.h"

#include <boost/json.hpp>
#include <gmock/gmock.h>

#include <thread>

#include "store/maintenance.h"
#include "store/testing/store_fixture.h"

namespace medidesk::store {
namespace {

namespace json = boost::json;
using testing::CollectedStream;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;

class PatientServiceTest : public testing::StoreFixture {
 protected:
  PatientServiceTest() : service_(dispatcher_, pool_, {}) {}

  absl::StatusOr<v1::CreatePatientResponse> TryCreate(const v1::Patient& patient,
                                                      const std::string& commit_id = NewUuid()) {
    v1::CreatePatientRequest request;
    request.set_commit_id(commit_id);
    *request.mutable_patient() = patient;
    *request.mutable_actor() = Operator();
    return Wait(service_.CreatePatient(call_, request));
  }
  v1::Patient Create(const std::string& name, const std::string& phone = "", const std::string& record = "") {
    v1::Patient patient;
    patient.set_name(name);
    patient.set_phone(phone);
    patient.set_record_number(record);
    patient.set_birth_date("1980-02-29");
    auto response = TryCreate(patient);
    EXPECT_TRUE(response.ok()) << Text(response.status());
    return response.value_or(v1::CreatePatientResponse()).patient();
  }
  absl::StatusOr<v1::UpdatePatientResponse> Update(const v1::Patient& patient, const std::vector<std::string>& fields) {
    v1::UpdatePatientRequest request;
    request.set_commit_id(NewUuid());
    *request.mutable_patient() = patient;
    for (const std::string& field : fields) request.mutable_update_mask()->add_paths(field);
    *request.mutable_actor() = Operator();
    return Wait(service_.UpdatePatient(call_, request));
  }
  v1::ListPatientsResponse List(v1::ListPatientsRequest request) {
    *request.mutable_actor() = Operator();
    auto response = Wait(service_.ListPatients(call_, request));
    EXPECT_TRUE(response.ok()) << Text(response.status());
    return response.value_or(v1::ListPatientsResponse());
  }
  std::vector<std::string> Find(const std::string& query) {
    v1::ListPatientsRequest request;
    request.set_query(query);
    std::vector<std::string> names;
    const auto response = List(request);
    for (const auto& patient : response.patients()) names.push_back(patient.name());
    return names;
  }
  absl::StatusOr<v1::LinkContactResponse> Link(const std::string& patient_id, const std::string& contact_id) {
    v1::LinkContactRequest request;
    request.set_commit_id(NewUuid());
    request.set_patient_id(patient_id);
    request.set_contact_id(contact_id);
    *request.mutable_actor() = Operator();
    return Wait(service_.LinkContact(call_, request));
  }
  absl::StatusOr<v1::GetPatientResponse> Get(const v1::GetPatientRequest& request) {
    v1::GetPatientRequest full = request;
    if (!full.has_actor()) *full.mutable_actor() = Operator();
    return Wait(service_.GetPatient(call_, full));
  }
  absl::StatusOr<v1::GetPatientResponse> GetById(const std::string& id) {
    v1::GetPatientRequest request;
    request.set_patient_id(id);
    return Get(request);
  }
  absl::StatusOr<v1::VerifyPatientResponse> Verify(const std::string& contact_id, const std::string& birth_date,
                                                   const std::string& record) {
    v1::VerifyPatientRequest request;
    request.set_contact_id(contact_id);
    request.set_birth_date(birth_date);
    request.set_record_number(record);
    *request.mutable_actor() = Service();
    return Wait(service_.VerifyPatient(call_, request));
  }
  absl::StatusOr<v1::ErasePatientResponse> Erase(const v1::ErasePatientRequest& request) {
    v1::ErasePatientRequest full = request;
    if (full.commit_id().empty()) full.set_commit_id(NewUuid());
    if (!full.has_actor()) *full.mutable_actor() = Operator();
    return Wait(service_.ErasePatient(call_, full));
  }
  static v1::ErasePatientRequest Contact(const std::string& id) {
    v1::ErasePatientRequest request;
    request.set_contact_id(id);
    return request;
  }
  static v1::ErasePatientRequest Whole(const std::string& id) {
    v1::ErasePatientRequest request;
    request.set_patient_id(id);
    return request;
  }
  std::string Export(const std::string& patient_id) {
    v1::ExportPatientRequest request;
    request.set_patient_id(patient_id);
    *request.mutable_actor() = Operator();
    CollectedStream<v1::ExportPatientResponse> stream;
    const absl::Status status = Wait(service_.ExportPatient(call_, request, stream));
    EXPECT_TRUE(status.ok()) << Text(status);
    std::string text;
    for (const auto& message : stream.messages) {
      EXPECT_LE(message.chunk().size(), 65'536u);
      EXPECT_FALSE(message.chunk().empty());
      text += message.chunk();
    }
    return text;
  }
  // The tables that hold the text anywhere, searched row by row as text.
  std::string TablesWith(const std::string& text) {
    return database_.Value(
        "select string_agg(t, ' ') from (select format('%I.%I', table_schema, table_name) as t from "
        "information_schema.tables where table_schema in ('public', 'medidesk') and table_type = 'BASE TABLE') x where "
        "(xpath('/row/n/text()', query_to_xml(format('select count(*) as n from %s r where r::text ilike %L', t, '%" +
        text + "%'), false, true, '')))[1]::text <> '0'");
  }
  bool ChainHolds() {
    Seal();
    const pqxx::result row =
        database_.Sql("select broken_position is null, checked from medidesk.verify_seals(1, null, 100000)");
    EXPECT_GT(row[0][1].as<int>(), 0);
    return row[0][0].as<bool>();
  }
  // As if a minute had passed.
  void LetTurnsAge() {
    database_.Sql(
        "update turns set opened_at = opened_at - interval '2 minutes', claim_until = null where state <> 'answered'");
  }

  PatientService service_;
};

TEST_F(PatientServiceTest, KeepsAPatientAndFindsIt) {
  v1::Patient patient;
  patient.set_name("Asha Verma");
  patient.set_phone("+1 (555) 010-0001");
  patient.set_email("asha@example.org");
  patient.set_birth_date("1980-02-29");
  patient.set_record_number("H_100%");
  patient.set_note(std::string("line\0end", 8));
  const auto created = TryCreate(patient);
  ASSERT_TRUE(created.ok()) << Text(created.status());
  EXPECT_EQ(created->patient().phone(), "+15550100001");
  EXPECT_EQ(created->patient().note(), "line\uFFFDend") << "a NUL cannot be stored";
  EXPECT_GT(created->patient().create_time().seconds(), 0);
  Create("Bina");
  for (const char* query : {"VERMA", "asha@", "h_100%", "0100001", "+1 555 010"}) {
    EXPECT_THAT(Find(query), ElementsAre("Asha Verma")) << query;
  }
  EXPECT_THAT(Find("%"), ElementsAre("Asha Verma"));
  EXPECT_THAT(Find(""), ElementsAre("Asha Verma", "Bina"));
  v1::GetPatientRequest by_phone;
  by_phone.set_phone("15550100001");
  EXPECT_EQ(Get(by_phone)->patient().id(), created->patient().id());
  EXPECT_EQ(GetById(NewUuid()).status().code(), absl::StatusCode::kNotFound);
}

TEST_F(PatientServiceTest, CreatesOncePerCommitAndRefusesATakenNumber) {
  v1::Patient patient;
  patient.set_name("Asha");
  patient.set_phone("+15550100001");
  const std::string commit = NewUuid();
  const std::string id = TryCreate(patient, commit)->patient().id();
  EXPECT_EQ(TryCreate(patient, commit)->patient().id(), id);
  EXPECT_EQ(TryCreate(patient).status().code(), absl::StatusCode::kAlreadyExists);
  EXPECT_EQ(database_.Value<int>("select count(*) from patients"), 1);
  patient.set_phone("12");
  EXPECT_EQ(rpc::InvalidFieldName(TryCreate(patient).status()), "patient.phone");
  patient.clear_phone();
  patient.set_birth_date("1981-02-29");
  EXPECT_EQ(rpc::InvalidFieldName(TryCreate(patient).status()), "patient.birth_date");
}

TEST_F(PatientServiceTest, ChangesNamedFieldsAndHoldsToTheEtag) {
  v1::Patient patient = Create("Asha", "+15550100001", "H1");
  patient.set_name("Asha Rao");
  patient.set_phone("");
  patient.set_note("not named");
  auto updated = Update(patient, {"name", "phone"});
  ASSERT_TRUE(updated.ok()) << Text(updated.status());
  EXPECT_EQ(updated->patient().name(), "Asha Rao");
  EXPECT_EQ(updated->patient().phone(), "");
  EXPECT_EQ(updated->patient().note(), "");
  EXPECT_EQ(updated->patient().record_number(), "H1");
  EXPECT_EQ(Update(patient, {"name"}).status().code(), absl::StatusCode::kAborted) << "the etag of before";
  EXPECT_EQ(rpc::InvalidFieldName(Update(patient, {"id"}).status()), "update_mask");
  EXPECT_EQ(rpc::InvalidFieldName(Update(patient, {}).status()), "update_mask");
}

TEST_F(PatientServiceTest, PagesByNameThenId) {
  for (const char* name : {"Carl", "Asha", "Bina", "Asha"}) Create(name);
  v1::ListPatientsRequest request;
  request.set_page_size(3);
  const auto page = List(request);
  std::vector<std::string> names;
  for (const auto& patient : page.patients()) names.push_back(patient.name());
  EXPECT_THAT(names, ElementsAre("Asha", "Asha", "Bina"));
  request.set_page_token(page.next_page_token());
  EXPECT_THAT(List(request).patients(), SizeIs(1));
  request.set_query("asha");
  *request.mutable_actor() = Operator();
  EXPECT_EQ(rpc::InvalidFieldName(Wait(service_.ListPatients(call_, request)).status()), "page_token");
}

TEST_F(PatientServiceTest, TiesContactsAndPatients) {
  const std::string contact = Accept("hello").contact_id();
  const v1::Patient child = Create("Child"), other = Create("Other");
  const auto linked = Link(child.id(), contact);
  ASSERT_TRUE(linked.ok()) << Text(linked.status());
  EXPECT_THAT(linked->patient().contact_ids(), ElementsAre(contact));
  EXPECT_EQ(Link(child.id(), contact)->patient().etag(), linked->patient().etag()) << "nothing changed";
  v1::GetPatientRequest by_contact;
  by_contact.set_contact_id(contact);
  EXPECT_EQ(Get(by_contact)->patient().id(), child.id());
  ASSERT_TRUE(Link(other.id(), contact).ok());
  EXPECT_EQ(rpc::Reason(Get(by_contact).status()), "SEVERAL_PATIENTS");
  v1::ListPatientsRequest list;
  list.set_contact_id(contact);
  EXPECT_THAT(List(list).patients(), SizeIs(2));
  EXPECT_EQ(Link(NewUuid(), contact).status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(Link(child.id(), NewUuid()).status().code(), absl::StatusCode::kNotFound);
  v1::UnlinkContactRequest unlink;
  unlink.set_commit_id(NewUuid());
  unlink.set_patient_id(child.id());
  unlink.set_contact_id(contact);
  *unlink.mutable_actor() = Operator();
  EXPECT_THAT(Wait(service_.UnlinkContact(call_, unlink))->patient().contact_ids(), IsEmpty());
  EXPECT_EQ(Get(by_contact)->patient().id(), other.id());
}

TEST_F(PatientServiceTest, LetsATieFollowAMerge) {
  const v1::Turn turn = Accept("hello");
  Answer(turn, "hi");
  const std::string lid =
      database_.Value("insert into contacts (lid, created_at) values ('4711', now() - interval '1 day') returning id");
  const v1::Patient patient = Create("Asha");
  ASSERT_TRUE(Link(patient.id(), turn.contact_id()).ok());
  const std::string kept = database_.Value("select medidesk.learn_address('+15550100001', '4711')");
  EXPECT_EQ(kept, lid) << "the older one survives";
  EXPECT_THAT(GetById(patient.id())->patient().contact_ids(), ElementsAre(kept));
  EXPECT_TRUE(Link(patient.id(), turn.contact_id()).ok()) << "an id of before stands for the survivor";
}

TEST_F(PatientServiceTest, VerifiesByTwoFactsAndFewTries) {
  const std::string contact = Accept("hello").contact_id(), stranger = Accept("x", "+15550100002").contact_id();
  const v1::Patient patient = Create("Asha", "", "H1");
  ASSERT_TRUE(Link(patient.id(), contact).ok());
  EXPECT_TRUE(Verify(contact, "1980-02-29", "H1")->verified());
  EXPECT_EQ(Verify(contact, "1980-02-29", "H1")->patient_id(), patient.id());
  EXPECT_FALSE(Verify(stranger, "1980-02-29", "H1")->verified()) << "right, but of another";
  for (int left = 4; left >= 0; --left) {
    const auto wrong = Verify(contact, left % 2 == 0 ? "1980-02-28" : "1980-02-29", left % 2 == 0 ? "H1" : "H2");
    ASSERT_TRUE(wrong.ok()) << Text(wrong.status());
    EXPECT_FALSE(wrong->verified());
    EXPECT_EQ(wrong->patient_id(), "");
    EXPECT_EQ(wrong->tries_left(), left);
  }
  EXPECT_EQ(Verify(contact, "1980-02-29", "H1").status().code(), absl::StatusCode::kResourceExhausted);
  EXPECT_TRUE(Verify(stranger, "1980-02-29", "H1").ok()) << "counted for each contact";
  database_.Sql("update medidesk.failed_verifications set at = at - interval '25 hours'");
  EXPECT_TRUE(Verify(contact, "1980-02-29", "H1")->verified());
  EXPECT_THAT(database_.Value("select string_agg(detail, ' ') from audit_log"), Not(HasSubstr("H1")));
}

TEST_F(PatientServiceTest, RecordsWhoReads) {
  v1::GetPatientRequest request;
  request.set_patient_id(Create("Asha").id());
  *request.mutable_actor() = Staff("0190a000-0000-7000-8000-000000000001");
  ASSERT_TRUE(Get(request).ok());
  EXPECT_EQ(
      database_.Value("select actor || ' ' || resource || ' ' || resource_id from audit_log where action = 'read'"),
      "0190a000-0000-7000-8000-000000000001 patient " + request.patient_id());
  request.mutable_actor()->Clear();
  EXPECT_EQ(rpc::InvalidFieldName(Wait(service_.GetPatient(call_, request)).status()), "actor.kind");
}

TEST_F(PatientServiceTest, ExportsEverythingOfOnePatientAndNothingOfAnother) {
  const v1::Turn turn = Accept("my knee \"hurts\"\n\u00e9", "+15550100001", "Asha");
  Answer(turn, std::string(60'000, 'k'));
  Answer(Accept(std::string(60'000, 'q')), "more than one chunk");
  Answer(Accept("secret of somebody else", "+15550100002"), "other answer");
  database_.Sql("insert into tasks (conversation_id, reason, summary) values ('" + turn.conversation_id() +
                "', 'no_answer', 'knee')");
  const v1::Patient patient = Create("Asha Verma", "+15550100001", "H1");
  ASSERT_TRUE(Link(patient.id(), turn.contact_id()).ok());
  const std::string text = Export(patient.id());
  boost::system::error_code error;
  const json::value document = json::parse(boost::core::string_view(text.data(), text.size()), error);
  ASSERT_FALSE(error) << "not JSON";
  const auto& object = document.get_object();
  EXPECT_EQ(object.at("patients").at(0).at("name").as_string(), "Asha Verma");
  EXPECT_EQ(object.at("contacts").as_array().size(), 1u);
  ASSERT_EQ(object.at("messages").as_array().size(), 4u);
  EXPECT_EQ(object.at("messages").at(0).at("content").as_string(), "my knee \"hurts\"\n\u00e9");
  EXPECT_EQ(object.at("replies").as_array().size(), 2u);
  EXPECT_EQ(object.at("tasks").at(0).at("summary").as_string(), "knee");
  EXPECT_GE(object.at("audit_entries").as_array().size(), 4u) << "message, reply, link, this export";
  EXPECT_THAT(text, Not(HasSubstr("somebody else")));
  EXPECT_EQ(database_.Value("select resource_id from audit_log where action = 'export'"), patient.id());

  v1::ExportPatientRequest request;
  request.set_patient_id(NewUuid());
  *request.mutable_actor() = Operator();
  CollectedStream<v1::ExportPatientResponse> stream;
  EXPECT_EQ(Wait(service_.ExportPatient(call_, request, stream)).code(), absl::StatusCode::kNotFound);
  PatientService small(dispatcher_, pool_, {.max_export_bytes = 1000});
  request.set_patient_id(patient.id());
  EXPECT_EQ(Wait(small.ExportPatient(call_, request, stream)).code(), absl::StatusCode::kOutOfRange);
  EXPECT_THAT(stream.messages, IsEmpty());
}

TEST_F(PatientServiceTest, ErasesTextsNamesNumbersAndKeysAndKeepsTheChain) {
  const v1::Turn turn = Accept("zebrafish pain", "+15550100001", "Zebrafish Verma");
  Answer(turn, "about your zebrafish");
  database_.Sql("insert into tasks (conversation_id, reason, summary) values ('" + turn.conversation_id() +
                "', 'no_answer', 'zebrafish')");
  const v1::Patient patient = Create("Zebrafish Verma", "+15550100001", "zebrafish-1");
  ASSERT_TRUE(Link(patient.id(), turn.contact_id()).ok());
  if (database_.Value("select to_regclass('medidesk.device_state')::text") != "") {
    const std::string number = database_.Value("select id from numbers limit 1");
    for (const char* key : {"15550100001.0", "15550100001@s.whatsapp.net", "155501000012.0"}) {
      database_.Sql("insert into medidesk.device_state values ('" + number + "', 2, '" + key + "', 'x', 1)");
    }
  }
  const std::string mac = "select count(*) from audit_log where content_mac is not null";
  const int macs = database_.Value<int>(mac);
  ASSERT_TRUE(ChainHolds());
  EXPECT_THAT(TablesWith("zebrafish"), HasSubstr("messages"));

  const v1::ErasePatientRequest request = [&] {
    v1::ErasePatientRequest whole = Whole(patient.id());
    whole.set_commit_id(NewUuid());
    return whole;
  }();
  const auto erased = Erase(request);
  ASSERT_TRUE(erased.ok()) << Text(erased.status());
  EXPECT_EQ(erased->message_count(), 2);
  EXPECT_EQ(erased->conversation_count(), 1);
  EXPECT_EQ(erased->contact_count(), 1);
  EXPECT_EQ(erased->task_count(), 1);
  if (database_.Value("select to_regclass('medidesk.device_state')::text") != "") {
    EXPECT_EQ(database_.Value("delete from medidesk.device_state returning key"), "155501000012.0")
        << "of another, longer number; the others are gone";
  }
  EXPECT_EQ(TablesWith("zebrafish"), "");
  EXPECT_EQ(TablesWith("15550100001"), "") << "the number is in no row";
  EXPECT_EQ(
      database_.Value<int>("select count(*) from medidesk.audit_keys where contact_id = '" + turn.contact_id() + "'"),
      0);
  EXPECT_EQ(database_.Value<int>(mac), macs) << "what is sealed stays as it is";
  EXPECT_EQ(database_.Value("select 'x' from tasks where state <> 'done'"), "") << "nobody to call";
  EXPECT_TRUE(ChainHolds());
  EXPECT_EQ(GetById(patient.id()).status().code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(Find(""), IsEmpty());

  const auto repeated = Erase(request);
  EXPECT_EQ(repeated->message_count(), 2) << "the first outcome";
  EXPECT_EQ(repeated->audit_record_id(), erased->audit_record_id());
  const auto again = Erase(Whole(patient.id()));
  ASSERT_TRUE(again.ok()) << Text(again.status());
  EXPECT_EQ(again->message_count() + again->contact_count() + again->task_count() + again->conversation_count(), 0);
  EXPECT_EQ(again->audit_record_id(), erased->audit_record_id());

  v1::GetConversationRequest old;
  old.set_conversation_id(turn.conversation_id());
  EXPECT_TRUE(Wait(conversations_.GetConversation(call_, old)).ok()) << "ids keep resolving";
  const v1::Turn anew = Accept("hello again");
  EXPECT_NE(anew.contact_id(), turn.contact_id()) << "nothing ties the number to what was";
  EXPECT_NE(anew.conversation_id(), turn.conversation_id());
}

TEST_F(PatientServiceTest, ErasesAContactWithAllThatWasMergedIntoIt) {
  Answer(Accept("zebrafish one"), "ok");
  database_.Sql("insert into contacts (lid, name) values ('4711', 'Zebrafish')");
  const std::string kept = database_.Value("select medidesk.learn_address('+15550100001', '4711')");
  ASSERT_TRUE(Erase(Contact(kept)).ok());
  EXPECT_EQ(TablesWith("zebrafish"), "");
  EXPECT_EQ(database_.Value<int>("select count(*) from medidesk.audit_keys"), 0);
}

TEST_F(PatientServiceTest, KeepsAContactThatAnotherPatientShares) {
  const v1::Turn turn = Accept("for both");
  Answer(turn, "ok");
  const v1::Patient one = Create("One"), two = Create("Two");
  ASSERT_TRUE(Link(one.id(), turn.contact_id()).ok() && Link(two.id(), turn.contact_id()).ok());
  EXPECT_EQ(Erase(Whole(one.id()))->contact_count(), 0);
  EXPECT_THAT(TablesWith("for both"), HasSubstr("messages"));
  EXPECT_THAT(GetById(two.id())->patient().contact_ids(), ElementsAre(turn.contact_id()));
  EXPECT_EQ(Erase(Whole(two.id()))->contact_count(), 1);
  EXPECT_EQ(TablesWith("for both"), "");
}

TEST_F(PatientServiceTest, WaitsForAnAnswerInTheMakingAndEndsForgottenTurns) {
  const v1::Turn turn = Accept("hello");
  const auto refused = Erase(Contact(turn.contact_id()));
  EXPECT_EQ(refused.status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(rpc::Reason(refused.status()), "TURN_OPEN");
  EXPECT_THAT(TablesWith("hello"), HasSubstr("messages")) << "nothing was changed";
  LetTurnsAge();
  ASSERT_TRUE(Erase(Contact(turn.contact_id())).ok());
  EXPECT_EQ(database_.Value("select state || ' ' || skip_reason from turns"), "skipped empty");
  v1::CommitReplyRequest late;
  late.set_turn_id(turn.id());
  late.set_commit_id(NewUuid());
  late.set_origin(v1::REPLY_ORIGIN_BOT);
  late.set_text("too late");
  const auto committed = Wait(conversations_.CommitReply(call_, late));
  EXPECT_FALSE(committed->committed());
  EXPECT_EQ(TablesWith("too late"), "");
}

TEST_F(PatientServiceTest, TakesWhatWaitsForDeliveryBack) {
  const v1::Turn turn = Accept("hello");
  Answer(turn, "hi");
  database_.Sql("update numbers set kind = 'whatsapp'");
  v1::QueueOutboundRequest outbound;
  outbound.set_commit_id(NewUuid());
  outbound.set_conversation_id(turn.conversation_id());
  outbound.set_origin(v1::REPLY_ORIGIN_SERVICE);
  outbound.set_text("come tomorrow");
  ASSERT_TRUE(Wait(conversations_.QueueOutbound(call_, outbound)).ok());
  ASSERT_TRUE(Erase(Contact(turn.contact_id())).ok());
  EXPECT_EQ(database_.Value("select state || ' ' || failure from reply_parts"), "discarded erased");
}

TEST_F(PatientServiceTest, LetsOnlyAnAdminErase) {
  const std::string contact = Accept("hello").contact_id();
  LetTurnsAge();
  auto request = Contact(contact);
  *request.mutable_actor() = Service();
  EXPECT_EQ(Erase(request).status().code(), absl::StatusCode::kPermissionDenied);
  *request.mutable_actor() = Staff(NewUuid());
  EXPECT_EQ(Erase(request).status().code(), absl::StatusCode::kPermissionDenied);
  EXPECT_EQ(database_.Value<int>("select count(*) from audit_log where action = 'erase' and outcome = 'denied'"), 2);
  EXPECT_THAT(TablesWith("hello"), HasSubstr("messages"));
}

TEST_F(PatientServiceTest, EndsOldTextsInBoundedBatches) {
  for (int i = 0; i < 3; ++i) {
    const v1::Turn turn = Accept("old words", "+1555010000" + std::to_string(i));
    Answer(turn, "old answer");
  }
  database_.Sql("update messages set created_at = now() - interval '31 days'");
  Answer(Accept("young words", "+15550100000"), "young answer");
  Answer(Accept("young words", "+15550100009"), "young answer");
  const std::string keys = "select string_agg(inner_block::text, ',' order by contact_id) from medidesk.audit_keys";
  const std::string before = database_.Value(keys);
  ASSERT_TRUE(ChainHolds());
  int expired = 0, calls = 0;
  while (calls < 100) {
    const pqxx::result row = database_.Sql("select expired, done from medidesk.expire_texts(30, 2, 3)");
    EXPECT_LE(row[0][0].as<int>(), 3);
    expired += row[0][0].as<int>();
    ++calls;
    if (row[0][1].as<bool>()) break;
  }
  EXPECT_EQ(expired, 6);
  EXPECT_GT(calls, 2);
  EXPECT_EQ(TablesWith("old words"), "");
  EXPECT_EQ(TablesWith("old answer"), "");
  EXPECT_EQ(database_.Value<int>("select count(*) from messages where content like 'young%'"), 4);
  EXPECT_NE(database_.Value(keys), before) << "keys of contacts without any text are new";
  EXPECT_TRUE(ChainHolds());
  EXPECT_EQ(database_.Value<int>("select expired from medidesk.expire_texts(30, 100, 100)"), 0) << "done is done";
  database_.Sql("update messages set created_at = now() - interval '31 days' where content like 'young%'");
  EXPECT_EQ(database_.Value<int>("select expired from medidesk.expire_texts(30, 100, 100)"), 4)
      << "what has become old";
}

TEST_F(PatientServiceTest, EndsOldTextsByItselfWhenAsked) {
  Answer(Accept("old words"), "old answer");
  database_.Sql("update messages set created_at = now() - interval '31 days'");
  Maintenance maintenance({.url = Phi(database_.url()),
                           .migrate_url = Phi(database_.url()),
                           .seal = std::chrono::milliseconds(10),
                           .retention_days = 30},
                          metrics_);
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(60);
  while (metrics_.expired_texts.Value() < 2 && std::chrono::steady_clock::now() < deadline) {
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  EXPECT_EQ(metrics_.expired_texts.Value(), 2);
  maintenance.Stop();
  EXPECT_EQ(TablesWith("old words"), "");
}

}  // namespace
}  // namespace medidesk::store
