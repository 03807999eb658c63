#include "tests/sim/whatsapp/pairing.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "tests/sim/whatsapp/messages.h"
#include "tests/sim/whatsapp/session.h"

namespace medidesk::whatsapp_sim {

namespace wa = gateway::wa;

namespace {

constexpr std::uint8_t kKeyType[] = {5};

absl::Status Wrong(std::string_view text) { return Error(absl::StatusCode::kInvalidArgument, text); }
absl::Status TooLate(std::string_view text) { return Error(absl::StatusCode::kFailedPrecondition, text); }

wa::Node Leaf(std::string_view tag, View bytes) { return {std::string(tag), {}, Bytes(bytes.begin(), bytes.end())}; }

View ContentOf(const wa::Node& parent, std::string_view tag) {
  const wa::Node* child = parent.Child(tag);
  return child == nullptr ? View() : child->ContentBytes();
}

}  // namespace

// ---- Refs and what the client says of itself. ---------------------------------------------------

void Pairing::Start(const DevicePairingData& data) {
  const auto identity = KeyFrom(ViewOf(data.identity()));
  const View pre_key = ViewOf(data.signed_pre_key()), pre_key_id = ViewOf(data.signed_pre_key_id());
  const View signature = ViewOf(data.signed_pre_key_signature());
  if (data.registration_id().size() != 4) return session_.Problem("devicePairingData.eRegid: expected 4 bytes");
  if (!std::equal(std::begin(kKeyType), std::end(kKeyType), data.key_type().begin(), data.key_type().end())) {
    return session_.Problem("devicePairingData.eKeytype: expected 05");
  }
  if (!identity) return session_.Problem("devicePairingData.eIdent: expected 32 bytes");
  if (pre_key_id.size() != 3 || pre_key.size() != 32) {
    return session_.Problem("devicePairingData.eSkeyId, eSkeyVal: expected 3 and 32 bytes");
  }
  if (!Verify(*identity, Join({kKeyType, pre_key}), signature)) {
    return session_.Problem("devicePairingData.eSkeySig does not verify");
  }
  DeviceProps props;
  if (!props.ParseFromString(data.device_props())) return session_.Problem("deviceProps is no protobuf message");
  device_name_ = props.os();
  platform_type_ = props.platform_type();
  registration_ = {
      .registration_id = Bytes(data.registration_id().begin(), data.registration_id().end()),
      .identity = *identity,
      .signed_pre_key = {.id = static_cast<std::uint32_t>(pre_key_id[0] << 16 | pre_key_id[1] << 8 | pre_key_id[2]),
                         .value = Bytes(pre_key.begin(), pre_key.end()),
                         .signature = Bytes(signature.begin(), signature.end())}};
  if (session_.Struck(Fault::At::kPairDevice)) return;
  SendRefs();
}

void Pairing::SendRefs() {
  wa::Nodes refs;
  for (std::int64_t i = 0; i < session_.world().settings.refs; ++i) {
    refs_.push_back("2@" + Base64(RandomBytes(48)));
    refs.push_back(Leaf("ref", ViewOf(refs_.back())));
  }
  session_.Send({"iq",
                 {{"from", wa::Jid::Server()}, {"type", "set"}, {"id", session_.NextId()}, {"xmlns", "md"}},
                 wa::Nodes{{"pair-device", {}, std::move(refs)}}});
  const Settings& settings = session_.world().settings;
  const std::int64_t shown_ms = settings.first_ref_ms + (settings.refs - 1) * settings.next_ref_ms;
  session_.link().After(std::chrono::milliseconds(shown_ms), [this] { CloseWhenRefsRanOut(); });
}

void Pairing::CloseWhenRefsRanOut() {
  if (account_ == nullptr && session_.open()) session_.Close(Link::How::kClose, "server");
}

bool Pairing::HasRef(std::string_view ref) const { return std::find(refs_.begin(), refs_.end(), ref) != refs_.end(); }

void Pairing::OnStanza(const wa::Node& stanza) {
  if (stanza.tag != "iq") return;  // presence, ib and acks need no answer here
  const std::string_view type = stanza.Attr("type");
  if (type == "result" || type == "error") {
    if (success_id_.empty() || stanza.Attr("id") != success_id_) return;
    if (type == "error") {
      const wa::Node* error = stanza.Child("error");
      return session_.Problem(fmt::format("pair-success was refused: {}", error == nullptr ? "" : error->Attr("text")));
    }
    return OnSigned(stanza);
  }
  if (stanza.Attr("xmlns") != "md" || stanza.Children().empty()) {
    return session_.AnswerError(stanza, 501, "feature-not-implemented");
  }
  const wa::Node& request = stanza.Children()[0];
  if (request.tag == "link_code_companion_reg") return OnLinkCode(stanza, request);
  OnPasskey(stanza, request);
}

// ---- The phone's side, asked for by the test. ---------------------------------------------------

absl::Status Pairing::Scan(Account& account, const QrCode& qr) {
  if (account_ != nullptr) return TooLate("this client is being linked already");
  if (qr.noise_key != session_.noise_key()) return Wrong("the QR names another noise key than the handshake");
  if (qr.identity != registration_.identity) return Wrong("the QR names another identity than the client payload");
  Agreed(account, qr.adv_secret, qr.ref);
  return absl::OkStatus();
}

absl::Status Pairing::EnterCode(Account& account, std::string_view code) {
  if (account_ != nullptr) return TooLate("this client is being linked already");
  if (code_wanted_by_ != account.phone.options().number) return TooLate("this client waits for no code");
  MD_ASSIGN_OR_RETURN(code_answer_, Phone::AnswerCode(code, code_wrapped_));
  const std::string id = session_.NextId();
  session_.Send({"notification",
                 {{"from", wa::Jid::Server()},
                  {"type", "link_code_companion_reg"},
                  {"id", id},
                  {"t", fmt::format("{}", session_.world().server_time())}},
                 wa::Nodes{{"link_code_companion_reg",
                            {{"stage", "primary_hello"}},
                            wa::Nodes{Leaf("link_code_pairing_wrapped_primary_ephemeral_pub", code_answer_->wrapped),
                                      Leaf("primary_identity_pub", account.phone.identity().public_key),
                                      Leaf("link_code_pairing_ref", ViewOf(code_ref_))}}}});
  return absl::OkStatus();
}

// ---- By code. -----------------------------------------------------------------------------------

void Pairing::OnLinkCode(const wa::Node& iq, const wa::Node& request) {
  const auto jid = request.AttrJid("jid");
  Account* account = jid ? session_.world().FindAccount(jid->user) : nullptr;
  if (account == nullptr) return session_.AnswerError(iq, 404, "item-not-found");
  const std::string_view stage = request.Attr("stage");
  if (stage == "companion_hello") {
    const View wrapped = ContentOf(request, "link_code_pairing_wrapped_companion_ephemeral_pub");
    if (wrapped.size() != 80 || ContentOf(request, "companion_platform_id").empty() ||
        ContentOf(request, "companion_platform_display").empty()) {
      return session_.AnswerError(iq, 400, "bad-request");
    }
    if (!SameBytes(ContentOf(request, "companion_server_auth_key_pub"), session_.noise_key())) {
      return session_.Problem("companion_server_auth_key_pub is not the handshake's noise key");
    }
    code_wrapped_.assign(wrapped.begin(), wrapped.end());
    code_wanted_by_ = jid->user;
    code_ref_ = "2@" + Base64(RandomBytes(24));
    return session_.Answer(
        iq, {"link_code_companion_reg", {}, wa::Nodes{Leaf("link_code_pairing_ref", ViewOf(code_ref_))}});
  }
  if (stage != "companion_finish" || !code_answer_ || account_ != nullptr) {
    return session_.AnswerError(iq, 400, "bad-request");
  }
  if (!SameBytes(ContentOf(request, "link_code_pairing_ref"), ViewOf(code_ref_))) {
    return session_.Problem("link_code_pairing_ref is not the one of this link");
  }
  if (!SameBytes(ContentOf(request, "companion_identity_public"), registration_.identity)) {
    return session_.Problem("companion_identity_public is not the client payload's identity");
  }
  const auto adv_secret = account->phone.FinishCode(*code_answer_, registration_.identity,
                                                    ContentOf(request, "link_code_pairing_wrapped_key_bundle"));
  if (!adv_secret.ok()) {
    session_.AnswerError(iq, 400, "bad-request");
    return session_.Problem(Text(adv_secret.status()));
  }
  session_.Answer(iq);
  Agreed(*account, *adv_secret, code_ref_);
}

// ---- With a passkey. ----------------------------------------------------------------------------

void Pairing::Agreed(Account& account, const Key& adv_secret, std::string ref) {
  account_ = &account;
  session_.SetWho(account.phone.options().number, 0);
  session_.Log("scanned", device_name_);
  if (!account.passkey) return SendPairSuccess(adv_secret);
  passkey_.emplace(adv_secret, std::move(ref));
  session_.Send({"notification",
                 {{"from", wa::Jid::Server()},
                  {"type", "passkey_prologue_request"},
                  {"id", session_.NextId()},
                  {"t", fmt::format("{}", session_.world().server_time())}},
                 wa::Nodes{Leaf("passkey_request_options", ViewOf(passkey_->options()))}});
}

void Pairing::OnPasskey(const wa::Node& iq, const wa::Node& request) {
  if (!passkey_) return session_.AnswerError(iq, 400, "bad-request");
  if (request.tag == "ref") return session_.Answer(iq, Leaf("ref", ViewOf(passkey_->ref())));
  if (request.tag == "passkey_request_options") {
    return session_.Answer(iq, Leaf("passkey_request_options", ViewOf(passkey_->options())));
  }
  if (request.tag == "passkey_prologue") {
    const wa::Node* proof = request.Child("pairing_handoff_proof");
    const absl::Status checked =
        passkey_->OnPrologue(*account_->passkey, ContentOf(request, "credential_id"),
                             TextOf(ContentOf(request, "webauthn_assertion")), ContentOf(request, "prologue_payload"),
                             proof == nullptr ? std::nullopt : std::optional<View>(proof->ContentBytes()));
    if (!checked.ok()) {
      session_.Log("problem", std::string(Text(checked)));
      return session_.AnswerError(iq, 401, "not-authorized");
    }
    session_.Answer(iq);
    return session_.Send({"notification",
                          {{"from", wa::Jid::Server()},
                           {"type", "crsc_continuation"},
                           {"id", session_.NextId()},
                           {"t", fmt::format("{}", session_.world().server_time())}},
                          wa::Nodes{Leaf("primary_ephemeral_identity", passkey_->PrimaryIdentity())}});
  }
  if (request.tag == "companion_nonce") {
    const auto code = passkey_->OnNonce(request.ContentBytes());
    if (!code.ok()) return session_.Problem(Text(code.status()));
    passkey_code_ = *code;
    return session_.Answer(iq);
  }
  if (request.tag == "encrypted_pairing_request") {
    const auto result = passkey_->OnRequest(request.ContentBytes());
    if (!result.ok()) return session_.Problem(Text(result.status()));
    if (result->noise_key != session_.noise_key() || result->identity != registration_.identity) {
      return session_.Problem("encrypted_pairing_request names other keys than the handshake and the client payload");
    }
    session_.Answer(iq);
    return SendPairSuccess(result->adv_secret);
  }
  session_.AnswerError(iq, 501, "feature-not-implemented");
}

// ---- The end of linking. ------------------------------------------------------------------------

void Pairing::SendPairSuccess(const Key& adv_secret) {
  if (session_.Struck(Fault::At::kPairSuccess)) return;
  const std::int64_t now = session_.world().server_time();
  endorsement_ = account_->phone.Endorse(registration_.identity, adv_secret, session_.adv_forgery(), now);
  // The number is taken when the device exists; until then another link may be given the same.
  int number = account_->last_number % 99 + 1;
  while (account_->Find(number) != nullptr && number != account_->last_number) number = number % 99 + 1;
  session_.SetWho(account_->phone.options().number, number);
  wa::Jid jid = account_->jid(), lid = account_->lid();
  jid.device = lid.device = static_cast<std::uint16_t>(number);
  const Phone::Options& phone = account_->phone.options();
  wa::Nodes children{Leaf("device-identity", endorsement_->container),
                     {"device", {{"jid", jid}, {"lid", lid}}, {}},
                     {"platform", {{"name", phone.platform}}, {}}};
  if (!phone.business_name.empty()) children.push_back({"biz", {{"name", phone.business_name}}, {}});
  success_id_ = session_.NextId();
  session_.Send({"iq",
                 {{"from", wa::Jid::Server()},
                  {"type", "set"},
                  {"id", success_id_},
                  {"xmlns", "md"},
                  {"t", fmt::format("{}", now)}},
                 wa::Nodes{{"pair-success", {}, std::move(children)}}});
}

void Pairing::OnSigned(const wa::Node& iq) {
  success_id_.clear();
  const wa::Node* sign = iq.Child("pair-device-sign");
  const wa::Node* identity = sign == nullptr ? nullptr : sign->Child("device-identity");
  if (identity == nullptr) return session_.Problem("pair-device-sign has no device-identity");
  if (identity->Attr("key-index") != fmt::format("{}", endorsement_->key_index)) {
    return session_.Problem("pair-device-sign: key-index is not the one of pair-success");
  }
  const absl::Status checked =
      account_->phone.CheckReply(*endorsement_, registration_.identity, identity->ContentBytes());
  if (!checked.ok()) return session_.Problem(Text(checked));
  const int number = session_.device_number();
  if (account_->Find(number) != nullptr) return session_.Problem("another client took the device number meanwhile");
  account_->last_number = number;
  Device& device = account_->devices[number];
  device.number = number;
  device.jid = account_->jid();
  device.lid = account_->lid();
  device.jid.device = device.lid.device = static_cast<std::uint16_t>(number);
  device.key_index = endorsement_->key_index;
  device.noise_key = session_.noise_key();
  device.identity = registration_.identity;
  device.registration_id = registration_.registration_id;
  device.signed_pre_key = registration_.signed_pre_key;
  device.name = device_name_;
  device.platform_type = platform_type_;
  session_.Log("linked", device_name_);
  TellDevices(session_.world(), *account_, device, /*added=*/true);
  if (session_.Struck(Fault::At::kPairSign)) return;
  session_.End({"stream:error", {{"code", "515"}}, {}});
}

}  // namespace medidesk::whatsapp_sim
