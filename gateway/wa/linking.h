// One attempt to link a new device: by QR or by code, past a passkey where the account wants one, up to the signed
// answer that makes the link.
//
//   pair-device -> QR codes in turn, or companion_hello and a code to type
//   code typed  -> keys exchanged; the ADV secret is stored, then companion_finish
//   passkey     -> the operator's browser signs, codes are shown, the phone goes on
//   pair-success -> everything is checked, then stored, and only then answered
//
// A part of the session (session_host.h). The keys are made anew for the attempt; those that are stored already stay
// untouched until the commit of the link.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "gateway/wa/client_payload.h"
#include "gateway/wa/device_credentials.h"
#include "gateway/wa/pairing_code.h"
#include "gateway/wa/passkey_assertion.h"
#include "gateway/wa/passkey_exchange.h"
#include "gateway/wa/qr_link.h"
#include "gateway/wa/session_host.h"

namespace medidesk::gateway::wa {

struct LinkOptions {
  std::string phone = {};           // digits; required by code, else only this phone may link when it is set
  bool by_code = false;             // else by QR
  bool require_code_match = false;  // wait for the operator even where the QR code proves enough
};

class Linking {
 public:
  static constexpr std::chrono::seconds kPairDeviceLimit{30};
  static constexpr std::chrono::seconds kCodeLife{160};
  static constexpr std::chrono::seconds kRestartLimit{10};
  static constexpr std::chrono::seconds kPhoneLimit{120};
  static constexpr std::chrono::minutes kConfirmLimit{5};
  static constexpr std::chrono::minutes kHandoffLife{5};
  static constexpr std::chrono::seconds kRetryGap{60};

  Linking(SessionHost& host, LinkOptions options, const ClientProfile& profile, std::string platform_display);

  // The credentials of the attempt; linked once linked().
  const DeviceCredentials& credentials() const { return credentials_; }
  // The link is stored: from here on the session logs in, whatever becomes of this connection.
  bool linked() const { return step_ == Step::kLinked; }
  bool failed() const { return step_ == Step::kFailed; }

  // The handshake is done.
  void OnReady();
  // A stanza of this connection. False when it is none of linking's.
  bool OnStanza(const Node& node);
  // The connection has ended, or the server has ended it. Fails the attempt unless the link is stored or being stored.
  void OnEnd(const ConnectionEnd& end);
  void OnTime();
  std::optional<Time> next_time() const;

  // FAILED_PRECONDITION when no assertion is waited for, INVALID_ARGUMENT for one of another shape, host or challenge.
  absl::Status SubmitPasskey(std::string_view assertion_json);
  // FAILED_PRECONDITION when no comparison is waited for.
  absl::Status ConfirmPasskeyCode(bool matches);

 private:
  enum class Step {
    kWaiting,    // for pair-device
    kShowing,    // a QR code, or a code to type
    kFinishing,  // the code was typed; waiting for pair-success
    kAssertion,  // waiting for the operator's browser
    kPrologue,   // the assertion is being passed on
    kPhone,      // waiting for the phone to go on
    kConfirm,    // waiting for the operator's comparison
    kRequest,    // the pairing request is out; waiting for pair-success
    kStoring,    // the link is being stored
    kLinked,
    kFailed,
  };

  void OnPairDevice(const Node& iq, const Node& pair_device);
  void OnCodeTyped(const Node& notification);
  void OnPairSuccess(const Node& iq);
  void OnPasskeyOptions(std::string_view json);
  void OnPasskeyContinuation(const Node& notification);
  void OnPasskeyStart(const Node& notification);
  void ShowQr();
  void AskForCode();
  void SendPrologue(const PasskeyAssertion& assertion, const std::string& ref);
  void SendPairingRequest();
  void FailOnAnswer(const absl::Status& status, LinkFailure otherwise);
  void Fail(LinkFailure reason, int server_code = 0);
  void Wait(std::chrono::seconds limit) { deadline_ = host_.now().steady + limit; }

  SessionHost& host_;
  LinkOptions options_;
  char platform_id_;
  int device_type_;
  std::string platform_display_;
  DeviceCredentials credentials_;
  Step step_ = Step::kWaiting;
  std::optional<Time> deadline_;
  std::optional<QrRotation> qr_;

  // By code.
  std::string code_;
  KeyPair code_ephemeral_;
  Bytes code_ref_;

  // Past a passkey.
  std::optional<PasskeyOptions> passkey_options_;
  std::optional<Key32> handoff_key_;
  Time handoff_made_;
  Key32 next_adv_secret_{};
  std::string pairing_ref_;
  KeyPair passkey_ephemeral_;
  Key32 passkey_nonce_{};
  bool proof_sent_ = false;
  Key32 pairing_key_{};
};

}  // namespace medidesk::gateway::wa
