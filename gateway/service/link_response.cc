#include "gateway/service/link_response.h"

#include <variant>

#include "gateway/service/qr_drawing.h"
#include "gateway/service/timestamps.h"

namespace medidesk::gateway {
namespace {

struct Fill {
  v1::LinkNumberResponse& response;

  bool operator()(const wa::QrCodeShown& shown) const {
    v1::QrCode& code = *response.mutable_qr_code();
    code.set_text(shown.text);
    if (const auto drawing = DrawQr(shown.text); drawing.ok()) {
      code.set_svg(drawing->svg);
      code.set_terminal(drawing->terminal);
    }
    *code.mutable_expire_time() = ToTimestamp(shown.expires);
    code.set_index(shown.index);
    code.set_count(shown.count);
    return true;
  }
  bool operator()(const wa::PairingCodeShown& shown) const {
    response.mutable_pairing_code()->set_code(shown.code);
    *response.mutable_pairing_code()->mutable_expire_time() = ToTimestamp(shown.expires);
    return true;
  }
  bool operator()(const wa::LinkProgress& progress) const {
    response.mutable_progress()->set_step(static_cast<v1::LinkStep>(progress.step));
    return true;
  }
  bool operator()(const wa::PasskeyRequested& wanted) const {
    v1::PasskeyRequest& request = *response.mutable_passkey_request();
    request.set_options_json(wanted.options_json);
    *request.mutable_expire_time() = ToTimestamp(wanted.expires);
    request.set_console_script(PasskeyScript(wanted.options_json));
    return true;
  }
  bool operator()(const wa::PasskeyCodeShown& shown) const {
    response.mutable_passkey_code()->set_code(shown.code);
    response.mutable_passkey_code()->set_must_confirm(shown.must_confirm);
    return true;
  }
  bool operator()(const wa::Linked&) const {
    response.mutable_linked();
    return true;
  }
  bool operator()(const wa::LinkFailed& told) const {
    v1::LinkFailed& failed = *response.mutable_failed();
    failed.set_reason(static_cast<v1::LinkFailure>(told.reason));
    failed.set_advice(told.advice);
    failed.set_server_code(told.server_code);
    if (told.retry_at) *failed.mutable_retry_time() = ToTimestamp(*told.retry_at);
    return true;
  }
  template <class Other>
  bool operator()(const Other&) const {
    return false;
  }
};

}  // namespace

std::optional<v1::LinkNumberResponse> ToLinkResponse(const wa::Event& event) {
  v1::LinkNumberResponse response;
  if (!std::visit(Fill{response}, event)) return std::nullopt;
  return response;
}

// The options were parsed as JSON before they came here, and JSON is a JavaScript expression.
std::string PasskeyScript(const std::string& options_json) {
  return R"((async () => {
  if (!location.hostname.endsWith("whatsapp.com")) return console.error("Open https://web.whatsapp.com and paste it there.");
  const options = )" +
         options_json + R"(;
  const bytes = (text) => Uint8Array.from(atob(text.replace(/-/g, "+").replace(/_/g, "/")), (c) => c.charCodeAt(0));
  const text = (buffer) => buffer && btoa(String.fromCharCode(...new Uint8Array(buffer))).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");
  const publicKey = { ...options, challenge: bytes(options.challenge),
    allowCredentials: (options.allowCredentials || []).map((one) => ({ ...one, id: bytes(one.id) })) };
  console.log("Click into the page now.");
  await new Promise((done) => setTimeout(done, 2000));
  const made = await navigator.credentials.get({ publicKey });
  console.log(JSON.stringify({ id: made.id, rawId: text(made.rawId), type: made.type, response: {
    clientDataJSON: text(made.response.clientDataJSON), authenticatorData: text(made.response.authenticatorData),
    signature: text(made.response.signature), userHandle: text(made.response.userHandle) || null } }));
})().catch((error) => console.error(error.name + ": " + error.message));
)";
}

}  // namespace medidesk::gateway
