#include "cli/health_command.h"

#include <fmt/format.h>

#include "cli/doctor/net_stream.h"
#include "medidesk/assistant/v1/assistant.grpc.pb.h"
#include "medidesk/gateway/v1/gateway.grpc.pb.h"
#include "medidesk/store/v1/conversation.grpc.pb.h"

namespace medidesk::cli {
namespace {

// OK when `status` shows that the service did its part.
absl::Status Expect(const absl::Status& status, absl::StatusCode also) {
  return status.code() == also ? absl::OkStatus() : status;
}

// A conversation that cannot exist: the answer NOT_FOUND has been to the database and back.
absl::Status AskStore(Context& context) {
  store::v1::GetConversationRequest none;
  none.set_conversation_id("00000000-0000-0000-0000-000000000000");
  const Target store = context.Store();
  return Expect(
      context.Call<store::v1::ConversationService>(store, MD_METHOD(GetConversation), std::move(none)).status(),
      absl::StatusCode::kNotFound);
}

// An answer means that the assistant is there and has the facts.
absl::Status AskAssistant(Context& context) {
  assistant::v1::PreviewContextRequest hello;
  hello.set_text("hello");
  const Target assistant = context.Assistant();
  return context.Call<assistant::v1::AssistantService>(assistant, MD_METHOD(PreviewContext), std::move(hello)).status();
}

absl::Status AskGateway(Context& context) {
  const Target gateway = context.Gateway();
  return Expect(context.Call<gateway::v1::GatewayService>(gateway, MD_METHOD(ListNumbers), {}).status(),
                absl::StatusCode::kUnimplemented);
}

absl::Status AskAdmin(Context& context) {
  MD_ASSIGN_OR_RETURN(Endpoint endpoint, ParseEndpoint(context.config().AdminUrl()));
  const auto deadline = std::chrono::steady_clock::now() + context.config().timeout;
  MD_ASSIGN_OR_RETURN(const auto stream, NetStream::Connect(endpoint, deadline));
  MD_RETURN_IF_ERROR(stream->Write(
      fmt::format("GET /readyz HTTP/1.1\r\nhost: {}:{}\r\nconnection: close\r\n\r\n", endpoint.host, endpoint.port)));
  std::string answer;
  while (answer.size() < 16) {
    MD_ASSIGN_OR_RETURN(const std::string more, stream->ReadSome());
    if (more.empty()) break;
    answer += more;
  }
  if (answer.starts_with("HTTP/1.1 200")) return absl::OkStatus();
  return Error(absl::StatusCode::kUnavailable, "/readyz says that a service behind it is not ready");
}

struct Question {
  std::string_view service;
  absl::Status (*ask)(Context& context);
};
constexpr Question kQuestions[] = {
    {"admin", &AskAdmin}, {"assistant", &AskAssistant}, {"gateway", &AskGateway}, {"store", &AskStore}};

absl::StatusOr<int> Run(Context& context, Arguments& arguments) {
  int code = kDone;
  MD_ASSIGN_OR_RETURN(const std::string first, arguments.Word("SERVICE"));
  for (std::optional<std::string> name = first; name;) {
    const auto* question = std::find_if(std::begin(kQuestions), std::end(kQuestions),
                                        [&](const Question& one) { return one.service == *name; });
    if (question == std::end(kQuestions)) {
      return Error(absl::StatusCode::kInvalidArgument, "SERVICE: expected admin, assistant, gateway or store");
    }
    const absl::Status status = question->ask(context);
    context.out() << question->service << ": " << (status.ok() ? "ready" : Text(status)) << '\n';
    if (!status.ok()) code = kUnreachable;
    MD_ASSIGN_OR_RETURN(name, arguments.OptionalWord());
  }
  MD_RETURN_IF_ERROR(arguments.Finish());
  return code;
}

}  // namespace

constexpr Command kHealthCommand = {"health", "whether services are ready; exit code 0 when all are",
                                    "health SERVICE...", &Run};

}  // namespace medidesk::cli
