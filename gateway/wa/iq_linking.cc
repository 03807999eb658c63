#include "gateway/wa/iq_linking.h"

#include <utility>

#include "base/status.h"

namespace medidesk::gateway::wa {
namespace {

constexpr std::size_t kMaxRefSize = 1024;  // bytes

Node Leaf(std::string_view tag, ByteView bytes) { return {std::string(tag), {}, ToBytes(bytes)}; }

absl::StatusOr<std::string> RequiredText(const Node* node, std::size_t max_size) {
  if (node == nullptr || node->ContentText().empty() || node->ContentText().size() > max_size) {
    return Error(absl::StatusCode::kInvalidArgument, "the server's answer to a step of linking lacks its content");
  }
  return std::string(node->ContentText());
}

Jid PhoneJid(const std::string& digits) { return {.user = digits, .server = std::string(kUserServer)}; }

}  // namespace

Node CompanionHelloRequest::Build(std::string_view id) const {
  Node hello{"link_code_companion_reg",
             {{"jid", PhoneJid(phone)}, {"stage", "companion_hello"}, {"should_show_push_notification", "true"}},
             Nodes{Leaf("link_code_pairing_wrapped_companion_ephemeral_pub", wrapped_ephemeral),
                   Leaf("companion_server_auth_key_pub", noise_public),
                   Leaf("companion_platform_id", AsBytes({&platform_id, 1})),
                   Leaf("companion_platform_display", AsBytes(platform_display)),
                   Leaf("link_code_pairing_nonce", AsBytes("0"))}};
  return ServerIq(id, "set", "md", std::move(hello));
}

absl::StatusOr<Bytes> CompanionHelloRequest::Parse(const Node& answer) {
  const Node* reg = answer.Child("link_code_companion_reg");
  MD_ASSIGN_OR_RETURN(const std::string ref,
                      RequiredText(reg == nullptr ? nullptr : reg->Child("link_code_pairing_ref"), kMaxRefSize));
  return ToBytes(ref);
}

Node CompanionFinishRequest::Build(std::string_view id) const {
  Node finish{"link_code_companion_reg",
              {{"jid", PhoneJid(phone)}, {"stage", "companion_finish"}},
              Nodes{Leaf("link_code_pairing_wrapped_key_bundle", wrapped_bundle),
                    Leaf("companion_identity_public", identity_public), Leaf("link_code_pairing_ref", ref)}};
  return ServerIq(id, "set", "md", std::move(finish));
}

absl::StatusOr<std::string> PasskeyOptionsRequest::Parse(const Node& answer) {
  return RequiredText(answer.Child("passkey_request_options"), 16u << 10);
}

absl::StatusOr<std::string> PairingRefRequest::Parse(const Node& answer) {
  return RequiredText(answer.Child("ref"), kMaxRefSize);
}

Node PasskeyPrologueRequest::Build(std::string_view id) const {
  Nodes parts{Leaf("credential_id", credential_id), Leaf("webauthn_assertion", AsBytes(assertion_json)),
              Leaf("prologue_payload", prologue)};
  if (handoff_proof) parts.push_back(Leaf("pairing_handoff_proof", *handoff_proof));
  return ServerIq(id, "set", "md", Node{"passkey_prologue", {}, std::move(parts)});
}

}  // namespace medidesk::gateway::wa
