#include "admin/api/rest/stream_answer.h"

#include "admin/api/rest/rest_error.h"
#include "admin/api/rest/transcoder.h"

namespace medidesk::admin::rest {

namespace asio = boost::asio;
using google::protobuf::Message;

namespace {

struct Source {
  std::unique_ptr<MessageStream> stream;
  MessagePtr next;  // null: the end
};

bool WantsEvents(std::string_view accept) { return accept.find("text/event-stream") != std::string_view::npos; }

// The name of the one field that is set, as JSON has it.
std::string EventName(const Message& message) {
  std::vector<const google::protobuf::FieldDescriptor*> set;
  message.GetReflection()->ListFields(message, &set);
  return set.empty() ? "message" : set.front()->json_name();
}

std::string Framed(bool events, const std::string& name, const std::string& json) {
  if (!events) return json + '\n';
  return "event: " + name + "\ndata: " + json + "\n\n";  // JSON on one line holds no line break
}

asio::awaitable<bool> SendMessages(std::shared_ptr<Source> source, bool events, http::BodyWriter& out) {
  while (source->next != nullptr) {
    const absl::StatusOr<std::string> json = WriteJson(*source->next);
    absl::Status failed = json.status();
    if (json.ok()) {
      const std::string text = Framed(events, EventName(*source->next), *json);
      if (!co_await out.Write(text)) co_return false;
      absl::StatusOr<MessagePtr> next = co_await source->stream->Next();
      failed = next.status();
      if (next.ok()) source->next = *std::move(next);
    }
    if (!failed.ok()) {
      const http::Request unnamed;
      const http::Response error = ErrorOf(unnamed, failed);
      const std::string text = Framed(events, "error", events ? error.body : R"({"error":)" + error.body + '}');
      co_return co_await out.Write(text);
    }
  }
  co_return true;
}

asio::awaitable<bool> SendPieces(std::shared_ptr<Source> source, const char* name, http::BodyWriter& out) {
  while (source->next != nullptr) {
    const auto* const field = source->next->GetDescriptor()->FindFieldByName(name);
    const std::string bytes = source->next->GetReflection()->GetString(*source->next, field);
    if (!co_await out.Write(bytes)) co_return false;
    absl::StatusOr<MessagePtr> next = co_await source->stream->Next();
    if (!next.ok()) co_return false;
    source->next = *std::move(next);
  }
  co_return true;
}

}  // namespace

http::Response MessagesAnswer(std::unique_ptr<MessageStream> stream, MessagePtr first, std::string_view accept) {
  const bool events = WantsEvents(accept);
  auto source = std::make_shared<Source>(Source{std::move(stream), std::move(first)});
  http::Response answer;
  answer.content_type = events ? "text/event-stream" : "application/x-ndjson";
  answer.Add("cache-control", "no-store");
  answer.stream = [source, events](http::BodyWriter& out) { return SendMessages(source, events, out); };
  return answer;
}

http::Response DocumentAnswer(std::unique_ptr<MessageStream> stream, MessagePtr first) {
  auto source = std::make_shared<Source>(Source{std::move(stream), std::move(first)});
  http::Response answer;
  answer.Add("cache-control", "no-store");
  answer.Add("content-disposition", "attachment; filename=\"patient.json\"");
  answer.stream = [source](http::BodyWriter& out) { return SendPieces(source, "chunk", out); };
  return answer;
}

http::Response TableAnswer(std::unique_ptr<MessageStream> stream, MessagePtr first) {
  auto source = std::make_shared<Source>(Source{std::move(stream), std::move(first)});
  http::Response answer;
  answer.content_type = "text/csv; charset=utf-8";
  answer.Add("cache-control", "no-store");
  answer.Add("content-disposition", "attachment; filename=\"report.csv\"");
  answer.stream = [source](http::BodyWriter& out) { return SendPieces(source, "csv", out); };
  return answer;
}

}  // namespace medidesk::admin::rest
