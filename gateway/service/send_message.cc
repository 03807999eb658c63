#include "gateway/service/send_message.h"

#include <fmt/format.h>
#include <openssl/sha.h>

#include <algorithm>
#include <array>

#include "base/rpc/error_details.h"
#include "base/status.h"
#include "base/uuid.h"

namespace medidesk::gateway {
namespace {

namespace asio = boost::asio;

constexpr int kRecent = 50;  // messages that are looked at
constexpr std::chrono::seconds kLimit{5};

absl::Status Refused(const char* text, const char* reason) {
  return rpc::WithReason(Error(absl::StatusCode::kFailedPrecondition, text), reason);
}

// Code points, or nothing for what is no UTF-8: protobuf has checked that.
std::size_t Characters(std::string_view text) {
  return static_cast<std::size_t>(
      std::count_if(text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; }));
}

absl::Status Check(const v1::SendMessageRequest& request) {
  const std::string& key = request.idempotency_key();
  const bool printable = std::all_of(key.begin(), key.end(), [](char c) { return c >= 0x20 && c < 0x7F; });
  if (key.empty() || key.size() > 128 || !printable) {
    return rpc::InvalidField("idempotency_key", "expected 1 to 128 printable ASCII characters");
  }
  if (request.text().empty() || Characters(request.text()) > SendMessage::kMaxCharacters) {
    return rpc::InvalidField("text", "expected 1 to 12288 characters");
  }
  if (request.recipient_case() == v1::SendMessageRequest::RECIPIENT_NOT_SET) {
    return rpc::InvalidField("recipient", "expected a conversation_id or a phone");
  }
  if (request.has_conversation_id() && !IsUuid(request.conversation_id())) {
    return rpc::InvalidField("conversation_id", "expected a UUID");
  }
  if (!request.number_id().empty()) {
    if (!request.has_phone()) return rpc::InvalidField("number_id", "goes with a phone only");
    if (!IsUuid(request.number_id())) return rpc::InvalidField("number_id", "expected a UUID");
  }
  return absl::OkStatus();
}

}  // namespace

std::string MessageIdOf(const rpc::Principal& caller, std::string_view idempotency_key) {
  const std::string named =
      fmt::format("medidesk.send_message\n{}\n{}\n{}", static_cast<int>(caller.kind), caller.id, idempotency_key);
  std::array<unsigned char, SHA256_DIGEST_LENGTH> digest;
  SHA256(reinterpret_cast<const unsigned char*>(named.data()), named.size(), digest.data());
  digest[6] = static_cast<unsigned char>(0x80 | (digest[6] & 0x0F));  // version 8: a hash of our own
  digest[8] = static_cast<unsigned char>(0x80 | (digest[8] & 0x3F));
  std::string id;
  for (std::size_t i = 0; i < 16; ++i) {
    if (i == 4 || i == 6 || i == 8 || i == 10) id += '-';
    id += fmt::format("{:02x}", digest[i]);
  }
  return id;
}

asio::awaitable<absl::StatusOr<store::v1::Conversation>> SendMessage::Find(
    const rpc::Call& call, const v1::SendMessageRequest& request) const {
  if (request.has_conversation_id()) {
    store::v1::GetConversationRequest get;
    get.set_conversation_id(request.conversation_id());
    const rpc::CallOptions options = rpc::Continue(call, kLimit);
    auto found = co_await conversations_.Call(MD_METHOD(GetConversation), std::move(get), options);
    if (!found.ok()) co_return found.status();
    co_return std::move(*found->mutable_conversation());
  }
  store::v1::ListConversationsRequest list;
  list.set_phone(request.phone());
  list.set_number_id(request.number_id());
  list.set_page_size(1);
  const rpc::CallOptions options = rpc::Continue(call, kLimit);
  auto found = co_await conversations_.Call(MD_METHOD(ListConversations), std::move(list), options);
  if (!found.ok()) co_return found.status();
  if (found->conversations().empty()) {
    co_return Refused("nobody with this phone has written to the hospital, and nobody is written to first",
                      "NO_CONVERSATION");
  }
  co_return std::move(*found->mutable_conversations(0));
}

asio::awaitable<absl::StatusOr<v1::SendMessageResponse>> SendMessage::Run(const rpc::Call& call,
                                                                          const v1::SendMessageRequest& request) const {
  MD_CO_RETURN_IF_ERROR(Check(request));
  MD_ASSIGN_OR_CO_RETURN(const store::v1::Conversation conversation, co_await Find(call, request));
  const std::string id = MessageIdOf(call.principal, request.idempotency_key());

  store::v1::ListMessagesRequest list;
  list.set_conversation_id(conversation.id());
  list.set_page_size(kRecent);
  const rpc::CallOptions reading = rpc::Continue(call, kLimit);
  auto recent = co_await conversations_.Call(MD_METHOD(ListMessages), std::move(list), reading);
  if (!recent.ok()) co_return recent.status();

  v1::SendMessageResponse response;
  response.set_reply_id(id);
  response.set_conversation_id(conversation.id());
  response.set_state(store::v1::PART_STATE_QUEUED);
  const store::v1::Message* heard = nullptr;
  for (const store::v1::Message& message : recent->messages()) {  // the newest first
    if (message.id() == id) {
      if (message.text() != request.text()) {
        co_return Error(absl::StatusCode::kAlreadyExists, "this idempotency_key was used for another message");
      }
      response.set_state(message.part_state());
      response.set_duplicate(true);
      co_return response;
    }
    if (heard == nullptr && message.received()) heard = &message;
  }
  if (request.proactive() && conversation.opted_out()) {
    co_return Refused("the patient wants no messages that were not asked for", "OPTED_OUT");
  }
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  const auto age = std::chrono::duration_cast<std::chrono::seconds>(now) -
                   std::chrono::seconds(heard == nullptr ? 0 : heard->create_time().seconds());
  if (heard == nullptr || age > kWindow) {
    co_return Refused("the patient's last message is older than 24 hours; wait until the patient writes again",
                      "OUTSIDE_WINDOW");
  }

  store::v1::QueueOutboundRequest queue;
  queue.set_commit_id(id);
  queue.set_conversation_id(conversation.id());
  queue.set_origin(store::v1::REPLY_ORIGIN_SERVICE);
  queue.set_text(request.text());
  const rpc::CallOptions writing = rpc::Continue(call, kLimit);
  auto queued = co_await conversations_.Call(MD_METHOD(QueueOutbound), std::move(queue), writing);
  if (!queued.ok()) {
    if (!absl::IsFailedPrecondition(queued.status())) co_return queued.status();
    if (rpc::Reason(queued.status()) == "BLOCKED") {
      co_return Refused("this contact is blocked; nothing is sent to it", "BLOCKED");
    }
    co_return Refused("the conversation's number is not linked to WhatsApp", "NUMBER_NOT_LINKED");
  }
  response.set_duplicate(queued->duplicate());
  co_return response;
}

}  // namespace medidesk::gateway
