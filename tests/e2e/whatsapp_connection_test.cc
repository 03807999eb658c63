// The gateway's connection against the WhatsApp simulator as a program: real sockets, real handshakes, a real other
// side. Only the session's clock is the test's own, so that half a minute of silence passes at once.
#include <absl/strings/str_cat.h>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "assistant/claude/testing/certificate.h"
#include "gateway/net/session_driver.h"
#include "gateway/net/testing/memory_device_store.h"
#include "tests/e2e/testing/whatsapp_sim_process.h"

namespace medidesk::gateway::net {
namespace {

namespace asio = boost::asio;
using medidesk::testing::WhatsAppSimProcess;
using std::chrono::seconds;
using testing::MemoryDeviceStore;
using wa::ConnectionState;

class EventRecorder final : public EventListener {
 public:
  void OnEvent(const wa::Event& event) override { events.push_back(event); }
  bool OnStanza(const wa::StanzaReceived& stanza) override {
    events.emplace_back(stanza);
    return false;
  }

  template <class T>
  const T* Last() const {
    for (auto it = events.rbegin(); it != events.rend(); ++it) {
      if (const T* event = std::get_if<T>(&*it)) return event;
    }
    return nullptr;
  }
  // How often the connection came into this state.
  int Count(ConnectionState state, std::string_view reason = "") const {
    int count = 0;
    for (const wa::Event& event : events) {
      const auto* change = std::get_if<wa::StateChanged>(&event);
      count += change != nullptr && change->state == state && (reason.empty() || change->reason == reason) ? 1 : 0;
    }
    return count;
  }

  std::vector<wa::Event> events;
};

wa::Key32 KeyFromHex(const std::string& hex) {
  wa::Key32 key{};
  for (std::size_t i = 0; i < key.size(); ++i) {
    key[i] = static_cast<std::uint8_t>(std::stoi(hex.substr(2 * i, 2), nullptr, 16));
  }
  return key;
}

class WhatsAppConnectionTest : public ::testing::Test {
 protected:
  ~WhatsAppConnectionTest() override { Stop(); }

  wa::SessionOptions SessionOptions() {
    wa::SessionOptions options;
    options.root_key = KeyFromHex(sim().root_key());
    return options;
  }
  WhatsAppSimProcess& sim() {
    if (!sim_) sim_.emplace();
    return *sim_;
  }

  void Start(std::unique_ptr<wa::Session> session, const std::string& url, const std::string& ca_file = {}) {
    SessionDriver::Options options;
    options.server = WhatsAppServer::Make(url, ca_file).value();
    options.name = "front-desk";
    options.store = store_;
    options.listener = recorder_;
    options.clock = [this] {
      wa::Moment moment = SystemMoment();
      moment.steady += skipped_;
      return moment;
    };
    driver_ = SessionDriver::Start(io_.get_executor(), std::move(options), std::move(session));
  }
  void StartLink(wa::LinkOptions link = {}) {
    Start(wa::Session::Link(SessionOptions(), std::move(link), SystemEntropy()).value(), sim().url());
  }
  void StartLogin() {
    const auto credentials =
        wa::DeviceCredentials::Parse(store_->records.at({wa::RecordKind::kCredentials, std::string(wa::kSelfKey)}));
    wa::DeviceSettings settings;
    const auto stored = store_->records.find({wa::RecordKind::kSetting, std::string(wa::kSettingsKey)});
    if (stored != store_->records.end()) settings = wa::DeviceSettings::Parse(stored->second).value();
    Start(wa::Session::Login(SessionOptions(), credentials.value(), settings, SystemEntropy()).value(), sim().url());
  }
  void Stop() {
    if (!driver_) return;
    bool stopped = false;
    asio::co_spawn(
        io_, [driver = driver_] { return driver->Stop(); }, [&stopped](const std::exception_ptr&) { stopped = true; });
    EXPECT_TRUE(Until([&] { return stopped; }));
    driver_.reset();
  }

  // Runs the loop until `done`, at most 20 s.
  bool Until(const std::function<bool()>& done) {
    const auto end = std::chrono::steady_clock::now() + seconds(20);
    while (!done()) {
      if (std::chrono::steady_clock::now() > end) return false;
      io_.restart();
      io_.run_for(std::chrono::milliseconds(2));
    }
    return true;
  }
  bool UntilConnected(int times) {
    return Until([&] { return recorder_->Count(ConnectionState::kConnected) >= times; });
  }
  void Skip(seconds time) {
    skipped_ += time;
    driver_->Wake();
  }
  bool ReconnectsAfter(std::string_view reason) {
    const int connected = recorder_->Count(ConnectionState::kConnected);
    if (!Until([&] { return recorder_->Count(ConnectionState::kReconnecting, reason) == 1; })) return false;
    Skip(seconds(7));
    return UntilConnected(connected + 1);
  }

  // Requests of the client that the server has met, of one namespace or of all.
  int RequestsAtServer(std::string_view xmlns = "") {
    const auto all = sim().Get("/stanzas?after=0");
    int requests = 0;
    for (const auto& stanza : all.at("stanzas").as_array()) {
      const auto* name = stanza.at("node").at("attrs").as_object().if_contains("xmlns");
      if (!stanza.at("from_client").as_bool() || name == nullptr) continue;
      if (xmlns.empty() || std::string_view(name->as_string()) == xmlns) ++requests;
    }
    return requests;
  }
  // Returns when the client waits for no answer: what the server had said before the last of these notifications
  // was read when it is acknowledged, and no request was made since.
  bool Settle() {
    for (int round = 0;; ++round) {
      const int before = RequestsAtServer();
      const std::string id = absl::StrCat("settle-", round);
      sim().Post("/send", {{"phone", phone_},
                           {"device", 1},
                           {"node",
                            {{"tag", "notification"},
                             {"attrs", {{"id", id}, {"type", "devices"}, {"from", "15550009999@s.whatsapp.net"}}}}}});
      if (!Until([&] { return sim().Device(phone_).at("pending").to_number<int>() == 0; })) return false;
      if (RequestsAtServer() == before) return true;
    }
  }

  void LinkByQr() {
    phone_ = sim().AddPhone();
    StartLink();
    ASSERT_TRUE(Until([&] { return recorder_->Last<wa::QrCodeShown>() != nullptr; }));
    sim().Post("/scan", {{"phone", phone_}, {"qr", recorder_->Last<wa::QrCodeShown>()->text}});
    ASSERT_TRUE(UntilConnected(1));
  }

  asio::io_context io_{1};
  std::optional<WhatsAppSimProcess> sim_;
  std::shared_ptr<MemoryDeviceStore> store_ = std::make_shared<MemoryDeviceStore>();
  std::shared_ptr<EventRecorder> recorder_ = std::make_shared<EventRecorder>();
  std::shared_ptr<SessionDriver> driver_;
  seconds skipped_{0};
  std::string phone_;
};

TEST_F(WhatsAppConnectionTest, LinksByQrRestartsLogsInAndUploadsPreKeys) {
  LinkByQr();
  ASSERT_NE(recorder_->Last<wa::Linked>(), nullptr);
  EXPECT_EQ(recorder_->Last<wa::Linked>()->account.jid.ToString(), phone_ + ":1@s.whatsapp.net");
  ASSERT_TRUE(store_->linked.has_value());
  EXPECT_EQ(store_->linked->jid.ToString(), phone_ + ":1@s.whatsapp.net");

  const auto device = sim().Device(phone_);
  EXPECT_EQ(device.at("pre_keys").to_number<int>(), 812);
  EXPECT_EQ(device.at("name").as_string(), "MediDesk");
  EXPECT_TRUE(device.at("active").as_bool());
  EXPECT_EQ(store_->Count(wa::RecordKind::kPreKey), 812u);
  EXPECT_EQ(sim().CountEvents("registration"), 1);
  EXPECT_EQ(sim().CountEvents("linked"), 1);
  EXPECT_EQ(sim().CountEvents("login"), 1);
  EXPECT_EQ(sim().CountEvents("problem"), 0);
}

TEST_F(WhatsAppConnectionTest, LinksByAPairingCode) {
  phone_ = sim().AddPhone();
  StartLink({.phone = phone_, .by_code = true});
  ASSERT_TRUE(Until([&] { return recorder_->Last<wa::PairingCodeShown>() != nullptr; }));
  sim().Post("/code", {{"phone", phone_}, {"code", recorder_->Last<wa::PairingCodeShown>()->code}});
  ASSERT_TRUE(UntilConnected(1));
  EXPECT_NE(recorder_->Last<wa::Linked>(), nullptr);
  EXPECT_EQ(sim().Device(phone_).at("pre_keys").to_number<int>(), 812);
  EXPECT_EQ(sim().CountEvents("problem"), 0);
}

TEST_F(WhatsAppConnectionTest, LogsInAgainFromWhatIsStored) {
  LinkByQr();
  Stop();
  StartLogin();
  ASSERT_TRUE(UntilConnected(2));
  EXPECT_EQ(sim().CountEvents("login"), 2);
  EXPECT_EQ(sim().Device(phone_).at("pre_keys").to_number<int>(), 812);
  EXPECT_EQ(sim().CountEvents("problem"), 0);
}

TEST_F(WhatsAppConnectionTest, ReconnectsAfterAReset) {
  LinkByQr();
  sim().Post("/fault", {{"kind", "drop"}});
  EXPECT_TRUE(ReconnectsAfter("closed"));
  EXPECT_EQ(sim().CountEvents("login"), 2);
}

TEST_F(WhatsAppConnectionTest, ReconnectsAfterACloseWithAndWithoutACloseFrame) {
  LinkByQr();
  sim().Post("/fault", {{"kind", "cut"}});
  EXPECT_TRUE(ReconnectsAfter("closed"));
  recorder_->events.clear();
  sim().Post("/fault", {{"kind", "close"}, {"code", 1001}});
  EXPECT_TRUE(ReconnectsAfter("closed"));
  EXPECT_EQ(sim().CountEvents("login"), 3);
}

TEST_F(WhatsAppConnectionTest, ReconnectsWhenPingsStayUnanswered) {
  LinkByQr();
  sim().Post("/fault", {{"kind", "no_pong"}});
  ASSERT_TRUE(Settle());  // else an answer to the login's requests would be a sign of life after the ping
  const int before = RequestsAtServer("w:p");
  Skip(seconds(31));
  ASSERT_TRUE(Until([&] { return RequestsAtServer("w:p") > before; }));
  Skip(seconds(21));
  EXPECT_TRUE(ReconnectsAfter("keepalive"));
  EXPECT_EQ(sim().CountEvents("login"), 2);
}

TEST_F(WhatsAppConnectionTest, ReconnectsAfterBusyAnswersToTheUpgradeAndStopsAtARefusal) {
  LinkByQr();
  sim().Post("/fault", {{"kind", "http"}, {"code", 503}});
  sim().Post("/fault", {{"kind", "drop"}});
  ASSERT_TRUE(Until([&] { return recorder_->Count(ConnectionState::kReconnecting, "closed") == 1; }));
  Skip(seconds(7));
  ASSERT_TRUE(Until([&] { return recorder_->Count(ConnectionState::kReconnecting, "connect_failed") == 1; }));
  Skip(seconds(13));
  ASSERT_TRUE(UntilConnected(2));
  sim().Post("/fault", {{"kind", "http"}, {"code", 400}});
  sim().Post("/fault", {{"kind", "drop"}});
  ASSERT_TRUE(Until([&] { return recorder_->Count(ConnectionState::kReconnecting, "closed") == 2; }));
  Skip(seconds(7));
  ASSERT_TRUE(Until([&] { return recorder_->Last<wa::StateChanged>()->reason == "upgrade_refused"; }));
  EXPECT_TRUE(recorder_->Last<wa::StateChanged>()->alarm);
}

TEST_F(WhatsAppConnectionTest, RefusesAForgedCertificateWithAnAlarmAndStoresNothing) {
  LinkByQr();
  const auto before = store_->records;
  const int logins = sim().CountEvents("login");
  sim().Post("/fault", {{"kind", "chain"}, {"how", "wrong_root"}});
  sim().Post("/fault", {{"kind", "drop"}});
  ASSERT_TRUE(Until([&] { return recorder_->Count(ConnectionState::kReconnecting, "closed") == 1; }));
  const std::size_t commits = store_->tried.size();
  Skip(seconds(7));
  ASSERT_TRUE(Until([&] { return recorder_->Last<wa::StateChanged>()->reason == "certificate"; }));
  EXPECT_EQ(recorder_->Last<wa::StateChanged>()->state, ConnectionState::kUntrustedServer);
  EXPECT_TRUE(recorder_->Last<wa::StateChanged>()->alarm);
  EXPECT_EQ(store_->tried.size(), commits);
  EXPECT_EQ(store_->records, before);
  EXPECT_EQ(sim().CountEvents("login"), logins);
}

TEST_F(WhatsAppConnectionTest, NeedsALinkAfter401) {
  LinkByQr();
  sim().Post("/fault", {{"kind", "failure"}, {"code", 401}});
  sim().Post("/fault", {{"kind", "drop"}});
  ASSERT_TRUE(Until([&] { return recorder_->Count(ConnectionState::kReconnecting, "closed") == 1; }));
  Skip(seconds(7));
  ASSERT_TRUE(Until([&] { return recorder_->Count(ConnectionState::kNeedsLink) == 1; }));
  EXPECT_EQ(recorder_->Last<wa::StateChanged>()->reason, "failure.401");
  EXPECT_TRUE(recorder_->Last<wa::StateChanged>()->alarm);
  EXPECT_FALSE(recorder_->Last<wa::StateChanged>()->retry_at.has_value());
}

TEST_F(WhatsAppConnectionTest, LogsOneLineAboutAMalformedStanzaAndReconnects) {
  LinkByQr();
  const auto before = store_->Count(wa::RecordKind::kCredentials);
  ::testing::internal::CaptureStderr();
  sim().Post("/fault", {{"kind", "bad_node"}, {"hex", "00f80a19"}});
  const bool lost = Until([&] { return recorder_->Count(ConnectionState::kReconnecting, "bad_node") == 1; });
  const std::string logged = ::testing::internal::GetCapturedStderr();
  ASSERT_TRUE(lost);
  EXPECT_EQ(std::count(logged.begin(), logged.end(), '\n'), 1) << logged;
  EXPECT_NE(logged.find("bad_node"), std::string::npos) << logged;
  EXPECT_NE(logged.find("node codec: cut short at byte 4"), std::string::npos) << logged;
  EXPECT_EQ(logged.find(phone_), std::string::npos);
  EXPECT_TRUE(ReconnectsAfter("bad_node"));
  EXPECT_EQ(store_->Count(wa::RecordKind::kCredentials), before);
}

TEST_F(WhatsAppConnectionTest, ReconnectsAfterFramesThatCannotBeRead) {
  LinkByQr();
  for (const char* kind : {"garbage_frame", "empty_frame", "huge_frame"}) {
    recorder_->events.clear();
    sim().Post("/fault", {{"kind", kind}});
    EXPECT_TRUE(ReconnectsAfter("bad_frame")) << kind;
  }
}

TEST_F(WhatsAppConnectionTest, AcknowledgesAStanzaThatNobodyWants) {
  LinkByQr();
  sim().Post("/send", {{"phone", phone_},
                       {"device", 1},
                       {"node",
                        {{"tag", "notification"},
                         {"attrs", {{"id", "n1"}, {"type", "devices"}, {"from", "15550009999@s.whatsapp.net"}}}}}});
  EXPECT_TRUE(Until([&] { return recorder_->Last<wa::StanzaReceived>() != nullptr; }));
  EXPECT_TRUE(Until([&] { return sim().Device(phone_).at("pending").to_number<int>() == 0; }));
}

TEST_F(WhatsAppConnectionTest, LetsTheServerWaitWhileReadingIsPausedAndSends) {
  LinkByQr();
  const auto send = [&](const std::string& id) {
    sim().Post("/send", {{"phone", phone_},
                         {"device", 1},
                         {"node",
                          {{"tag", "notification"},
                           {"attrs", {{"id", id}, {"type", "devices"}, {"from", "15550009999@s.whatsapp.net"}}}}}});
  };
  const auto received = [&](std::string_view id) {
    return std::any_of(recorder_->events.begin(), recorder_->events.end(), [&](const wa::Event& event) {
      const auto* stanza = std::get_if<wa::StanzaReceived>(&event);
      return stanza != nullptr && stanza->node.Attr("id") == id;
    });
  };
  // Sends, and returns when the server has it: what came meanwhile has had its turn to be read.
  const auto send_request = [&] {
    const int before = RequestsAtServer("test:paused");
    bool sent = false;
    asio::co_spawn(
        io_,
        [driver = driver_, before]() -> asio::awaitable<void> {
          wa::Node request{"iq", {{"id", absl::StrCat("p", before)}, {"type", "get"}, {"xmlns", "test:paused"}}, {}};
          co_await driver->Send(std::move(request));
        },
        [&sent](const std::exception_ptr&) { sent = true; });
    return Until([&] { return sent && RequestsAtServer("test:paused") > before; });
  };
  driver_->PauseReading(true);
  send("n1");  // for the read that is under way, unless something else has come before it
  ASSERT_TRUE(send_request() && send_request());
  send("n2");
  ASSERT_TRUE(send_request() && send_request());
  EXPECT_FALSE(received("n2"));
  driver_->PauseReading(false);
  EXPECT_TRUE(Until([&] { return received("n2"); }));
  driver_->PauseReading(true);
}

TEST_F(WhatsAppConnectionTest, TriesACommitAgainUntilItsOutcomeIsKnown) {
  phone_ = sim().AddPhone();
  StartLink();
  ASSERT_TRUE(Until([&] { return recorder_->Last<wa::QrCodeShown>() != nullptr; }));
  store_->failures = 1;
  sim().Post("/scan", {{"phone", phone_}, {"qr", recorder_->Last<wa::QrCodeShown>()->text}});
  ASSERT_TRUE(UntilConnected(1));
  ASSERT_GE(store_->tried.size(), 2u);
  EXPECT_EQ(store_->tried[0], store_->tried[1]);
}

TEST_F(WhatsAppConnectionTest, FailsTheLinkWhenTheStoreRefuses) {
  phone_ = sim().AddPhone();
  StartLink();
  ASSERT_TRUE(Until([&] { return recorder_->Last<wa::QrCodeShown>() != nullptr; }));
  store_->failures = 1;
  store_->failure = absl::AbortedError("LEASE_LOST");
  sim().Post("/scan", {{"phone", phone_}, {"qr", recorder_->Last<wa::QrCodeShown>()->text}});
  ASSERT_TRUE(Until([&] { return recorder_->Last<wa::LinkFailed>() != nullptr; }));
  EXPECT_EQ(recorder_->Last<wa::LinkFailed>()->reason, wa::LinkFailure::kStore);
  EXPECT_EQ(sim().CountEvents("linked"), 0);
  EXPECT_TRUE(store_->records.empty());
}

TEST_F(WhatsAppConnectionTest, LogsOut) {
  LinkByQr();
  driver_->Logout();
  ASSERT_TRUE(Until([&] { return recorder_->Last<wa::LoggedOut>() != nullptr; }));
  EXPECT_TRUE(recorder_->Last<wa::LoggedOut>()->confirmed);
  EXPECT_TRUE(sim().Device(phone_).empty());
}

TEST_F(WhatsAppConnectionTest, StopsWithACloseFrameAndSaysNothingMore) {
  LinkByQr();
  Stop();
  EXPECT_EQ(recorder_->Last<wa::StateChanged>()->state, ConnectionState::kStopped);
  EXPECT_TRUE(Until([&] { return sim().Get("/connections").at("connections").as_array().empty(); }));
}

TEST_F(WhatsAppConnectionTest, AbandonsAtOnce) {
  LinkByQr();
  driver_->Abandon();
  EXPECT_TRUE(Until([&] { return sim().Get("/connections").at("connections").as_array().empty(); }));
  const std::size_t commits = store_->tried.size();
  Stop();
  EXPECT_EQ(store_->tried.size(), commits);
}

TEST_F(WhatsAppConnectionTest, TriesAgainWhereNobodyListens) {
  asio::ip::tcp::acceptor unused(io_, {asio::ip::address_v4::loopback(), 0});
  const std::string url = "ws://127.0.0.1:" + std::to_string(unused.local_endpoint().port()) + "/ws/chat";
  unused.close();
  Start(wa::Session::Link(SessionOptions(), {}, SystemEntropy()).value(), url);
  ASSERT_TRUE(Until([&] { return recorder_->Last<wa::LinkFailed>() != nullptr; }));
  EXPECT_EQ(recorder_->Last<wa::LinkFailed>()->reason, wa::LinkFailure::kDisconnected);
}

class WhatsAppTlsTest : public WhatsAppConnectionTest {
 protected:
  WhatsAppTlsTest() : folder_(absl::StrCat(::testing::TempDir(), "whatsapp_tls.", getpid())) {
    std::filesystem::create_directories(folder_);
    MakeFiles("localhost");
    sim_.emplace(std::vector<std::string>{"--tls_cert=" + cert_, "--tls_key=" + key_});
  }
  ~WhatsAppTlsTest() override {
    Stop();
    std::error_code ignored;
    std::filesystem::remove_all(folder_, ignored);
  }
  void MakeFiles(const std::string& name) {
    const auto made = assistant::claude::testing::MakeCertificate(name);
    cert_ = folder_ / (name + ".pem");
    key_ = folder_ / (name + ".key");
    std::ofstream(cert_) << made.certificate_pem;
    std::ofstream(key_) << made.key_pem;
  }
  std::string UrlFor(const std::string& host) {
    const std::string& url = sim().url();
    return "wss://" + host + url.substr(url.rfind(':'));
  }

  std::filesystem::path folder_;
  std::string cert_, key_;
};

TEST_F(WhatsAppTlsTest, LinksOverTls) {
  phone_ = sim().AddPhone();
  Start(wa::Session::Link(SessionOptions(), {}, SystemEntropy()).value(), UrlFor("localhost"), cert_);
  ASSERT_TRUE(Until([&] { return recorder_->Last<wa::QrCodeShown>() != nullptr; }));
  sim().Post("/scan", {{"phone", phone_}, {"qr", recorder_->Last<wa::QrCodeShown>()->text}});
  EXPECT_TRUE(UntilConnected(1));
}

TEST_F(WhatsAppTlsTest, RefusesACertificateForAnotherName) {
  Start(wa::Session::Link(SessionOptions(), {}, SystemEntropy()).value(), UrlFor("127.0.0.1"), cert_);
  ASSERT_TRUE(Until([&] { return recorder_->Last<wa::LinkFailed>() != nullptr; }));
  EXPECT_EQ(recorder_->Last<wa::LinkFailed>()->reason, wa::LinkFailure::kUntrustedServer);
  EXPECT_EQ(sim().CountEvents("open"), 0);
}

TEST_F(WhatsAppTlsTest, RefusesACertificateThatNobodyVouchesFor) {
  Start(wa::Session::Link(SessionOptions(), {}, SystemEntropy()).value(), UrlFor("localhost"));
  ASSERT_TRUE(Until([&] { return recorder_->Last<wa::LinkFailed>() != nullptr; }));
  EXPECT_EQ(recorder_->Last<wa::LinkFailed>()->reason, wa::LinkFailure::kUntrustedServer);
  EXPECT_TRUE(recorder_->Last<wa::StateChanged>()->alarm);
}

}  // namespace
}  // namespace medidesk::gateway::net
