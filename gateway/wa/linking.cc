#include "gateway/wa/linking.h"

#include <algorithm>
#include <utility>
#include <variant>

#include "base/status.h"
#include "gateway/wa/device_settings.h"
#include "gateway/wa/iq_linking.h"
#include "gateway/wa/link_advice.h"
#include "gateway/wa/pair_success.h"
#include "gateway/wa/pre_keys.h"

namespace medidesk::gateway::wa {
namespace {

// What belonged to an earlier link of the same number: another identity, so nothing of it is of use.
const std::vector<RecordKind> kOfEarlierLinks = {
    RecordKind::kCredentials,  RecordKind::kSession,   RecordKind::kIdentity,   RecordKind::kPreKey,
    RecordKind::kSignedPreKey, RecordKind::kSenderKey, RecordKind::kDeviceList, RecordKind::kRetry,
    RecordKind::kContactToken, RecordKind::kAppState,  RecordKind::kSentContent};

ByteView ChildBytes(const Node* node, std::string_view tag) {
  const Node* child = node == nullptr ? nullptr : node->Child(tag);
  return child == nullptr ? ByteView() : child->ContentBytes();
}

}  // namespace

Linking::Linking(SessionHost& host, LinkOptions options, const ClientProfile& profile, std::string platform_display)
    : host_(host),
      options_(std::move(options)),
      platform_id_(PlatformId(profile.platform)),
      device_type_(static_cast<int>(profile.platform)),
      platform_display_(std::move(platform_display)),
      credentials_(DeviceCredentials::Generate(host.entropy())) {}

void Linking::OnReady() { Wait(kPairDeviceLimit); }

bool Linking::OnStanza(const Node& node) {
  if (step_ == Step::kFailed) return true;
  const auto from = node.AttrJid("from");
  if (!from || !from->IsServer()) return false;
  if (node.tag == "iq" && node.Attr("type") == "set") {
    if (const Node* pair_device = node.Child("pair-device")) {
      OnPairDevice(node, *pair_device);
      return true;
    }
    if (node.Child("pair-success") != nullptr) {
      OnPairSuccess(node);
      return true;
    }
  }
  if (node.tag == "notification") {
    const std::string_view type = node.Attr("type");
    if (type == "link_code_companion_reg") {
      OnCodeTyped(node);
      return true;
    }
    if (type == "passkey_prologue_request") {
      OnPasskeyStart(node);
      return true;
    }
    if (type == "crsc_continuation") {
      OnPasskeyContinuation(node);
      return true;
    }
  }
  if (node.tag == "ib" && node.Child("downgrade_webclient") != nullptr) {
    host_.Emit(LinkProgress{LinkStep::kEnableLinkedDevices});
    return true;
  }
  return false;
}

// ---- QR and code --------------------------------------------------------------------------------

void Linking::OnPairDevice(const Node& iq, const Node& pair_device) {
  host_.SendNode({"iq", {{"to", Jid::Server()}, {"type", "result"}, {"id", iq.Attr("id")}}, {}});
  if (step_ != Step::kWaiting) return;
  if (options_.by_code) return AskForCode();
  qr_.emplace(RefsOf(pair_device));
  step_ = Step::kShowing;
  deadline_.reset();
  ShowQr();
}

void Linking::ShowQr() {
  const Moment now = host_.now();
  if (qr_->exhausted(now.steady)) return Fail(LinkFailure::kExpired);
  if (const auto code = qr_->Next(now.steady)) {
    host_.Emit(QrCodeShown{.text = QrText(code->ref, credentials_, platform_id_),
                           .index = code->index,
                           .count = code->count,
                           .expires = now.WallAt(code->expires)});
  }
}

void Linking::AskForCode() {
  code_ = EncodeCode(RandomArray<5>(host_.entropy()));
  code_ephemeral_ = KeyPair::Generate(host_.entropy());
  step_ = Step::kShowing;
  Wait(kCodeLife);
  const CompanionHelloRequest hello{.phone = options_.phone,
                                    .wrapped_ephemeral = WrapKey(code_, code_ephemeral_.public_key, host_.entropy()),
                                    .noise_public = credentials_.noise.public_key,
                                    .platform_id = platform_id_,
                                    .platform_display = platform_display_};
  host_.Ask(hello, [this](absl::StatusOr<Bytes> ref) {
    if (step_ != Step::kShowing) return;
    if (!ref.ok()) return FailOnAnswer(ref.status(), LinkFailure::kServer);
    code_ref_ = *std::move(ref);
    host_.Emit(PairingCodeShown{.code = DisplayCode(code_), .expires = host_.now().WallAt(*deadline_)});
  });
}

void Linking::OnCodeTyped(const Node& notification) {
  // A guarded account sends the notification without keys first; the passkey's request follows.
  const Node* reg = notification.Child("link_code_companion_reg");
  const ByteView wrapped = ChildBytes(reg, "link_code_pairing_wrapped_primary_ephemeral_pub");
  if (step_ != Step::kShowing || !options_.by_code || code_ref_.empty() || wrapped.empty()) return;
  const ByteView ref = ChildBytes(reg, "link_code_pairing_ref");
  if (!std::equal(ref.begin(), ref.end(), code_ref_.begin(), code_ref_.end())) return;

  const auto phone_ephemeral = UnwrapKey(code_, wrapped);
  const auto phone_identity = ToKey(ChildBytes(reg, "primary_identity_pub"));
  if (!phone_ephemeral.ok() || !phone_identity.ok()) return Fail(LinkFailure::kBadSignature);
  const auto bundle =
      MakeCodeBundle(code_ephemeral_, *phone_ephemeral, credentials_.identity, *phone_identity, host_.entropy());
  if (!bundle.ok()) return Fail(LinkFailure::kBadSignature);
  step_ = Step::kFinishing;
  Wait(kPhoneLimit);
  host_.Emit(LinkProgress{LinkStep::kConfirming});
  credentials_.adv_secret = bundle->adv_secret;
  const Record record{.name = {.kind = RecordKind::kCredentials, .key = std::string(kLinkingKey)},
                      .value = credentials_.Serialize()};
  host_.CommitThen({.puts = {record}}, std::nullopt,
                   [this, wrapped_bundle = bundle->wrapped](const absl::Status& status) {
                     if (step_ != Step::kFinishing) return;
                     if (!status.ok()) return Fail(LinkFailure::kStore);
                     const CompanionFinishRequest finish{.phone = options_.phone,
                                                         .wrapped_bundle = wrapped_bundle,
                                                         .identity_public = credentials_.identity.public_key,
                                                         .ref = code_ref_};
                     host_.Ask(finish, [this](const absl::StatusOr<CompanionFinishRequest::Response>& answer) {
                       if (step_ == Step::kFinishing && !answer.ok())
                         FailOnAnswer(answer.status(), LinkFailure::kServer);
                     });
                   });
}

// ---- The phone's answer -------------------------------------------------------------------------

void Linking::OnPairSuccess(const Node& iq) {
  if (step_ == Step::kStoring || step_ == Step::kLinked || step_ == Step::kWaiting) return;
  host_.Emit(LinkProgress{LinkStep::kConfirming});
  auto outcome = CheckPairSuccess(iq, credentials_, options_.phone, host_.entropy());
  if (const auto* refused = std::get_if<PairRefused>(&outcome)) {
    host_.SendNode(refused->reply);
    return Fail(refused->reason == PairRefused::Reason::kOtherPhone  ? LinkFailure::kOtherPhone
                : refused->reason == PairRefused::Reason::kMalformed ? LinkFailure::kServer
                                                                     : LinkFailure::kBadSignature);
  }
  PairAccepted accepted = std::get<PairAccepted>(std::move(outcome));
  step_ = Step::kStoring;
  deadline_.reset();
  RecordChanges changes;
  changes.wipes = kOfEarlierLinks;
  changes.puts = {{.name = {.kind = RecordKind::kCredentials, .key = std::string(kSelfKey)},
                   .value = accepted.credentials.Serialize()},
                  SignedPreKeyRecord(accepted.credentials.signed_pre_key, host_.now().wall),
                  accepted.primary_identity,
                  {.name = {.kind = RecordKind::kSetting, .key = std::string(kSettingsKey)},
                   .value = DeviceSettings{}.Serialize()}};
  LinkedAccount account = *accepted.credentials.account;
  host_.CommitThen(std::move(changes), std::move(account),
                   [this, iq, accepted = std::move(accepted)](const absl::Status& status) {
                     if (!status.ok()) {
                       host_.SendNode(RefusePairSuccess(iq, 500, "internal-error"));
                       return Fail(status.code() == absl::StatusCode::kAlreadyExists ? LinkFailure::kLinkedElsewhere
                                                                                     : LinkFailure::kStore);
                     }
                     credentials_ = accepted.credentials;
                     step_ = Step::kLinked;
                     host_.SendNode(accepted.reply);
                     Wait(kRestartLimit);
                     host_.Emit(LinkProgress{LinkStep::kLoggingIn});
                   });
}

// ---- Past a passkey -----------------------------------------------------------------------------

void Linking::OnPasskeyStart(const Node& notification) {
  if (step_ != Step::kShowing && step_ != Step::kFinishing && step_ != Step::kAssertion) return;
  if (step_ != Step::kAssertion) {
    // The secret that the phone has seen; a second request in the same attempt means the same one.
    handoff_key_ = PasskeyHandoffKey(credentials_.adv_secret);
    handoff_made_ = host_.now().steady;
    next_adv_secret_ = RandomArray<32>(host_.entropy());
    qr_.reset();
    step_ = Step::kAssertion;
    Wait(kConfirmLimit);
  }
  if (const auto json = AsText(ChildBytes(&notification, "passkey_request_options"));
      !json.empty() && ParsePasskeyOptions(json).ok()) {
    return OnPasskeyOptions(json);
  }
  host_.Ask(PasskeyOptionsRequest{}, [this](const absl::StatusOr<std::string>& options) {
    if (step_ != Step::kAssertion) return;
    if (!options.ok()) return FailOnAnswer(options.status(), LinkFailure::kPasskey);
    OnPasskeyOptions(*options);
  });
}

void Linking::OnPasskeyOptions(std::string_view json) {
  auto options = ParsePasskeyOptions(json);
  if (!options.ok()) return Fail(LinkFailure::kPasskey);
  passkey_options_ = *std::move(options);
  deadline_ = host_.now().steady + passkey_options_->timeout;
  host_.Emit(PasskeyRequested{.options_json = passkey_options_->json, .expires = host_.now().WallAt(*deadline_)});
}

absl::Status Linking::SubmitPasskey(std::string_view assertion_json) {
  if (step_ != Step::kAssertion || !passkey_options_) {
    return Error(absl::StatusCode::kFailedPrecondition, "this link attempt waits for no passkey");
  }
  auto checked = CheckPasskeyAssertion(assertion_json, *passkey_options_);
  if (!checked.ok()) return checked.status();
  step_ = Step::kPrologue;
  Wait(kPhoneLimit);
  host_.Ask(PairingRefRequest{}, [this, assertion = *std::move(checked)](const absl::StatusOr<std::string>& ref) {
    if (step_ != Step::kPrologue) return;
    if (!ref.ok()) return FailOnAnswer(ref.status(), LinkFailure::kPasskey);
    SendPrologue(assertion, *ref);
  });
  return absl::OkStatus();
}

void Linking::SendPrologue(const PasskeyAssertion& assertion, const std::string& ref) {
  pairing_ref_ = ref;
  passkey_ephemeral_ = KeyPair::Generate(host_.entropy());
  passkey_nonce_ = RandomArray<32>(host_.entropy());
  PasskeyPrologueRequest request{
      .credential_id = assertion.credential_id,
      .assertion_json = assertion.json,
      .prologue = PasskeyPrologue(passkey_ephemeral_.public_key, device_type_, pairing_ref_, passkey_nonce_),
      .handoff_proof = std::nullopt};
  proof_sent_ = handoff_key_ && host_.now().steady - handoff_made_ < kHandoffLife;
  if (proof_sent_) request.handoff_proof = PasskeyHandoffProof(*handoff_key_, request.prologue);
  step_ = Step::kPhone;
  Wait(kPhoneLimit);
  host_.Ask(request, [this](const absl::StatusOr<PasskeyPrologueRequest::Response>& answer) {
    handoff_key_.reset();
    if (step_ != Step::kPhone) return;
    if (!answer.ok()) return FailOnAnswer(answer.status(), LinkFailure::kPasskey);
    Wait(kPhoneLimit);
    host_.Emit(LinkProgress{LinkStep::kWaitingForPhone});
  });
}

void Linking::OnPasskeyContinuation(const Node& notification) {
  if (step_ != Step::kPhone) return;
  const auto primary = ParsePrimaryEphemeral(ChildBytes(&notification, "primary_ephemeral_identity"));
  if (!primary.ok()) return Fail(LinkFailure::kPasskey);
  auto agreement = AgreeOnPasskey(passkey_ephemeral_, passkey_nonce_, *primary, device_type_, pairing_ref_);
  if (!agreement.ok()) return Fail(LinkFailure::kPasskey);
  pairing_key_ = agreement->key;
  step_ = Step::kConfirm;
  Wait(kPhoneLimit);
  host_.Ask(CompanionNonceRequest{passkey_nonce_},
            [this, code = agreement->code](const absl::StatusOr<CompanionNonceRequest::Response>& answer) {
              if (step_ != Step::kConfirm) return;
              if (!answer.ok()) return FailOnAnswer(answer.status(), LinkFailure::kPasskey);
              const bool must_confirm = options_.require_code_match || !proof_sent_;
              code_ = code;
              host_.Emit(PasskeyCodeShown{.code = DisplayCode(code_), .must_confirm = must_confirm});
              if (!must_confirm) return SendPairingRequest();
              deadline_ = host_.now().steady + kConfirmLimit;
            });
}

absl::Status Linking::ConfirmPasskeyCode(bool matches) {
  if (step_ != Step::kConfirm || code_.empty()) {
    return Error(absl::StatusCode::kFailedPrecondition, "this link attempt waits for no comparison of codes");
  }
  if (matches) {
    SendPairingRequest();
  } else {
    Fail(LinkFailure::kCodeMismatch);
  }
  return absl::OkStatus();
}

void Linking::SendPairingRequest() {
  // pair-success can overtake the answer to this.
  credentials_.adv_secret = next_adv_secret_;
  step_ = Step::kRequest;
  Wait(kPhoneLimit);
  const EncryptedPairingRequestIq request{PasskeyPairingRequest(pairing_key_, credentials_.noise.public_key,
                                                                credentials_.identity.public_key,
                                                                credentials_.adv_secret, host_.entropy())};
  host_.Ask(request, [this](const absl::StatusOr<EncryptedPairingRequestIq::Response>& answer) {
    if (step_ == Step::kRequest && !answer.ok()) FailOnAnswer(answer.status(), LinkFailure::kPasskey);
  });
}

// ---- Ends ---------------------------------------------------------------------------------------

void Linking::OnTime() {
  if (step_ == Step::kShowing && qr_) ShowQr();
  if (!deadline_ || host_.now().steady < *deadline_) return;
  deadline_.reset();
  switch (step_) {
    case Step::kShowing:
      return Fail(LinkFailure::kExpired);
    case Step::kAssertion:
      return Fail(LinkFailure::kPasskey);
    case Step::kFinishing:
    case Step::kPrologue:
    case Step::kPhone:
    case Step::kRequest:
      return Fail(LinkFailure::kPhoneSilent);
    case Step::kConfirm:
      return Fail(LinkFailure::kCodeMismatch);
    case Step::kLinked:
      // The server did not say 515 or close: connect anew all the same.
      return host_.EndConnection({.kind = EndKind::kRestart, .code = 0, .reason = "linked"});
    case Step::kWaiting:
      return Fail(LinkFailure::kDisconnected);
    case Step::kStoring:
    case Step::kFailed:
      return;
  }
}

std::optional<Time> Linking::next_time() const {
  if (step_ == Step::kShowing && qr_) return qr_->next_time();
  return deadline_;
}

void Linking::FailOnAnswer(const absl::Status& status, LinkFailure otherwise) {
  const int code = IqErrorCode(status);
  const bool gone =
      status.code() == absl::StatusCode::kUnavailable || status.code() == absl::StatusCode::kDeadlineExceeded;
  if (code == 0 && gone) return Fail(LinkFailure::kDisconnected);
  Fail(code == 429 || code == 419 ? LinkFailure::kRateLimited : otherwise, code);
}

void Linking::OnEnd(const ConnectionEnd& end) {
  if (step_ == Step::kLinked || step_ == Step::kStoring || step_ == Step::kFailed) return;
  switch (end.kind) {
    case EndKind::kUntrustedServer:
      return Fail(LinkFailure::kUntrustedServer);
    case EndKind::kVersionRefused:
      return Fail(LinkFailure::kVersionRefused, end.code);
    case EndKind::kSlowRetry:
      return Fail(LinkFailure::kRateLimited, end.code);
    case EndKind::kRetry:
    case EndKind::kRestart:
      return Fail(LinkFailure::kDisconnected, end.code);
    default:
      return Fail(LinkFailure::kServer, end.code);
  }
}

void Linking::Fail(LinkFailure reason, int server_code) {
  if (step_ == Step::kFailed) return;
  const bool slow_down = reason == LinkFailure::kPasskey || reason == LinkFailure::kPhoneSilent ||
                         reason == LinkFailure::kCodeMismatch || reason == LinkFailure::kRateLimited;
  LinkFailed failed{.reason = reason, .server_code = server_code, .advice = std::string(LinkAdvice(reason))};
  if (slow_down) failed.retry_at = host_.now().wall + kRetryGap;
  step_ = Step::kFailed;
  deadline_.reset();
  // Nothing of the attempt is of use any more.
  credentials_ = DeviceCredentials{};
  pairing_key_ = next_adv_secret_ = passkey_nonce_ = Key32{};
  code_.clear();
  host_.Emit(std::move(failed));
  host_.EndConnection({.kind = EndKind::kRefused, .code = server_code, .reason = "link_failed"});
}

}  // namespace medidesk::gateway::wa
