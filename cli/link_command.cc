#include "cli/link_command.h"

#include <fmt/format.h>
#include <unistd.h>

#include <ctime>
#include <iostream>

#include "base/phone_number.h"
#include "base/rpc/error_details.h"
#include "base/uuid.h"
#include "medidesk/gateway/v1/gateway.grpc.pb.h"

namespace medidesk::cli {
namespace {

using gateway::v1::GatewayService;
using gateway::v1::LinkNumberResponse;
namespace v1 = gateway::v1;

constexpr std::chrono::seconds kUnlinkLimit{30};  // WhatsApp has 10 s to answer

absl::Status Wrong(std::string_view text) { return Error(absl::StatusCode::kInvalidArgument, text); }

std::string SecondsLeft(const google::protobuf::Timestamp& time) {
  return fmt::format("{} s", std::max<std::int64_t>(0, time.seconds() - std::time(nullptr)));
}

// The gateway that owns the number, where another one was asked.
std::string OwnerAddress(const absl::Status& status) {
  return rpc::Reason(status) == "NOT_OWNER" ? rpc::ReasonMetadata(status)["owner_address"] : "";
}

Target At(Context& context, const std::string& address) {
  const CliConfig& config = context.config();
  return {"gateway", address, rpc::Connect(address, {.tls = config.tls, .allow_plaintext = config.allow_plaintext})};
}

// What a person at this terminal is shown and asked while a number is being linked.
class LinkDialogue {
 public:
  LinkDialogue(Context& context, bool plain) : context_(context), plain_(plain) {}

  // The exit code once the last message has come.
  absl::StatusOr<int> Run(const Target& gateway, const v1::LinkNumberRequest& request) {
    if (!gateway.channel.ok()) return gateway.channel.status();
    const rpc::Client<GatewayService> client(*gateway.channel);
    rpc::CallOptions options = context_.Options();
    options.deadline = rpc::Call::Clock::time_point::max();
    auto events = client.Stream(MD_METHOD(LinkNumber), request, options);
    for (;;) {
      auto next = context_.Wait(events.Next());
      if (!next.ok()) return Context::Explain(next.status(), gateway);
      if (!*next) return Error(absl::StatusCode::kUnavailable, "the gateway ended the attempt; start again");
      MD_ASSIGN_OR_RETURN(const std::optional<int> code, Show(**next, gateway));
      if (code) return *code;
    }
  }

 private:
  absl::StatusOr<std::optional<int>> Show(const LinkNumberResponse& told, const Target& gateway) {
    std::ostream& out = context_.out();
    switch (told.event_case()) {
      case LinkNumberResponse::kQrCode:
        ShowQr(told.qr_code());
        return std::nullopt;
      case LinkNumberResponse::kPairingCode:
        out << (plain_ ? fmt::format("code {}\n", told.pairing_code().code())
                       : fmt::format("\n    {}\n\nOn the phone: WhatsApp > Linked devices > Link a device > Link with "
                                     "phone number instead. The code lives {}.\n",
                                     told.pairing_code().code(), SecondsLeft(told.pairing_code().expire_time())))
            << std::flush;
        return std::nullopt;
      case LinkNumberResponse::kProgress:
        ShowStep(told.progress().step());
        return std::nullopt;
      case LinkNumberResponse::kPasskeyRequest: {
        MD_RETURN_IF_ERROR(AskForPasskey(told, gateway));
        return std::nullopt;
      }
      case LinkNumberResponse::kPasskeyCode: {
        MD_RETURN_IF_ERROR(AskForComparison(told, gateway));
        return std::nullopt;
      }
      case LinkNumberResponse::kLinked:
        out << fmt::format("Linked: number '{}'.\n", told.linked().number().name()) << std::flush;
        return kDone;
      case LinkNumberResponse::kFailed:
        return Error(absl::StatusCode::kFailedPrecondition,
                     told.failed().server_code() == 0
                         ? told.failed().advice()
                         : fmt::format("{} (code {})", told.failed().advice(), told.failed().server_code()));
      default:
        return std::nullopt;  // of a newer gateway
    }
  }

  void ShowQr(const v1::QrCode& code) {
    if (plain_) {
      context_.out() << "qr " << code.text() << '\n' << std::flush;
      return;
    }
    // White letters on black, whatever the terminal's colours are.
    const bool terminal = isatty(STDOUT_FILENO) == 1;
    std::string drawn = "\n";
    std::string_view rest = code.terminal();
    while (!rest.empty()) {
      const std::size_t end = std::min(rest.find('\n'), rest.size());
      if (terminal) drawn += "\x1b[97;40m";
      drawn += rest.substr(0, end);
      drawn += terminal ? "\x1b[0m\n" : "\n";
      rest.remove_prefix(std::min(end + 1, rest.size()));
    }
    context_.out() << drawn
                   << fmt::format("On the phone: WhatsApp > Linked devices > Link a device. Code {} of {}, for {}.\n",
                                  code.index(), code.count(), SecondsLeft(code.expire_time()))
                   << std::flush;
  }

  void ShowStep(v1::LinkStep step) {
    const char* text = "";
    switch (step) {
      case v1::LINK_STEP_CONNECTING:
        text = "Connecting to WhatsApp ...";
        break;
      case v1::LINK_STEP_ENABLE_LINKED_DEVICES:
        text = "Linked devices are switched off on this phone: switch them on, then scan the code again.";
        break;
      case v1::LINK_STEP_CONFIRMING:
        text = "The phone has answered; checking its signatures ...";
        break;
      case v1::LINK_STEP_WAITING_FOR_PHONE:
        text = "Waiting for the phone: keep WhatsApp open on it ...";
        break;
      case v1::LINK_STEP_LOGGING_IN:
        text = "Linked on the phone; logging in ...";
        break;
      default:
        return;
    }
    context_.notes() << text << '\n' << std::flush;
  }

  static std::string ReadLine() {
    std::string line;
    std::getline(std::cin, line);
    return line;
  }

  absl::Status AskForPasskey(const LinkNumberResponse& told, const Target& gateway) {
    context_.out() << fmt::format(
                          "This account is guarded by a passkey. Open https://web.whatsapp.com in the browser that has "
                          "it, open\nthe console (F12), paste the script below, confirm, and paste the line that it "
                          "prints here, within {}.\n\n{}\n",
                          SecondsLeft(told.passkey_request().expire_time()), told.passkey_request().console_script())
                   << "assertion> " << std::flush;
    for (;;) {
      v1::SubmitPasskeyRequest request;
      request.set_attempt_id(told.attempt_id());
      request.set_assertion_json(ReadLine());
      if (!std::cin) return Error(absl::StatusCode::kCancelled, "no assertion was given");
      const auto taken = context_.Call<GatewayService>(gateway, MD_METHOD(SubmitPasskey), request);
      if (taken.ok()) return absl::OkStatus();
      if (!absl::IsInvalidArgument(taken.status())) return taken.status();
      context_.out() << Text(taken.status()) << "\nassertion> " << std::flush;
    }
  }

  absl::Status AskForComparison(const LinkNumberResponse& told, const Target& gateway) {
    context_.out() << fmt::format("Code: {}\n", told.passkey_code().code()) << std::flush;
    if (!told.passkey_code().must_confirm()) return absl::OkStatus();
    context_.out() << "Does the phone show the same code? yes or no> " << std::flush;
    v1::ConfirmPasskeyCodeRequest request;
    request.set_attempt_id(told.attempt_id());
    request.set_matches(ReadLine() == "yes");
    return context_.Call<GatewayService>(gateway, MD_METHOD(ConfirmPasskeyCode), request).status();
  }

  Context& context_;
  const bool plain_;
};

absl::StatusOr<int> Link(Context& context, Arguments& arguments) {
  v1::LinkNumberRequest request;
  MD_ASSIGN_OR_RETURN(const auto phone, arguments.Option("--phone"));
  const bool by_qr = arguments.Switch("--qr"), plain = arguments.Switch("--plain");
  request.set_require_code_match(arguments.Switch("--compare-codes"));
  MD_ASSIGN_OR_RETURN(*request.mutable_name(), arguments.Word("NAME"));
  MD_RETURN_IF_ERROR(arguments.Finish());
  if (phone) {
    const auto number = PhoneNumber::Parse(*phone);
    if (!number) return Wrong("--phone: expected an international number, for example +15550109999");
    request.set_phone(number->E164());
  }
  request.set_method(phone && !by_qr ? v1::LINK_METHOD_PHONE_CODE : v1::LINK_METHOD_QR);
  LinkDialogue dialogue(context, plain);
  auto code = dialogue.Run(context.Gateway(), request);
  if (const std::string owner = OwnerAddress(code.status()); !owner.empty()) {
    code = dialogue.Run(At(context, owner), request);
  }
  return code;
}

absl::StatusOr<int> Unlink(Context& context, Arguments& arguments) {
  v1::UnlinkNumberRequest request;
  request.set_force(arguments.Switch("--force"));
  v1::GetNumberRequest find;
  MD_ASSIGN_OR_RETURN(*find.mutable_name(), arguments.Word("NAME"));
  MD_RETURN_IF_ERROR(arguments.Finish());
  const Target gateway = context.Gateway();
  MD_ASSIGN_OR_RETURN(const auto found, (context.Call<GatewayService>(gateway, MD_METHOD(GetNumber), find)));
  request.set_number_id(found.number().id());
  const auto unlink = [&](const Target& target) -> absl::StatusOr<v1::UnlinkNumberResponse> {
    if (!target.channel.ok()) return target.channel.status();
    const rpc::Client<GatewayService> client(*target.channel);
    rpc::CallOptions options = context.Options();
    options.deadline = std::max(options.deadline, rpc::Call::Clock::now() + kUnlinkLimit);
    auto response = context.Wait(client.Call(MD_METHOD(UnlinkNumber), request, options));
    if (!response.ok()) return Context::Explain(response.status(), target);
    return response;
  };
  auto done = unlink(gateway);
  if (const std::string owner = OwnerAddress(done.status()); !owner.empty()) done = unlink(At(context, owner));
  if (!done.ok()) return done.status();
  context.out() << fmt::format("Number '{}' is unlinked and its keys are deleted.\n", done->number().name());
  if (!done->confirmed()) context.notes() << "WhatsApp has not confirmed: remove the device on the phone.\n";
  return kDone;
}

}  // namespace

constexpr Command kLinkCommand = {"link", "link a WhatsApp number by QR code, or by a code for its phone",
                                  "link NAME [--phone +NUMBER] [--qr] [--compare-codes] [--plain]", &Link};
constexpr Command kUnlinkCommand = {"unlink", "remove our device from a number's phone and delete its keys",
                                    "unlink NAME [--force]", &Unlink};

}  // namespace medidesk::cli
