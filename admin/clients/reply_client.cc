#include "admin/clients/reply_client.h"

#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace medidesk::admin {
namespace {

constexpr std::chrono::milliseconds kFirstPause{50}, kLastPause{200};  // before the second and the last try

std::string StatusWord(store::v1::ConversationStatus status) {
  switch (status) {
    case store::v1::CONVERSATION_STATUS_HUMAN_TAKEOVER:
      return "human_takeover";
    case store::v1::CONVERSATION_STATUS_ARCHIVED:
      return "archived";
    default:
      return "active";
  }
}

}  // namespace

boost::asio::awaitable<absl::StatusOr<ReplyResult>> ReplyClient::Reply(ReplyCall call) {
  assistant::v1::ReplyRequest request;
  assistant::v1::InboundText& inbound = *request.mutable_inbound();
  inbound.set_phone(call.phone.E164());
  inbound.set_text(call.text.Expose());
  inbound.set_message_id(call.message_id);
  inbound.set_route(store::v1::ROUTE_WEBHOOK);
  if (call.timestamp) {
    const auto since =
        std::chrono::duration_cast<std::chrono::milliseconds>(call.timestamp->time_since_epoch()).count();
    if (since > 0) {
      inbound.mutable_message_time()->set_seconds(since / 1000);
      inbound.mutable_message_time()->set_nanos(static_cast<int>(since % 1000) * 1'000'000);
    }
  }
  rpc::CallOptions options = rpc::Within(
      std::chrono::duration_cast<std::chrono::milliseconds>(call.deadline - std::chrono::steady_clock::now()));
  options.trace = call.trace;
  absl::StatusOr<assistant::v1::ReplyResponse> reply;
  for (auto pause = kFirstPause;; pause *= 4) {
    reply = co_await assistant_.Call(MD_METHOD(Reply), request, options);
    // An instance that stops while another one serves. With its id a message may be asked about again.
    if (!absl::IsUnavailable(reply.status()) || call.message_id.empty() || pause > kLastPause) break;
    boost::asio::steady_timer timer(co_await boost::asio::this_coro::executor, pause);
    co_await timer.async_wait(boost::asio::use_awaitable);
  }
  if (!reply.ok()) co_return reply.status();
  ReplyResult result;
  result.conversation_id = reply->conversation_id();
  if (reply->has_text()) result.response = Phi<std::string>(std::move(*reply->mutable_text()));
  result.status = StatusWord(reply->status());
  result.message_id = call.message_id;
  result.duplicate = reply->duplicate();
  co_return result;
}

}  // namespace medidesk::admin
