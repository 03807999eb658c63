// Addresses, TLS, health and reflection.
#include "base/rpc/server.h"

#include <gmock/gmock.h>
#include <google/protobuf/io/coded_stream.h>
#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/health_check_service_interface.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "base/rpc/client.h"
#include "base/rpc/testing/certificates.h"
#include "base/rpc/testing/echo_service.h"

namespace medidesk::rpc::testing {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

class ServerTest : public ::testing::Test {
 protected:
  absl::StatusOr<std::unique_ptr<Server>> Start(ServerOptions options) {
    return Server::Start(dispatcher_, {&echo_}, std::move(options));
  }
  absl::StatusOr<std::unique_ptr<Server>> Start(const std::string& address, TlsFiles tls = {}) {
    ServerOptions options;
    options.addresses = {address};
    options.tls = std::move(tls);
    return Start(options);
  }
  absl::StatusOr<EchoResponse> Describe(const absl::StatusOr<Channel>& channel) {
    if (!channel.ok()) return channel.status();
    EchoRequest request;
    request.set_act(ACT_DESCRIBE);
    return loop_.Run(Client<EchoService>(*channel).Call(MD_METHOD(Echo), request, Within(20s)));
  }
  static std::string Localhost(const Server& server) { return "localhost:" + std::to_string(server.port()); }

  Loop& loop_ = Loop::Shared();
  prometheus::Registry registry_;
  Dispatcher dispatcher_{loop_.executor(), registry_, {.service = "test"}};
  EchoServiceImpl echo_{dispatcher_};
};

TEST(IsLocalAddress, KnowsLoopbackAndUnixSockets) {
  for (const char* local : {"127.0.0.1:1", "127.1.2.3:0", "localhost:80", "[::1]:7", "unix:/tmp/x", "unix:x"}) {
    EXPECT_TRUE(IsLocalAddress(local)) << local;
  }
  for (const char* other : {"0.0.0.0:1", "[::]:1", "10.0.0.1:1", "127.evil.example:1", "localhost.example:1",
                            "store:7003", "[::11]:1", ":7003"}) {
    EXPECT_FALSE(IsLocalAddress(other)) << other;
  }
}

TEST_F(ServerTest, RefusesPlaintextOnAnAddressThatIsNotLocal) {
  const absl::Status status = Start("0.0.0.0:0").status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(Text(status), "listen address 0.0.0.0:0 is not local: set TLS_CA, TLS_CERT and TLS_KEY");
  EXPECT_EQ(Connect("store.example:7003").status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(Connect("7003").status().code(), absl::StatusCode::kInvalidArgument);
}

TEST_F(ServerTest, AllowsPlaintextWhenToldTo) {
  ServerOptions options;
  options.addresses = {"0.0.0.0:0"};
  options.allow_plaintext = true;
  const auto server = Start(options);
  ASSERT_TRUE(server.ok()) << server.status();
  EXPECT_TRUE(Describe(Connect("127.0.0.1:" + std::to_string((*server)->port()))).ok());
}

TEST_F(ServerTest, SaysWhenAnAddressIsTaken) {
  const auto first = Start("127.0.0.1:0");
  ASSERT_TRUE(first.ok());
  const std::string address = "127.0.0.1:" + std::to_string((*first)->port());
  const absl::Status second = Start(address).status();
  EXPECT_EQ(second.code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(std::string(Text(second)), HasSubstr(address));
}

TEST_F(ServerTest, ListensOnSeveralAddresses) {
  ServerOptions options;
  const std::string socket = "unix:" + ::testing::TempDir() + "several." + std::to_string(getpid());
  options.addresses = {"127.0.0.1:0", socket};
  const auto server = Start(options);
  ASSERT_TRUE(server.ok()) << server.status();
  EXPECT_NE((*server)->port(0), 0);
  EXPECT_EQ((*server)->port(1), 0);
  EXPECT_TRUE(Describe(Connect(Localhost(**server))).ok());
  EXPECT_TRUE(Describe(Connect(socket)).ok());
}

TEST_F(ServerTest, NeedsNoAddressInsideTheProcess) {
  const auto server = Start(ServerOptions());
  ASSERT_TRUE(server.ok()) << server.status();
  EXPECT_TRUE(Describe((*server)->InProcessChannel()).ok());
}

// One unary call with bytes of our own making.
std::string CallRaw(const Channel& channel, const std::string& method, const std::string& request) {
  grpc::GenericStub stub(channel.remote);
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + 20s);
  const grpc::Slice slice(request);
  const grpc::ByteBuffer in(&slice, 1);
  grpc::ByteBuffer out;
  std::promise<grpc::Status> done;
  stub.UnaryCall(&context, method, {}, &in, &out, [&](grpc::Status status) { done.set_value(std::move(status)); });
  const grpc::Status status = done.get_future().get();
  if (!status.ok()) return "error " + std::to_string(status.error_code());
  grpc::Slice whole;
  EXPECT_TRUE(out.DumpToSingleSlice(&whole).ok());
  return {reinterpret_cast<const char*>(whole.begin()), whole.size()};
}

TEST_F(ServerTest, AnswersHealthChecks) {
  const auto server = Start("127.0.0.1:0");
  ASSERT_TRUE(server.ok());
  const Channel channel = *Connect(Localhost(**server));
  const std::string name = "medidesk.rpc.testing.EchoService";
  const std::string check = std::string("\x0a") + static_cast<char>(name.size()) + name;  // field 1: service
  const std::string method = "/grpc.health.v1.Health/Check";
  const std::string serving = "\x08\x01", not_serving = "\x08\x02";
  EXPECT_EQ(CallRaw(channel, method, ""), serving);
  EXPECT_EQ(CallRaw(channel, method, check), serving);
  (*server)->SetServing(name, false);
  EXPECT_EQ(CallRaw(channel, method, check), not_serving);
  EXPECT_EQ(CallRaw(channel, method, ""), serving);
  (*server)->SetServing(name, true);
  EXPECT_EQ(CallRaw(channel, method, check), serving);
  EXPECT_EQ(CallRaw(channel, method, "\x0a\x01?"), "error 5");  // NOT_FOUND
}

TEST_F(ServerTest, IsLeftAloneByItsCallersOnceItSaysThatItDoesNotServe) {
  const auto leaving = Start("127.0.0.1:0");
  ASSERT_TRUE(leaving.ok());
  prometheus::Registry registry;
  Dispatcher dispatcher(loop_.executor(), registry, {.service = "other"});
  EchoServiceImpl other_echo(dispatcher);
  ServerOptions options;
  options.addresses = {"[::1]:" + std::to_string((*leaving)->port())};  // the same name, another instance
  const auto other = Server::Start(dispatcher, {&other_echo}, options);
  if (!other.ok()) GTEST_SKIP() << "skipped: this machine has no ::1";
  const auto channel = Connect(Localhost(**leaving));
  const auto end = std::chrono::steady_clock::now() + 20s;
  while ((echo_.started == 0 || other_echo.started == 0) && std::chrono::steady_clock::now() < end) {
    EXPECT_TRUE(Describe(channel).ok());
  }
  ASSERT_GT(echo_.started, 0);
  ASSERT_GT(other_echo.started, 0);

  (*leaving)->SetServing("", false);
  int alone = 0;  // calls in a row that the other one answered
  while (alone < 20 && std::chrono::steady_clock::now() < end) {
    const int before = other_echo.started;
    EXPECT_TRUE(Describe(channel).ok());
    alone = other_echo.started > before ? alone + 1 : 0;
  }
  EXPECT_EQ(alone, 20);
}

// Reads one answer of a bidirectional stream.
class OneAnswer final : public grpc::ClientBidiReactor<grpc::ByteBuffer, grpc::ByteBuffer> {
 public:
  explicit OneAnswer(const std::string& request) : slice_(request), request_(&slice_, 1) {}
  void Go() {
    StartWriteLast(&request_, grpc::WriteOptions());
    StartRead(&response_);
    StartCall();
  }
  std::string Wait() {
    EXPECT_TRUE(done_.get_future().get().ok());
    grpc::Slice whole;
    EXPECT_TRUE(response_.DumpToSingleSlice(&whole).ok());
    return {reinterpret_cast<const char*>(whole.begin()), whole.size()};
  }

 private:
  void OnDone(const grpc::Status& status) override { done_.set_value(status); }
  grpc::Slice slice_;
  grpc::ByteBuffer request_, response_;
  std::promise<grpc::Status> done_;
};

TEST_F(ServerTest, ListsItsServicesByReflection) {
  const auto server = Start("127.0.0.1:0");
  ASSERT_TRUE(server.ok());
  const Channel channel = *Connect(Localhost(**server));
  grpc::GenericStub stub(channel.remote);
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + 20s);
  OneAnswer answer("\x3a\x01*");  // field 7: list_services
  stub.PrepareBidiStreamingCall(&context, "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo", {},
                                &answer);
  answer.Go();
  const std::string services = answer.Wait();
  EXPECT_THAT(services, HasSubstr("medidesk.rpc.testing.EchoService"));
  EXPECT_THAT(services, HasSubstr("grpc.health.v1.Health"));
}

class TlsTest : public ServerTest {
 protected:
  void SetUp() override { std::filesystem::create_directories(folder_); }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  const std::string folder_ = ::testing::TempDir() + "tls." + std::to_string(getpid());
};

TEST_F(TlsTest, KnowsTheCallerByItsCertificate) {
  CertificateAuthority ca(folder_, "hospital");
  const auto server = Start("127.0.0.1:0", ca.Issue("store"));
  ASSERT_TRUE(server.ok()) << server.status();
  ChannelOptions options;
  options.tls = ca.Issue("gateway");
  const auto response = Describe(Connect(Localhost(**server), options));
  ASSERT_TRUE(response.ok()) << response.status();
  EXPECT_THAT(response->caller(), ElementsAre("certificate", "gateway", "localhost", "gateway"));
}

TEST_F(TlsTest, RefusesACallerOfAnotherCa) {
  CertificateAuthority ca(folder_, "hospital"), other(folder_, "other");
  const auto server = Start("127.0.0.1:0", ca.Issue("store"));
  ASSERT_TRUE(server.ok()) << server.status();
  ChannelOptions options;
  options.tls = other.Issue("gateway");
  options.tls.ca = ca.Issue("gateway").ca;  // it trusts the server, but is not trusted
  EXPECT_EQ(Describe(Connect(Localhost(**server), options)).status().code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(echo_.started, 0);
}

TEST_F(TlsTest, RefusesAServerOfAnotherCa) {
  CertificateAuthority ca(folder_, "hospital"), other(folder_, "other");
  const auto server = Start("127.0.0.1:0", other.Issue("store"));
  ASSERT_TRUE(server.ok()) << server.status();
  ChannelOptions options;
  options.tls = ca.Issue("gateway");
  EXPECT_EQ(Describe(Connect(Localhost(**server), options)).status().code(), absl::StatusCode::kUnavailable);
}

TEST_F(TlsTest, RefusesAServerWithAnotherName) {
  CertificateAuthority ca(folder_, "hospital");
  const auto server = Start("127.0.0.1:0", ca.Issue("store"));
  ASSERT_TRUE(server.ok()) << server.status();
  ChannelOptions options;
  options.tls = ca.Issue("gateway");  // names: gateway, localhost; not 127.0.0.1
  EXPECT_EQ(Describe(Connect("127.0.0.1:" + std::to_string((*server)->port()), options)).status().code(),
            absl::StatusCode::kUnavailable);
}

TEST_F(TlsTest, WantsACertificateUnlessToldNotTo) {
  CertificateAuthority ca(folder_, "hospital");
  ServerOptions options;
  options.addresses = {"127.0.0.1:0"};
  options.tls = ca.Issue("store");
  ChannelOptions bare;
  bare.tls.ca = options.tls.ca;
  {
    const auto server = Start(options);
    ASSERT_TRUE(server.ok()) << server.status();
    EXPECT_EQ(Describe(Connect(Localhost(**server), bare)).status().code(), absl::StatusCode::kUnavailable);
    // Plaintext neither.
    EXPECT_EQ(Describe(Connect(Localhost(**server))).status().code(), absl::StatusCode::kUnavailable);
  }
}

TEST_F(TlsTest, AdmitsACallerWithoutACertificateWhenToldTo) {
  CertificateAuthority ca(folder_, "hospital");
  ServerOptions options;
  options.addresses = {"127.0.0.1:0"};
  options.tls = ca.Issue("store");
  options.require_client_certificate = false;
  const auto server = Start(options);
  ASSERT_TRUE(server.ok()) << server.status();
  ChannelOptions bare;
  bare.tls.ca = options.tls.ca;
  const auto response = Describe(Connect(Localhost(**server), bare));
  ASSERT_TRUE(response.ok()) << response.status();
  EXPECT_THAT(response->caller(), ElementsAre("local"));
}

TEST_F(TlsTest, ServesARotatedCertificateWithoutARestart) {
  CertificateAuthority ca(folder_, "hospital"), next(folder_, "next");
  TlsFiles files = ca.Issue("store");
  files.reload = 1s;
  const auto server = Start("127.0.0.1:0", files);
  ASSERT_TRUE(server.ok()) << server.status();
  ChannelOptions options;
  options.tls = next.Issue("gateway");
  EXPECT_EQ(Describe(Connect(Localhost(**server), options)).status().code(), absl::StatusCode::kUnavailable);
  const TlsFiles rotated = next.Issue("store");
  std::filesystem::rename(rotated.ca, files.ca);
  std::filesystem::rename(rotated.key, files.key);
  std::filesystem::rename(rotated.cert, files.cert);
  options.tls = next.Issue("gateway");
  const auto end = std::chrono::steady_clock::now() + 30s;
  bool served = false;
  while (!served && std::chrono::steady_clock::now() < end) {
    served = Describe(Connect(Localhost(**server), options)).ok();
  }
  EXPECT_TRUE(served);
}

TEST_F(TlsTest, NamesTheFileThatIsWrong) {
  CertificateAuthority ca(folder_, "hospital");
  const TlsFiles good = ca.Issue("store"), other = ca.Issue("admin");
  EXPECT_TRUE(CheckTlsFiles(good).ok());
  const auto text = [](const TlsFiles& files) { return std::string(Text(CheckTlsFiles(files))); };
  TlsFiles files = good;
  files.ca = folder_ + "/absent.pem";
  EXPECT_EQ(text(files), "TLS CA file " + files.ca + ": cannot be read");
  files = good;
  files.cert = good.key;
  EXPECT_EQ(text(files), "TLS certificate file " + files.cert + ": holds no PEM certificate");
  files = good;
  files.key = good.cert;
  EXPECT_EQ(text(files), "TLS key file " + files.key + ": holds no PEM key without a password");
  files = good;
  files.key = other.key;
  EXPECT_EQ(text(files), "TLS key file " + files.key + ": does not belong to the certificate");
  files = good;
  files.key = "";
  EXPECT_EQ(text(files), "TLS: set TLS_CERT and TLS_KEY together");
  files = good;
  files.ca = "";
  EXPECT_EQ(text(files), "TLS: the CA file is missing, set TLS_CA");
  TlsFiles no_certificate;
  no_certificate.ca = good.ca;
  EXPECT_EQ(Start("127.0.0.1:0", no_certificate).status().code(), absl::StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace medidesk::rpc::testing
