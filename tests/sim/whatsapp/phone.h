// A simulated phone: the primary device of an account, which links companions. It holds the account's keys and does
// the phone's half of linking by QR and by code; what travels between it and the companion is the session's matter.
//
// Not thread-safe.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "base/status.h"
#include "tests/sim/whatsapp/bytes.h"
#include "tests/sim/whatsapp/curve.h"

namespace medidesk::whatsapp_sim {

// What a QR shows. The text may start with the address that phones' cameras open.
struct QrCode {
  std::string ref;
  Key noise_key{};
  Key identity{};
  Key adv_secret{};
  std::string platform;  // empty in the old form of four fields
};
// INVALID_ARGUMENT names the field.
absl::StatusOr<QrCode> ParseQr(std::string_view text);

// Ways to endorse a companion wrongly. kHosted is right, but of the rarer kind.
enum class AdvForgery {
  kNone,
  kHosted,
  kBadHmac,
  kBadAccountSignature,
  kShortAccountSignature,
  kWrongAccountKey,  // signed by another account than it says
  kOtherCompanion,   // signed for another identity key
  kBadDetails,       // right MAC over bytes that are no identity
  kGarbage,          // no container at all
};
std::optional<AdvForgery> AdvForgeryFrom(std::string_view name);  // snake case: "bad_hmac"
std::span<const std::string_view> AdvForgeryNames();

// What a phone gives out when it links a companion.
struct Endorsement {
  Bytes container;  // AdvSignedDeviceIdentityHmac
  Bytes details;    // AdvDeviceIdentity, as signed
  std::uint32_t key_index = 0;
};

// The phone's half of linking by code, after the person typed the code.
struct CodeAnswer {
  KeyPair ephemeral;
  Key companion_ephemeral{};  // garbage after a wrong code: the bundle will not open
  Bytes wrapped;              // the ephemeral key for the companion, 80 bytes
};

class Phone {
 public:
  struct Options {
    std::string number;         // digits of the phone number
    std::string lid;            // digits
    std::string name;           // push name
    std::string business_name;  // empty: not a business account
    std::string platform = "android";
  };

  explicit Phone(Options options, KeyPair identity = NewKeyPair())
      : options_(std::move(options)), identity_(identity) {}

  const Options& options() const { return options_; }
  const KeyPair& identity() const { return identity_; }

  // `now`: Unix seconds. Each call takes the next key index.
  Endorsement Endorse(const Key& companion_identity, View adv_secret, AdvForgery forgery, std::int64_t now);
  // Whether `reply`, the content of pair-device-sign's device-identity, answers `endorsement`.
  absl::Status CheckReply(const Endorsement& endorsement, const Key& companion_identity, View reply) const;

  // INVALID_ARGUMENT when `code` is none (a dash and small letters are forgiven) or `wrapped` has not 80 bytes.
  static absl::StatusOr<CodeAnswer> AnswerCode(std::string_view code, View wrapped);
  // The ADV secret; INVALID_ARGUMENT when the bundle does not open, which is what a wrong code leads to.
  absl::StatusOr<Key> FinishCode(const CodeAnswer& answer, const Key& companion_identity, View bundle) const;

 private:
  Options options_;
  KeyPair identity_;
  std::uint32_t raw_id_ = 1'234'567;
  std::uint32_t key_index_ = 0;
};

}  // namespace medidesk::whatsapp_sim
