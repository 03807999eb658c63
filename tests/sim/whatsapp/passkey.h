// The passkey that guards an account: what the server and the phone do when a companion links to such an account, and
// what the operator's browser does with the credential.
//
// The sequence, each step once: Options() -> companion asks for the ref -> OnPrologue() -> PrimaryIdentity() ->
// OnNonce() -> OnRequest(). INVALID_ARGUMENT for whatever the companion gets wrong. Not thread-safe.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/status.h"
#include "tests/sim/whatsapp/bytes.h"
#include "tests/sim/whatsapp/curve.h"

namespace medidesk::whatsapp_sim {

// An ES256 credential for whatsapp.com, as it lies in the person's keychain.
class PasskeyCredential {
 public:
  PasskeyCredential();
  ~PasskeyCredential();
  PasskeyCredential(PasskeyCredential&&) noexcept;
  PasskeyCredential& operator=(PasskeyCredential&&) noexcept;

  // What a browser on web.whatsapp.com answers to these request options, as JSON. INVALID_ARGUMENT when the options
  // are none of whatsapp.com.
  absl::StatusOr<std::string> Assert(std::string_view options_json) const;
  // Whether `assertion_json` is this credential's answer to `challenge` (base64url).
  absl::Status Check(View credential_id, std::string_view assertion_json, std::string_view challenge) const;

 private:
  struct KeyHolder;
  std::unique_ptr<KeyHolder> key_;
  Bytes id_;
};

class PasskeyPairing {
 public:
  struct Result {
    Key noise_key{};
    Key identity{};
    Key adv_secret{};
  };

  // `adv_secret`: the one that the phone learned by QR or code. `ref`: the pairing ref in use.
  PasskeyPairing(const Key& adv_secret, std::string ref);
  // With the phone's keys given.
  PasskeyPairing(const Key& adv_secret, std::string ref, const KeyPair& ephemeral, const Key& nonce);

  const std::string& options() const { return options_; }  // JSON
  const std::string& ref() const { return ref_; }

  absl::Status OnPrologue(const PasskeyCredential& credential, View credential_id, std::string_view assertion,
                          View payload, std::optional<View> handoff_proof);
  Bytes PrimaryIdentity() const;  // protobuf
  // The code that both sides show, "XXXX-XXXX".
  absl::StatusOr<std::string> OnNonce(View nonce);
  absl::StatusOr<Result> OnRequest(View encrypted_request);

 private:
  Key adv_secret_;
  std::string ref_;
  std::string challenge_, options_;
  KeyPair ephemeral_;
  Key nonce_{};
  Bytes companion_identity_;  // the committed protobuf
  Bytes commitment_;
  Key companion_key_{};
  int device_type_ = 0;
  bool opened_ = false;  // the commitment
};

}  // namespace medidesk::whatsapp_sim
