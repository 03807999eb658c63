// Linking on one connection: refs, the phone's scan or code, the passkey step, pair-success and the device's signature.
// Belongs to a Session whose client has no account yet.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "gateway/wa/node.h"
#include "tests/sim/whatsapp/account.h"
#include "tests/sim/whatsapp/passkey.h"
#include "tests/sim/whatsapp/phone.h"
#include "tests/sim/whatsapp/wire.pb.h"

namespace medidesk::whatsapp_sim {

class Pairing {
 public:
  explicit Pairing(Session& session) : session_(session) {}

  // Checks what the client says of itself and shows it the refs.
  void Start(const DevicePairingData& data);
  void OnStanza(const gateway::wa::Node& stanza);

  // INVALID_ARGUMENT when the QR's keys are not this client's; FAILED_PRECONDITION when it is being linked already.
  absl::Status Scan(Account& account, const QrCode& qr);
  // INVALID_ARGUMENT for a code that is none; FAILED_PRECONDITION when no code is waited for.
  absl::Status EnterCode(Account& account, std::string_view code);

  bool HasRef(std::string_view ref) const;
  // The phone number whose code is waited for; empty when none is.
  std::string_view code_wanted_by() const { return code_wanted_by_; }
  // The last passkey code, as the phone shows it; empty before.
  const std::string& passkey_code() const { return passkey_code_; }
  // The request options that the operator's browser is asked to answer; empty unless a passkey is wanted.
  std::string_view passkey_options() const { return passkey_ ? std::string_view(passkey_->options()) : ""; }
  std::string_view account_number() const { return account_ == nullptr ? "" : account_->phone.options().number; }
  // The name for the phone's list of linked devices.
  const std::string& device_name() const { return device_name_; }
  int platform_type() const { return platform_type_; }

 private:
  // What the client said of itself.
  struct Registration {
    Bytes registration_id;
    Key identity{};
    SignedPreKey signed_pre_key;
  };

  void SendRefs();
  void CloseWhenRefsRanOut();
  void OnLinkCode(const gateway::wa::Node& iq, const gateway::wa::Node& request);
  void OnPasskey(const gateway::wa::Node& iq, const gateway::wa::Node& request);
  void OnSigned(const gateway::wa::Node& iq);
  // The phone agreed: the passkey step, or pair-success at once.
  void Agreed(Account& account, const Key& adv_secret, std::string ref);
  void SendPairSuccess(const Key& adv_secret);

  Session& session_;
  Registration registration_;
  std::string device_name_;
  int platform_type_ = 0;
  std::vector<std::string> refs_;
  Account* account_ = nullptr;  // once the phone agreed
  std::optional<Endorsement> endorsement_;
  std::string success_id_;
  std::string code_ref_, code_wanted_by_;
  Bytes code_wrapped_;
  std::optional<CodeAnswer> code_answer_;
  std::optional<PasskeyPairing> passkey_;
  std::string passkey_code_;
};

}  // namespace medidesk::whatsapp_sim
