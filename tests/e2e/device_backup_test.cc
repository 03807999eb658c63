// `medidesk device export|import|renew` against a store over a real PostgreSQL.
#include <gmock/gmock.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>

#include "base/rpc/server.h"
#include "cli/command.h"
#include "cli/device_command.h"
#include "gateway/device/sealing_keys.h"
#include "gateway/wa/device_settings.h"
#include "gateway/wa/testing/sample_device.h"
#include "store/testing/device_test.h"

namespace medidesk {
namespace {

using ::testing::HasSubstr;
namespace wa = gateway::wa;
namespace v1 = store::v1;
constexpr char kA[] = "YWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWE=";
constexpr char kB[] = "YmJiYmJiYmJiYmJiYmJiYmJiYmJiYmJiYmJiYmJiYmI=";

class DeviceBackupTest : public store::testing::DeviceTest {
 protected:
  DeviceBackupTest() {
    server_ = *rpc::Server::Start(dispatcher_, {&service_}, {.addresses = {"127.0.0.1:0"}});
    setenv("MEDIDESK_MASTER_KEY", kA, 1);
    char folder[] = "/tmp/medidesk-backup.XXXXXX";
    folder_ = mkdtemp(folder);
    file_ = folder_ + "/device.backup";
    Beat(gateway_);
    number_ = MakeNumber("front-desk");
    lease_ = Link(gateway_, number_, "+15550001111");
    v1::CommitBatchRequest batch = Batch(lease_);
    PutSealed(batch, wa::RecordKind::kCredentials, "self", wa::testing::LinkedDevice().Serialize());
    wa::DeviceSettings settings;
    settings.next_pre_key_id = 813;
    PutSealed(batch, wa::RecordKind::kSetting, "connection", settings.Serialize());
    PutSealed(batch, wa::RecordKind::kSession, "15550100001:0", wa::ToBytes(std::string_view("a ratchet")));
    PutSealed(batch, wa::RecordKind::kPreKey, "7", wa::ToBytes(std::string_view("a key")));
    PutSealed(batch, wa::RecordKind::kIdentity, "15550100001:0", wa::ToBytes(std::string_view("an identity")));
    for (const auto& [kind, key] : kOfUse) PutSealed(batch, kind, key, wa::ToBytes(std::string_view("of use")));
    Commit(lease_, batch);
  }
  ~DeviceBackupTest() override {
    server_->Shutdown(std::chrono::milliseconds(0));
    std::filesystem::remove_all(folder_);
  }

  void PutSealed(v1::CommitBatchRequest& batch, wa::RecordKind kind, const std::string& key, const wa::Bytes& plain) {
    const gateway::SealedName name{.number_id = number_,
                                   .record = {.kind = kind, .key = key},
                                   .revision = batch.first_revision() + batch.operations_size()};
    Put(batch, static_cast<v1::DeviceStateKind>(kind), key, wa::ToString(keys_.Seal(name, plain)));
  }
  struct Outcome {
    int code;
    std::string out, errors;
  };
  Outcome Medidesk(const std::vector<std::string>& words) {
    std::vector<std::string> all = {"--store_address=127.0.0.1:" + std::to_string(server_->port())};
    all.insert(all.end(), words.begin(), words.end());
    std::ostringstream out, errors;
    const FlagSet::Environment none = [](const char*) -> const char* { return nullptr; };
    const int code = cli::RunCommandLine(all, none, out, errors, {&cli::kDeviceCommand});
    return {code, out.str(), errors.str()};
  }
  // Records by kind, as the store counts them.
  std::string Kinds(const std::string& number_id) {
    return database_.Value(
        "select coalesce(string_agg(kind || ':' || key, ' ' order by kind, key), '') from medidesk.device_state "
        "where number_id = '" +
        number_id + "'");
  }
  // Opens what the store has now.
  wa::Bytes Open(const std::string& number_id, wa::RecordKind kind, const std::string& key) {
    v1::LoadDeviceStateRequest request;
    request.set_number_id(number_id);
    v1::DeviceRecordName* name = request.add_names();
    name->set_kind(static_cast<v1::DeviceStateKind>(kind));
    name->set_key(key);
    const auto loaded = TryLoad(request);
    if (!loaded.ok() || loaded->records_size() != 1) return {};
    const v1::DeviceRecord& record = loaded->records(0);
    const gateway::SealedName sealed{
        .number_id = number_id, .record = {.kind = kind, .key = key}, .revision = record.revision()};
    return keys_.Open(sealed, wa::AsBytes(record.sealed())).value_or(wa::Bytes());
  }

  // What moves on with use, of every kind; and keys of a link that was under way.
  const std::vector<std::pair<wa::RecordKind, std::string>> kOfUse = {{wa::RecordKind::kCredentials, "linking"},
                                                                      {wa::RecordKind::kSignedPreKey, "1"},
                                                                      {wa::RecordKind::kSenderKey, "1@g.us"},
                                                                      {wa::RecordKind::kDeviceList, "15550100001"},
                                                                      {wa::RecordKind::kRetry, "in"},
                                                                      {wa::RecordKind::kRetry, "out"},
                                                                      {wa::RecordKind::kSentContent, "3EB0"},
                                                                      {wa::RecordKind::kAppState, "critical"},
                                                                      {wa::RecordKind::kSetting, "nct_salt"},
                                                                      {wa::RecordKind::kSetting, "next_retry_key"}};
  Gateway gateway_{"a"};
  gateway::SealingKeys keys_ = gateway::SealingKeys::Parse(kA, gateway::SystemEntropy()).value();
  std::unique_ptr<rpc::Server> server_;
  std::string folder_, file_, number_;
  v1::Lease lease_;
};

TEST_F(DeviceBackupTest, WritesAFileOfItsOwnersAloneAndNeverOverAnother) {
  const Outcome first = Medidesk({"device", "export", "front-desk", file_});
  ASSERT_EQ(first.code, 0) << first.errors;
  EXPECT_EQ(std::filesystem::status(file_).permissions(),
            std::filesystem::perms::owner_read | std::filesystem::perms::owner_write);
  const Outcome again = Medidesk({"device", "export", "front-desk", file_});
  EXPECT_EQ(again.code, 1);
  EXPECT_THAT(again.errors, HasSubstr("exists"));
  EXPECT_EQ(Medidesk({"device", "export", "nobody", folder_ + "/other"}).code, 1);
  EXPECT_FALSE(std::filesystem::exists(folder_ + "/other"));
}

TEST_F(DeviceBackupTest, RefusesToRestoreWhileAGatewayHoldsTheNumber) {
  ASSERT_EQ(Medidesk({"device", "export", "front-desk", file_}).code, 0);
  const std::string before = Kinds(number_);
  const Outcome refused = Medidesk({"device", "import", file_});
  EXPECT_EQ(refused.code, 1);
  EXPECT_THAT(refused.errors, HasSubstr("a gateway holds this number"));
  EXPECT_EQ(Kinds(number_), before);
  v1::CommitBatchRequest batch = Batch(lease_);
  Put(batch, v1::DEVICE_STATE_KIND_SETTING, "k", "x");
  EXPECT_TRUE(TryCommit(batch).ok()) << "the owner has not noticed";
}

TEST_F(DeviceBackupTest, KeepsTheDeviceAndDropsItsRatchets) {
  ASSERT_EQ(Medidesk({"device", "export", "front-desk", file_}).code, 0);
  ASSERT_TRUE(Release(lease_));
  const Outcome restored = Medidesk({"device", "import", file_});
  ASSERT_EQ(restored.code, 0) << restored.errors;
  EXPECT_EQ(Kinds(number_), "1:self 3:15550100001:0 14:connection");
  EXPECT_EQ(Open(number_, wa::RecordKind::kCredentials, "self"), wa::testing::LinkedDevice().Serialize());
  const auto settings = wa::DeviceSettings::Parse(Open(number_, wa::RecordKind::kSetting, "connection"));
  ASSERT_TRUE(settings.ok());
  EXPECT_EQ(settings->next_pre_key_id, 100'813u);
  EXPECT_TRUE(settings->upload_pre_keys);
  const auto taken = Acquire(gateway_);
  ASSERT_EQ(taken.size(), 1u) << "a gateway takes it at once";
  EXPECT_EQ(taken[0].number().device_jid(), "15550001111:7@s.whatsapp.net");
}

TEST_F(DeviceBackupTest, RestoresIntoAnotherDatabasesNumber) {
  ASSERT_EQ(Medidesk({"device", "export", "front-desk", file_}).code, 0);
  ASSERT_TRUE(Release(lease_));
  database_.Sql("delete from numbers");
  const Outcome restored = Medidesk({"device", "import", file_, "--as", "new-desk"});
  ASSERT_EQ(restored.code, 0) << restored.errors;
  const std::string number = database_.Value("select id from numbers where name = 'new-desk'");
  EXPECT_EQ(Kinds(number), "1:self 14:connection");
  EXPECT_EQ(GetNumber(number).phone(), "+15550001111");
}

TEST_F(DeviceBackupTest, RenewsARestoredDatabase) {
  ASSERT_TRUE(Release(lease_));
  const Outcome renewed = Medidesk({"device", "renew", "front-desk"});
  ASSERT_EQ(renewed.code, 0) << renewed.errors;
  EXPECT_EQ(Kinds(number_), "1:self 3:15550100001:0 14:connection");
}

TEST_F(DeviceBackupTest, SaysInOneLineThatTheKeyIsAbsentOrAnother) {
  ASSERT_EQ(Medidesk({"device", "export", "front-desk", file_}).code, 0);
  setenv("MEDIDESK_MASTER_KEY", kB, 1);
  EXPECT_THAT(Medidesk({"device", "import", file_}).errors, HasSubstr("MEDIDESK_MASTER_KEY is not the key"));
  EXPECT_THAT(Medidesk({"device", "renew", "front-desk"}).errors, HasSubstr("MEDIDESK_MASTER_KEY is not the key"));
  unsetenv("MEDIDESK_MASTER_KEY");
  const Outcome absent = Medidesk({"device", "export", "front-desk", folder_ + "/other"});
  EXPECT_EQ(absent.code, 2);
  EXPECT_THAT(absent.errors, HasSubstr("MEDIDESK_MASTER_KEY: is not set"));
}

TEST_F(DeviceBackupTest, RefusesAFileThatIsNoBackup) {
  std::ofstream(file_) << "something else";
  EXPECT_THAT(Medidesk({"device", "import", file_}).errors, HasSubstr("no device backup"));
  EXPECT_EQ(Medidesk({"device", "import", folder_ + "/absent"}).code, 1);
}

}  // namespace
}  // namespace medidesk
