// One number's device on WhatsApp, across connections: links it, logs it in, keeps it connected.
//
// Sans-I/O: told what happened and when, it answers with what to do (session_action.h). It owns no socket, clock,
// timer, file or randomness. The driver's loop:
//
//   for (Action& action : session->Start(now)) Do(action);        Connect -> open a socket, then OnConnected
//   socket read  -> OnBytes        socket gone   -> OnClosed      WaitUntil -> a timer, then OnTime
//   stored       -> OnCommitted    records read  -> OnLoaded      Deliver   -> the number's owner
//
// Every input may be given at any time; inputs of a connection that is over, answers that are not waited for and times
// that come early do nothing. Hostile bytes end the connection, never more. A step that rests on stored state (the
// signed answer of linking, the keys of an upload) leaves only after OnCommitted.
//
// Not thread-safe: one strand. Commits are numbered and must be applied and answered in their order.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#include "gateway/wa/client_payload.h"
#include "gateway/wa/device_credentials.h"
#include "gateway/wa/device_settings.h"
#include "gateway/wa/iq.h"
#include "gateway/wa/linking.h"
#include "gateway/wa/login.h"
#include "gateway/wa/noise_certificate.h"
#include "gateway/wa/reconnect_policy.h"
#include "gateway/wa/session_action.h"
#include "gateway/wa/session_host.h"

namespace medidesk::gateway::wa {

// Why the driver's socket is gone.
enum class CloseCause {
  kLost,       // the network, the peer, a time-out, a retryable HTTP status (408, 500 to 504)
  kRefused,    // the upgrade was answered with another HTTP status
  kUntrusted,  // TLS could not verify the server
};

struct SessionOptions {
  ClientProfile profile = {};
  Key32 root_key = kWhatsAppRootKey;  // that the server's certificate must come from
  bool ignore_certificate_dates = false;
  // While available the phone may keep its own notifications down; without either people may see "-" as our name.
  Presence presence = Presence::kUnavailable;
  // A browser and system that the server knows: it refuses uncommon ones when linking by code.
  std::string platform_display = "Chrome (Mac OS)";
};

class Session final : private SessionHost {
 public:
  static constexpr std::chrono::seconds kConnectLimit{20};
  static constexpr std::chrono::seconds kHandshakeLimit{20};
  static constexpr std::chrono::seconds kLoginLimit{30};
  static constexpr std::chrono::seconds kLogoutLimit{10};
  static constexpr std::size_t kMaxFrame = 8u << 20;  // bytes
  static constexpr int kMaxRoutingFailures = 2;

  // Links a new device, then goes on as its login. The attempt ends with Linked or LinkFailed; after LinkFailed the
  // session is over. INVALID_ARGUMENT for a phone that is no international number.
  static absl::StatusOr<std::unique_ptr<Session>> Link(SessionOptions options, LinkOptions link, Entropy entropy);
  // Logs a linked device in. FAILED_PRECONDITION when the credentials are not linked.
  static absl::StatusOr<std::unique_ptr<Session>> Login(SessionOptions options, DeviceCredentials credentials,
                                                        DeviceSettings settings, Entropy entropy);
  ~Session();

  // Once, first.
  Actions Start(Moment now);

  // ---- What happened ----
  Actions OnConnected(Moment now, std::uint64_t connection);
  Actions OnBytes(Moment now, std::uint64_t connection, ByteView bytes);
  Actions OnClosed(Moment now, std::uint64_t connection, CloseCause cause);
  Actions OnTime(Moment now);
  Actions OnLoaded(Moment now, std::uint64_t request, absl::StatusOr<std::vector<Record>> records);
  // An error is a definite refusal: nothing was stored. The session closes and is over (a link attempt fails); load
  // the state anew and make another. An unknown outcome is for the driver to resolve first.
  Actions OnCommitted(Moment now, std::uint64_t commit, absl::Status status);

  // ---- What is wanted ----
  // UNAVAILABLE while not logged in, INVALID_ARGUMENT for a node that cannot be encoded.
  absl::StatusOr<Actions> Send(Moment now, const Node& stanza);
  // `done` runs inside a later input, or with UNAVAILABLE at once or when the connection ends.
  template <IqRequest Request>
  Actions Query(Moment now, const Request& request, IqTracker::Done<typename Request::Response> done) {
    Begin(now);
    if (!can_send() || iqs()->pending() >= IqTracker::kMaxPending) {
      done(Error(absl::StatusCode::kUnavailable, "WhatsApp is not connected"));
    } else {
      Ask(request, std::move(done));
    }
    return Finish();
  }
  // As Linking has them.
  absl::StatusOr<Actions> SubmitPasskey(Moment now, std::string_view assertion_json);
  absl::StatusOr<Actions> ConfirmPasskeyCode(Moment now, bool matches);
  // Removes the device from the account; LoggedOut follows, at the latest after 10 s.
  Actions Logout(Moment now);
  // Connects now: after a stop that a person has looked into, or instead of waiting.
  Actions Reconnect(Moment now);
  // Closes and is over, e.g. to hand the number to another gateway.
  Actions Stop(Moment now);
  // The driver has stopped reading because it cannot keep up, or reads again: silence is then not the server's.
  Actions PauseReading(Moment now);
  Actions ResumeReading(Moment now);

  // ---- How things stand ----
  bool can_send() const;
  // Nothing will come of this session any more, but by Reconnect where the policy has stopped it.
  bool idle() const { return connection_ == nullptr && !connect_at_; }
  std::chrono::milliseconds server_offset() const { return login_.server_offset(); }
  // Own keys and addresses: for the message layer. Empty ones until a link attempt is linked().
  const DeviceCredentials& credentials() const { return credentials_; }
  const DeviceSettings& settings() const { return settings_; }

 private:
  struct Connection;

  Session(SessionOptions options, Entropy entropy, DeviceCredentials credentials, DeviceSettings settings);

  // SessionHost.
  Moment now() const override { return now_; }
  const Entropy& entropy() const override { return entropy_; }
  void SendNode(const Node& node) override;
  void Emit(Event event) override;
  void CommitThen(RecordChanges changes, std::optional<LinkedAccount> linked,
                  std::function<void(absl::Status)> done) override;
  void LoadThen(std::vector<RecordName> names, std::function<void(absl::StatusOr<std::vector<Record>>)> done) override;
  void EndConnection(ConnectionEnd end, std::string detail = {}) override;
  IqTracker* iqs() override;

  void Begin(Moment now);
  Actions Finish();
  void BeginConnect();
  void OnServerHello(ByteView payload);
  void OnFrame(ByteView payload);
  void OnNode(Node node);
  void OnNotification(Node node);
  void OnStanza(Node node, bool needs_ack);
  void SendPing();
  void AdoptLink();
  void ApplyEnd();
  void ReportLink(const ConnectionEnd& end, bool stopped);
  void ForgetRoutingAfterFailures(const Connection& connection);
  std::optional<Time> NextTime() const;
  bool linking() const { return linking_ != nullptr && !link_adopted_; }
  bool Current(std::uint64_t connection) const;

  SessionOptions options_;
  Entropy entropy_;
  DeviceCredentials credentials_;
  DeviceSettings settings_;
  wa::Login login_;
  ReconnectPolicy policy_;
  std::unique_ptr<Linking> linking_;  // of a session that links; kept to its end
  bool link_adopted_ = false;         // the link is stored
  bool link_reported_ = false;

  Moment now_{};
  Actions out_;
  std::unique_ptr<Connection> connection_;
  std::uint64_t last_connection_ = 0;
  std::optional<Time> connect_at_;
  std::optional<Time> last_wait_;
  bool over_ = false;
  bool logging_out_ = false;
  bool reading_paused_ = false;
  int routing_failures_ = 0;

  struct PendingEnd {
    ConnectionEnd end;
    std::string detail;
    bool by_peer = false;  // the socket is gone already
  };
  std::optional<PendingEnd> pending_end_;

  std::uint64_t last_commit_ = 0;
  std::map<std::uint64_t, std::function<void(absl::Status)>> commits_;
  std::uint64_t last_load_ = 0;
  std::map<std::uint64_t, std::function<void(absl::StatusOr<std::vector<Record>>)>> loads_;
};

}  // namespace medidesk::gateway::wa
