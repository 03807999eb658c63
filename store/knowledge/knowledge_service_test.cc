// KnowledgeService over a real PostgreSQL: import, export, single rows, history, revisions.
#include "store/service/knowledge_service.h"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/use_future.hpp>
#include <gmock/gmock.h>
#include <google/protobuf/util/message_differencer.h>
#include <gtest/gtest.h>

#include <condition_variable>
#include <fstream>
#include <future>
#include <mutex>
#include <sstream>
#include <vector>

#include "base/io_threads.h"
#include "store/knowledge/hospital_file.h"
#include "store/testing/test_database.h"

namespace medidesk::store {
namespace {

using namespace std::chrono_literals;
using google::protobuf::util::MessageDifferencer;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::SizeIs;
using ::testing::StartsWith;

std::string SampleFile() {
  std::ifstream file("examples/hospital.yaml");  // tests run in the repository's root
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

std::string Replaced(std::string text, std::string_view from, std::string_view to) {
  const std::size_t at = text.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  return text.replace(at, from.size(), to);
}

class Revisions final : public rpc::StreamWriter<v1::KnowledgeServiceWatchResponse> {
 public:
  asio::awaitable<bool> Write(v1::KnowledgeServiceWatchResponse message) override {
    const std::lock_guard lock(mutex_);
    seen_.push_back(message.revision());
    changed_.notify_all();
    co_return true;
  }
  // False when the revision was not told within 10 s, which only a fault takes.
  bool WaitFor(std::int64_t revision) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, 10s, [&] { return !seen_.empty() && seen_.back() == revision; });
  }
  std::vector<std::int64_t> seen() {
    const std::lock_guard lock(mutex_);
    return seen_;
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<std::int64_t> seen_;
};

class KnowledgeServiceTest : public ::testing::Test {
 protected:
  KnowledgeServiceTest()
      : metrics_(registry_),
        io_(2),
        pool_({.url = Phi(database_.url()), .connections = 3}, metrics_),
        other_pool_({.url = Phi(database_.url()), .connections = 1}, metrics_),
        repository_(pool_),
        other_repository_(other_pool_),
        dispatcher_(io_.executor(), registry_, {.service = "store"}),
        service_(dispatcher_, repository_, {.watch_poll = 20ms}),
        other_(dispatcher_, other_repository_, {.watch_poll = 20ms}) {
    call_.deadline = rpc::Call::Clock::now() + 60s;
  }

  template <class T>
  T Wait(asio::awaitable<T> work) {
    return asio::co_spawn(io_.executor(), std::move(work), asio::use_future).get();
  }
  // Calls a handler of `service_`.
  template <class Response, class Request>
  absl::StatusOr<Response> Do(asio::awaitable<absl::StatusOr<Response>> (KnowledgeService::*handler)(const rpc::Call&,
                                                                                                     const Request&),
                              const Request& request) {
    return Wait((service_.*handler)(call_, request));
  }
  template <class Response, class Request>
  Response Must(asio::awaitable<absl::StatusOr<Response>> (KnowledgeService::*handler)(const rpc::Call&,
                                                                                       const Request&),
                const Request& request) {
    auto response = Do(handler, request);
    EXPECT_TRUE(response.ok()) << Text(response.status());
    return response.ok() ? *std::move(response) : Response();
  }

  absl::StatusOr<v1::KnowledgeServiceImportResponse> Import(const std::string& content, bool dry_run = false) {
    v1::KnowledgeServiceImportRequest request;
    request.set_content(content);
    request.set_file_name("h.yaml");
    request.set_dry_run(dry_run);
    request.mutable_actor()->set_kind(v1::ACTOR_KIND_OPERATOR);
    return Do(&KnowledgeService::Import, request);
  }
  v1::KnowledgeServiceImportResponse ImportSample() {
    auto response = Import(SampleFile());
    EXPECT_TRUE(response.ok()) << Text(response.status());
    return response.ok() ? *response : v1::KnowledgeServiceImportResponse();
  }
  v1::GetFactsResponse FactsNow() { return Must(&KnowledgeService::GetFacts, v1::GetFactsRequest()); }
  static v1::ImportCount CountOf(const v1::KnowledgeServiceImportResponse& response, v1::KnowledgeKind kind) {
    for (const auto& count : response.counts()) {
      if (count.kind() == kind) return count;
    }
    return {};
  }

  testing::TestDatabase database_;
  prometheus::Registry registry_;
  StoreMetrics metrics_;
  IoThreads io_;
  DbPool pool_, other_pool_;
  KnowledgeRepository repository_, other_repository_;
  rpc::Dispatcher dispatcher_;
  KnowledgeService service_, other_;  // two processes on one database
  rpc::Call call_;
};

TEST_F(KnowledgeServiceTest, HasNoFactsAtFirst) {
  const auto facts = FactsNow();
  EXPECT_EQ(facts.revision(), 0);
  EXPECT_FALSE(facts.has_hospital());
  EXPECT_EQ(Do(&KnowledgeService::GetHospital, v1::GetHospitalRequest()).status().code(), absl::StatusCode::kNotFound);
  v1::CreateFaqRequest create;
  create.mutable_faq()->set_key("parking");
  EXPECT_EQ(Do(&KnowledgeService::CreateFaq, create).status().code(), absl::StatusCode::kFailedPrecondition);
}

TEST_F(KnowledgeServiceTest, StoresExactlyWhatTheFileHolds) {
  const auto imported = ImportSample();
  EXPECT_EQ(imported.revision(), 1);
  const auto wanted = ParseHospitalFile(SampleFile(), "h.yaml");
  ASSERT_TRUE(wanted.ok());
  EXPECT_EQ(CountOf(imported, v1::KNOWLEDGE_KIND_FAQ).added(), wanted->faqs_size());
  EXPECT_EQ(CountOf(imported, v1::KNOWLEDGE_KIND_HOSPITAL).added(), 1);

  const auto facts = FactsNow();
  EXPECT_EQ(facts.revision(), 1);
  EXPECT_EQ(facts.hospital().revision(), 1);
  EXPECT_TRUE(facts.faqs(0).has_update_time());
  // Every field of every row came back from the database: what is left out of a file is what the store sets.
  EXPECT_EQ(WriteHospitalFile(facts), WriteHospitalFile(*wanted));
  // The other process has nothing in memory: its facts come from the tables.
  const auto read = Wait(other_.GetFacts(call_, v1::GetFactsRequest()));
  ASSERT_TRUE(read.ok()) << Text(read.status());
  EXPECT_TRUE(MessageDifferencer::Equals(*read, facts));
}

TEST_F(KnowledgeServiceTest, ImportsAnEqualFileWithoutANewRevision) {
  ImportSample();
  const auto again = ImportSample();
  EXPECT_EQ(again.revision(), 1);
  EXPECT_EQ(again.changes_size(), 0);
  const auto exported = Must(&KnowledgeService::Export, v1::KnowledgeServiceExportRequest());
  EXPECT_EQ(exported.revision(), 1);
  const auto round = Import(exported.content());
  ASSERT_TRUE(round.ok()) << Text(round.status());
  EXPECT_EQ(round->revision(), 1);
  EXPECT_EQ(round->changes_size(), 0);
}

TEST_F(KnowledgeServiceTest, TellsWhatAnImportWouldChange) {
  ImportSample();
  std::string file = Replaced(SampleFile(), "key: parking\n", "key: car-park\n");
  file = Replaced(file, "Cardiology\n    aliases: [heart,", "Cardiology\n    aliases: [the heart,");
  const auto planned = Import(file, /*dry_run=*/true);
  ASSERT_TRUE(planned.ok()) << Text(planned.status());
  EXPECT_THAT(planned->changes(), ElementsAre("~ departments.cardiology", "+ faqs.car-park", "- faqs.parking"));
  EXPECT_EQ(planned->revision(), 1);
  EXPECT_EQ(FactsNow().revision(), 1);
  const auto count = CountOf(*planned, v1::KNOWLEDGE_KIND_FAQ);
  EXPECT_EQ(count.added(), 1);
  EXPECT_EQ(count.removed(), 1);
  EXPECT_EQ(count.changed(), 0);
  EXPECT_EQ(count.unchanged(), FactsNow().faqs_size() - 1);
  ASSERT_EQ(planned->differences_size(), 3);
  ASSERT_EQ(planned->differences(0).fields_size(), 1);
  EXPECT_EQ(planned->differences(0).fields(0).field(), "aliases");
  EXPECT_THAT(planned->differences(0).fields(0).before(), StartsWith("heart\n"));
  EXPECT_THAT(planned->differences(0).fields(0).after(), StartsWith("the heart\n"));
  EXPECT_EQ(planned->differences(2).action(), v1::KNOWLEDGE_ACTION_DELETED);

  const auto done = Import(file);
  ASSERT_TRUE(done.ok()) << Text(done.status());
  EXPECT_EQ(done->revision(), 2);
  EXPECT_EQ(database_.Value<int>("select count(*) from public.faqs where key = 'parking'"), 0);
  EXPECT_EQ(database_.Value<int>("select count(*) from public.faqs where revision = 2"), 1);
}

TEST_F(KnowledgeServiceTest, RemovesADepartmentTogetherWithItsDoctors) {
  ImportSample();
  auto facts = ParseHospitalFile(SampleFile(), "h.yaml");
  ASSERT_TRUE(facts.ok());
  facts->mutable_doctors()->erase(std::remove_if(facts->mutable_doctors()->begin(), facts->mutable_doctors()->end(),
                                                 [](const auto& row) { return row.department_key() == "neurology"; }),
                                  facts->mutable_doctors()->end());
  facts->mutable_departments()->erase(
      std::remove_if(facts->mutable_departments()->begin(), facts->mutable_departments()->end(),
                     [](const auto& row) { return row.key() == "neurology"; }),
      facts->mutable_departments()->end());
  const auto done = Import(WriteHospitalFile(*facts));
  ASSERT_TRUE(done.ok()) << Text(done.status());
  EXPECT_EQ(CountOf(*done, v1::KNOWLEDGE_KIND_DEPARTMENT).removed(), 1);
  EXPECT_EQ(CountOf(*done, v1::KNOWLEDGE_KIND_DOCTOR).removed(), 2);
}

TEST_F(KnowledgeServiceTest, RefusesAFileWithMistakesAsAWhole) {
  ImportSample();
  std::string file = Replaced(SampleFile(), "question: Is there parking?", "question: Where to park?");
  for (int i = 0; i < 30; ++i) file += "mistake" + std::to_string(i) + ": 1\n";
  const auto refused = Import(file);
  EXPECT_EQ(refused.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(Text(refused.status())), StartsWith("h.yaml:"));
  EXPECT_LE(Text(refused.status()).size(), 1024u) << "a longer text is cut on the wire";
  EXPECT_THAT(std::string(Text(refused.status())), HasSubstr("a dry run lists them"));
  const auto planned = Import(file, /*dry_run=*/true);
  ASSERT_TRUE(planned.ok()) << Text(planned.status());
  EXPECT_THAT(planned->problems(), SizeIs(30)) << "a check that was asked for lists them all";
  EXPECT_EQ(planned->counts_size(), 0);
  EXPECT_EQ(FactsNow().revision(), 1);
}

TEST_F(KnowledgeServiceTest, KeepsSingleRows) {
  ImportSample();
  v1::CreateFaqRequest create;
  v1::Faq* faq = create.mutable_faq();
  faq->set_key("helipad");
  faq->set_category("general");
  faq->set_question("  Is there a helipad? ");
  faq->set_answer("Yes, on the roof of Block B.");
  const auto created = Must(&KnowledgeService::CreateFaq, create);
  EXPECT_EQ(created.faq().question(), "Is there a helipad?");
  EXPECT_EQ(created.faq().revision(), 2);
  EXPECT_EQ(Do(&KnowledgeService::CreateFaq, create).status().code(), absl::StatusCode::kAlreadyExists);

  v1::UpdateFaqRequest update;
  *update.mutable_faq() = created.faq();
  update.mutable_faq()->set_answer("No.");
  update.set_expected_revision(1);
  EXPECT_EQ(Do(&KnowledgeService::UpdateFaq, update).status().code(), absl::StatusCode::kAborted);
  update.set_expected_revision(2);
  EXPECT_EQ(Must(&KnowledgeService::UpdateFaq, update).faq().revision(), 3);
  update.set_expected_revision(3);
  EXPECT_EQ(Must(&KnowledgeService::UpdateFaq, update).faq().revision(), 3) << "equal content is no change";

  v1::GetFaqRequest get;
  get.set_key("helipad");
  EXPECT_EQ(Must(&KnowledgeService::GetFaq, get).faq().answer(), "No.");

  v1::DeleteFaqRequest remove;
  remove.set_key("helipad");
  remove.set_expected_revision(2);
  EXPECT_EQ(Do(&KnowledgeService::DeleteFaq, remove).status().code(), absl::StatusCode::kAborted);
  remove.set_expected_revision(3);
  EXPECT_EQ(Must(&KnowledgeService::DeleteFaq, remove).revision(), 4);
  EXPECT_EQ(Do(&KnowledgeService::GetFaq, get).status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(Do(&KnowledgeService::DeleteFaq, remove).status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(Do(&KnowledgeService::UpdateFaq, update).status().code(), absl::StatusCode::kNotFound);
}

TEST_F(KnowledgeServiceTest, HoldsSingleRowsToTheRules) {
  ImportSample();
  v1::CreateFaqRequest faq;
  EXPECT_EQ(rpc::InvalidFieldName(Do(&KnowledgeService::CreateFaq, faq).status()), "faq");
  faq.mutable_faq()->set_key("Bad Key");
  EXPECT_EQ(rpc::InvalidFieldName(Do(&KnowledgeService::CreateFaq, faq).status()), "faq.key");
  faq.mutable_faq()->set_key("link");
  faq.mutable_faq()->set_category("general");
  faq.mutable_faq()->set_question("Link?");
  faq.mutable_faq()->set_answer("https://evil.example");
  EXPECT_EQ(rpc::InvalidFieldName(Do(&KnowledgeService::CreateFaq, faq).status()), "faqs.link.answer");
  faq.mutable_faq()->set_answer(std::string("nul\0here", 8));
  EXPECT_EQ(rpc::InvalidFieldName(Do(&KnowledgeService::CreateFaq, faq).status()), "faqs.link.answer");

  v1::CreateDoctorRequest doctor;
  doctor.mutable_doctor()->set_key("nobody");
  doctor.mutable_doctor()->set_name("Nobody");
  doctor.mutable_doctor()->set_department_key("brain");
  EXPECT_EQ(Do(&KnowledgeService::CreateDoctor, doctor).status().code(), absl::StatusCode::kFailedPrecondition);
  v1::DeleteDepartmentRequest department;
  department.set_key("cardiology");
  EXPECT_EQ(Do(&KnowledgeService::DeleteDepartment, department).status().code(), absl::StatusCode::kFailedPrecondition);

  // A host that an answer links to cannot go.
  v1::UpdateHospitalRequest hospital;
  *hospital.mutable_hospital() = FactsNow().hospital();
  hospital.mutable_hospital()->clear_allowed_link_hosts();
  hospital.mutable_hospital()->clear_website();
  EXPECT_EQ(Do(&KnowledgeService::UpdateHospital, hospital).status().code(), absl::StatusCode::kInvalidArgument);
  faq.mutable_actor()->set_kind(v1::ACTOR_KIND_STAFF);
  EXPECT_EQ(rpc::InvalidFieldName(Do(&KnowledgeService::CreateFaq, faq).status()), "actor.id");
  EXPECT_EQ(FactsNow().revision(), 1);
}

TEST_F(KnowledgeServiceTest, UpdatesTheHospitalsSettings) {
  ImportSample();
  v1::UpdateHospitalRequest request;
  *request.mutable_hospital() = Must(&KnowledgeService::GetHospital, v1::GetHospitalRequest()).hospital();
  request.mutable_hospital()->set_phone("+91 22 5550 0199");
  request.set_expected_revision(1);
  EXPECT_EQ(Must(&KnowledgeService::UpdateHospital, request).hospital().revision(), 2);
  EXPECT_EQ(Do(&KnowledgeService::UpdateHospital, request).status().code(), absl::StatusCode::kAborted);
  EXPECT_EQ(database_.Value("select phone from public.hospital_settings"), "+91 22 5550 0199");
}

TEST_F(KnowledgeServiceTest, ListsPageByPageWithFilters) {
  ImportSample();
  const auto facts = FactsNow();
  v1::ListDoctorsRequest request;
  request.set_page_size(7);
  std::vector<std::string> keys;
  do {
    const auto page = Must(&KnowledgeService::ListDoctors, request);
    EXPECT_LE(page.doctors_size(), 7);
    for (const auto& row : page.doctors()) keys.push_back(row.key());
    request.set_page_token(page.next_page_token());
  } while (!request.page_token().empty() && keys.size() < 1000);
  ASSERT_EQ(keys.size(), static_cast<std::size_t>(facts.doctors_size()));
  for (std::size_t i = 0; i < keys.size(); ++i) EXPECT_EQ(keys[i], facts.doctors(static_cast<int>(i)).key());

  request.set_department_key("neurology");
  EXPECT_EQ(Must(&KnowledgeService::ListDoctors, request).doctors_size(), 2);
  v1::ListFaqsRequest hindi;
  hindi.set_language("hi");
  EXPECT_EQ(Must(&KnowledgeService::ListFaqs, hindi).faqs_size(), 3);
  request.set_page_size(1001);
  EXPECT_EQ(rpc::InvalidFieldName(Do(&KnowledgeService::ListDoctors, request).status()), "page_size");
  request.set_page_size(0);
  request.set_page_token("' or 1=1");
  EXPECT_EQ(rpc::InvalidFieldName(Do(&KnowledgeService::ListDoctors, request).status()), "page_token");
}

TEST_F(KnowledgeServiceTest, RecordsWhoChangedWhat) {
  ImportSample();
  const auto staff = "0193a3a0-0000-7000-8000-000000000001";
  v1::UpdateDepartmentRequest update;
  v1::GetDepartmentRequest get;
  get.set_key("cardiology");
  *update.mutable_department() = Must(&KnowledgeService::GetDepartment, get).department();
  update.mutable_department()->set_phone("+91 22 5550 0999");
  update.mutable_actor()->set_kind(v1::ACTOR_KIND_STAFF);
  update.mutable_actor()->set_id(staff);
  update.mutable_actor()->set_address("192.0.2.7");
  Must(&KnowledgeService::UpdateDepartment, update);

  v1::ListKnowledgeChangesRequest request;
  request.set_kind(v1::KNOWLEDGE_KIND_DEPARTMENT);
  request.set_key("cardiology");
  const auto history = Must(&KnowledgeService::ListKnowledgeChanges, request);
  ASSERT_EQ(history.changes_size(), 2);
  EXPECT_EQ(history.changes(0).action(), v1::KNOWLEDGE_ACTION_UPDATED);
  EXPECT_EQ(history.changes(0).revision(), 2);
  EXPECT_EQ(history.changes(0).actor().id(), staff);
  EXPECT_EQ(history.changes(0).actor().address(), "");
  EXPECT_THAT(history.changes(0).before(), HasSubstr("+91 22 5550 0131"));
  EXPECT_THAT(history.changes(0).after(), HasSubstr("+91 22 5550 0999"));
  EXPECT_EQ(history.changes(1).action(), v1::KNOWLEDGE_ACTION_CREATED);
  EXPECT_EQ(history.changes(1).actor().kind(), v1::ACTOR_KIND_OPERATOR);
  EXPECT_EQ(history.changes(1).before(), "");

  // The hospital's settings have no key of their own and are asked for by kind.
  request.Clear();
  request.set_kind(v1::KNOWLEDGE_KIND_HOSPITAL);
  const auto settings = Must(&KnowledgeService::ListKnowledgeChanges, request);
  ASSERT_EQ(settings.changes_size(), 1);
  EXPECT_THAT(settings.changes(0).after(), HasSubstr("Sunrise Hospital"));

  request.Clear();
  request.set_page_size(50);
  std::size_t count = 0;
  do {
    const auto page = Must(&KnowledgeService::ListKnowledgeChanges, request);
    count += static_cast<std::size_t>(page.changes_size());
    request.set_page_token(page.next_page_token());
  } while (!request.page_token().empty() && count < 10'000);
  EXPECT_EQ(count, database_.Value<std::size_t>("select count(*) from medidesk.knowledge_changes"));
}

TEST_F(KnowledgeServiceTest, NeverRewritesItsHistory) {
  ImportSample();
  for (const char* sql : {"update medidesk.knowledge_changes set actor_id = 'x'",
                          "delete from medidesk.knowledge_changes", "truncate medidesk.knowledge_changes"}) {
    EXPECT_THROW(database_.Sql(sql), pqxx::insufficient_privilege) << sql;
  }
}

TEST_F(KnowledgeServiceTest, AnswersUnchangedToACallerWhoIsUpToDate) {
  ImportSample();
  v1::GetFactsRequest request;
  request.set_known_revision(1);
  const auto facts = Must(&KnowledgeService::GetFacts, request);
  EXPECT_TRUE(facts.unchanged());
  EXPECT_EQ(facts.faqs_size(), 0);
  request.set_known_revision(9);
  EXPECT_FALSE(Must(&KnowledgeService::GetFacts, request).unchanged());
}

TEST_F(KnowledgeServiceTest, TellsWatchersOfRevisionsOfEveryProcess) {
  Revisions revisions;
  asio::cancellation_signal stop;
  const auto strand = asio::make_strand(io_.executor());
  const v1::KnowledgeServiceWatchRequest request;
  std::promise<void> ended;
  asio::co_spawn(
      strand, service_.Watch(call_, request, revisions),
      asio::bind_cancellation_slot(stop.slot(), [&](std::exception_ptr, absl::Status) { ended.set_value(); }));
  EXPECT_TRUE(revisions.WaitFor(0)) << "the first message comes at once";
  ImportSample();
  EXPECT_TRUE(revisions.WaitFor(1));
  v1::UpdateHospitalRequest update;
  *update.mutable_hospital() = FactsNow().hospital();
  update.mutable_hospital()->set_phone("+91 22 5550 0199");
  const auto updated = Wait(other_.UpdateHospital(call_, update));
  ASSERT_TRUE(updated.ok()) << Text(updated.status());
  EXPECT_TRUE(revisions.WaitFor(2)) << "another process's change is told";
  EXPECT_THAT(revisions.seen(), ElementsAre(0, 1, 2));
  EXPECT_EQ(FactsNow().hospital().phone(), "+91 22 5550 0199");
  asio::post(strand, [&] { stop.emit(asio::cancellation_type::terminal); });
  ended.get_future().get();
}

TEST_F(KnowledgeServiceTest, ChangesOfTwoProcessesFollowEachOther) {
  ImportSample();
  std::vector<std::future<absl::StatusOr<v1::CreateFaqResponse>>> creates;
  std::vector<v1::CreateFaqRequest> requests(20);
  for (std::size_t i = 0; i < requests.size(); ++i) {
    v1::Faq* faq = requests[i].mutable_faq();
    faq->set_key("faq-" + std::to_string(i / 2));  // each key twice, from either process
    faq->set_category("general");
    faq->set_question("?");
    faq->set_answer("!");
    auto& service = i % 2 == 0 ? service_ : other_;
    creates.push_back(asio::co_spawn(io_.executor(), service.CreateFaq(call_, requests[i]), asio::use_future));
  }
  int created = 0, taken = 0;
  for (auto& create : creates) {
    const auto result = create.get();
    created += result.ok();
    taken += result.status().code() == absl::StatusCode::kAlreadyExists;
  }
  EXPECT_EQ(created, 10);
  EXPECT_EQ(taken, 10);
  EXPECT_EQ(FactsNow().revision(), 11);
}

TEST_F(KnowledgeServiceTest, ChangesOnceWhenTheConnectionIsLostOnTheWay) {
  ImportSample();
  int edits = 0;
  KnowledgeRepository::Change change;
  change.edit = [&](Facts* facts) {
    if (++edits == 1) {
      database_.Sql(
          "select pg_terminate_backend(pid) from pg_stat_activity "
          "where datname = current_database() and pid <> pg_backend_pid()");
    }
    facts->mutable_hospital()->set_phone("+91 22 5550 0199");
    return absl::OkStatus();
  };
  const auto outcome = Wait(repository_.Apply(std::move(change), DbPool::Clock::now() + 30s));
  ASSERT_TRUE(outcome.ok()) << Text(outcome.status());
  EXPECT_EQ(edits, 2);
  EXPECT_EQ(outcome->facts->revision(), 2);
  EXPECT_EQ(database_.Value<int>("select count(*) from medidesk.knowledge_changes where revision > 1"), 1);
}

TEST_F(KnowledgeServiceTest, RecognisesACommitWhoseAnswerWasLost) {
  ImportSample();
  FactsChange change;
  change.commit_id = NewUuid();
  change.edit = [](Facts* facts) {
    facts->mutable_hospital()->set_phone("+91 22 5550 0199");
    return absl::OkStatus();
  };
  pqxx::connection connection(database_.url());
  EXPECT_FALSE(WasCommitted(connection, change.commit_id));
  FactsOutcome outcome;
  ChangeFacts(connection, change, &outcome);
  EXPECT_TRUE(outcome.committing);
  EXPECT_TRUE(WasCommitted(connection, change.commit_id));
}

TEST_F(KnowledgeServiceTest, ImportsTheFirstFileOnce) {
  const Phi<std::string> url(database_.url());
  ASSERT_TRUE(ImportFirstHospitalFile(url, "medidesk_service", "examples/hospital.yaml").ok());
  EXPECT_EQ(FactsNow().revision(), 1);
  v1::UpdateHospitalRequest update;
  *update.mutable_hospital() = FactsNow().hospital();
  update.mutable_hospital()->set_name("Moonlight Hospital");
  Must(&KnowledgeService::UpdateHospital, update);
  ASSERT_TRUE(ImportFirstHospitalFile(url, "medidesk_service", "examples/hospital.yaml").ok());
  EXPECT_EQ(FactsNow().hospital().name(), "Moonlight Hospital");
  EXPECT_EQ(ImportFirstHospitalFile(url, "", "examples/no-such.yaml").code(), absl::StatusCode::kNotFound);
}

TEST_F(KnowledgeServiceTest, MigratesTwiceWithoutAChange) {
  ImportSample();
  for (const Migration& migration : EmbeddedMigrations()) {
    if (migration.name == "0002_knowledge") database_.Sql(std::string(migration.sql));
  }
  EXPECT_EQ(FactsNow().revision(), 1);
  EXPECT_EQ(database_.Value<int>("select count(*) from medidesk.knowledge_revision"), 1);
}

TEST_F(KnowledgeServiceTest, SaysUnavailableWhileTheDatabaseIsAway) {
  ImportSample();
  DbPool nowhere({.url = Phi(std::string("postgresql://nobody@127.0.0.1:1/none?connect_timeout=1")), .connections = 1},
                 metrics_);
  KnowledgeRepository repository(nowhere);
  KnowledgeService service(dispatcher_, repository, {});
  const auto facts = Wait(service.GetFacts(call_, v1::GetFactsRequest()));
  EXPECT_EQ(facts.status().code(), absl::StatusCode::kUnavailable);
}

}  // namespace
}  // namespace medidesk::store
