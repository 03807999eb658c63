#include "admin/http/request_reader.h"

#include <algorithm>
#include <cstring>

#include "base/uuid.h"

namespace medidesk::http {

namespace beast = boost::beast;

namespace {

constexpr std::size_t kSmallBuffer = 4u << 10;   // bytes: an idle connection's
constexpr std::size_t kLargeBuffer = 64u << 10;  // while a large body arrives

constexpr Refusal kHeadTooLarge{431, "HEADERS_TOO_LARGE", "The request's headers are too large."};
constexpr Refusal kBodyTooLarge{413, "BODY_TOO_LARGE", "The request body is too large."};
constexpr Refusal kNoMemory{503, "OVERLOADED", "The service is busy. Please try again shortly."};
constexpr Refusal kBadHost{400, "BAD_HOST", "HTTP/1.1 needs exactly one Host header."};
constexpr Refusal kBadTarget{400, "BAD_TARGET", "The request target must be a path."};
constexpr Refusal kBadEncoding{501, "BAD_TRANSFER_ENCODING", "The only transfer coding taken is chunked."};
constexpr Refusal kBadVersion{505, "BAD_HTTP_VERSION", "This server speaks HTTP/1.1."};

char Lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; }

bool EqualsIgnoringCase(std::string_view a, std::string_view lower) {
  return a.size() == lower.size() &&
         std::equal(a.begin(), a.end(), lower.begin(), [](char x, char y) { return Lower(x) == y; });
}

// RFC 9112 section 3.2.2: a server takes the absolute form too. Gives the origin form.
std::string_view OriginForm(std::string_view target) {
  const std::size_t scheme = target.find("://");
  if (target.empty() || target.front() == '/' || scheme == std::string_view::npos) return target;
  const std::string_view name = target.substr(0, scheme);
  if (!EqualsIgnoringCase(name, "http") && !EqualsIgnoringCase(name, "https")) return {};
  const std::size_t slash = target.find('/', scheme + 3);
  return slash == std::string_view::npos ? "/" : target.substr(slash);
}

// What may go into a log line and back out in a header.
bool IsRequestId(std::string_view text) {
  return !text.empty() && text.size() <= 64 && std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_' ||
           c == '.';
  });
}

std::string_view Std(beast::string_view text) { return {text.data(), text.size()}; }

}  // namespace

void RequestReader::Parser::on_request_impl(beast::http::verb, StringView method, StringView target, int version,
                                            ErrorCode& ec) {
  RequestReader& reader = reader_;
  reader.version_ = version;
  reader.request_.version = version;
  reader.request_.method = Std(method);
  const std::string_view origin = OriginForm(Std(target));
  if (origin.empty() || (origin.front() != '/' && origin != "*")) return reader.Refuse(kBadTarget, ec);
  reader.request_.target = origin;
  reader.CountHead(method.size() + target.size() + 12, ec);
}

void RequestReader::Parser::on_field_impl(beast::http::field field, StringView name, StringView value, ErrorCode& ec) {
  RequestReader& reader = reader_;
  reader.CountHead(name.size() + value.size() + 4, ec);
  if (ec || reader.in_body_) return;  // trailers are counted and dropped
  if (reader.request_.headers.size() >= reader.limits_.max_headers) return reader.Refuse(kHeadTooLarge, ec);
  switch (field) {
    case beast::http::field::host:
      ++reader.hosts_;
      break;
    case beast::http::field::transfer_encoding:
      // Any other coding would leave the end of the body to interpretation (request smuggling).
      if (!EqualsIgnoringCase(Std(value), "chunked") || reader.version_ < 11) return reader.Refuse(kBadEncoding, ec);
      break;
    case beast::http::field::expect:
      reader.expects_continue_ = EqualsIgnoringCase(Std(value), "100-continue") && reader.version_ >= 11;
      break;
    default:
      break;
  }
  Request::Header& header = reader.request_.headers.emplace_back();
  header.name.resize(name.size());
  std::transform(name.begin(), name.end(), header.name.begin(), Lower);
  header.value = Std(value);
}

void RequestReader::Parser::on_header_impl(ErrorCode& ec) {
  if (reader_.version_ >= 11 && reader_.hosts_ != 1) reader_.Refuse(kBadHost, ec);
}

void RequestReader::Parser::on_body_init_impl(const boost::optional<std::uint64_t>& length, ErrorCode&) {
  reader_.in_body_ = true;
  // A promise of bytes is not bytes: memory grows with what came, beyond this much.
  if (length) reader_.request_.body.reserve(std::min<std::uint64_t>(*length, kSmallBuffer));
}

std::size_t RequestReader::Parser::on_body_impl(StringView body, ErrorCode&) {
  reader_.AppendBody(Std(body));
  return body.size();
}

std::size_t RequestReader::Parser::on_chunk_body_impl(std::uint64_t, StringView body, ErrorCode&) {
  reader_.AppendBody(Std(body));
  return body.size();
}

void RequestReader::Refuse(const Refusal& refusal, beast::error_code& ec) {
  refusal_ = refusal;
  ec = beast::http::error::bad_value;  // stops the parser; refusal_ says why
}

RequestReader::Event RequestReader::RefuseAndClose(const Refusal& refusal) {
  if (!refusal_) refusal_ = refusal;
  keep_alive_ = false;
  const std::string_view sent = request_.Find("x-request-id");
  request_.id = IsRequestId(sent) ? std::string(sent) : NewUuid();
  return Event::kRefused;
}

void RequestReader::CountHead(std::size_t bytes, beast::error_code& ec) {
  head_bytes_ += bytes;
  if (head_bytes_ > limits_.max_head) Refuse(kHeadTooLarge, ec);
}

void RequestReader::AppendBody(std::string_view bytes) {
  body_bytes_ += bytes.size();
  if (refusal_) return;
  if (body_bytes_ > limits_.max_body) return DropBody(kBodyTooLarge);
  if (body_budget_ != nullptr) {
    const auto charge = static_cast<std::int64_t>(bytes.size());
    charged_ += charge;
    if (body_budget_->fetch_sub(charge, std::memory_order_relaxed) < charge) return DropBody(kNoMemory);
  }
  request_.body.append(bytes);
}

void RequestReader::DropBody(const Refusal& refusal) {
  refusal_ = refusal;
  std::string().swap(request_.body);
  ReleaseBudget();
}

void RequestReader::ReleaseBudget() {
  if (charged_ != 0) body_budget_->fetch_add(charged_, std::memory_order_relaxed);
  charged_ = 0;
}

std::span<char> RequestReader::Prepare() {
  if (begin_ == end_) begin_ = end_ = 0;
  const std::size_t held = end_ - begin_;
  std::size_t wanted = in_body_ && body_bytes_ >= kSmallBuffer ? kLargeBuffer : kSmallBuffer;
  // Next() refuses what cannot be consumed at twice the head's limit, so this ends.
  while (wanted < held + kSmallBuffer / 2) wanted *= 2;
  if (capacity_ < wanted || (held == 0 && !started() && capacity_ > kSmallBuffer)) {
    auto larger = std::make_unique_for_overwrite<char[]>(wanted);
    if (held != 0) std::memcpy(larger.get(), buffer_.get() + begin_, held);
    buffer_ = std::move(larger);
    capacity_ = wanted;
    begin_ = 0;
    end_ = held;
  } else if (begin_ != 0 && capacity_ - end_ < kSmallBuffer / 2) {
    std::memmove(buffer_.get(), buffer_.get() + begin_, held);
    begin_ = 0;
    end_ = held;
  }
  return {buffer_.get() + end_, capacity_ - end_};
}

void RequestReader::Commit(std::size_t bytes) { end_ += bytes; }

RequestReader::Event RequestReader::Next() {
  if (!parser_) {
    // RFC 9112 section 2.2: blank lines before a request are ignored.
    while (begin_ != end_ && (buffer_[begin_] == '\r' || buffer_[begin_] == '\n')) ++begin_;
    if (begin_ == end_) return Event::kNeedMore;
    parser_.emplace(*this);
    parser_->eager(true);
    parser_->header_limit(static_cast<std::uint32_t>(limits_.max_head));
    parser_->body_limit(limits_.max_body + limits_.max_drain);
  }
  while (begin_ != end_) {
    beast::error_code ec;
    begin_ += parser_->put(boost::asio::const_buffer(buffer_.get() + begin_, end_ - begin_), ec);
    if (ec == beast::http::error::need_more) {
      // The parser waits for the end of a line or of the head; it gets so much and no more.
      if (end_ - begin_ > limits_.max_head) return RefuseAndClose(kHeadTooLarge);
      break;
    }
    if (ec) {
      if (ec == beast::http::error::header_limit) return RefuseAndClose(kHeadTooLarge);
      if (ec == beast::http::error::body_limit) return RefuseAndClose(kBodyTooLarge);
      if (ec == beast::http::error::bad_version) return RefuseAndClose(kBadVersion);
      return RefuseAndClose(Refusal{});
    }
    if (parser_->is_done()) return Finish();
  }
  if (expects_continue_ && parser_->is_header_done() && begin_ == end_) {
    expects_continue_ = false;
    // Told now, the client need not send what would be thrown away.
    if (parser_->content_length().value_or(0) > limits_.max_body) return RefuseAndClose(kBodyTooLarge);
    return Event::kExpectsContinue;
  }
  return Event::kNeedMore;
}

RequestReader::Event RequestReader::Finish() {
  keep_alive_ = parser_->keep_alive();
  const std::string_view sent = request_.Find("x-request-id");
  request_.id = IsRequestId(sent) ? std::string(sent) : NewUuid();
  return refusal_ ? Event::kRefused : Event::kRequest;
}

void RequestReader::Reset() {
  ReleaseBudget();
  parser_.reset();
  request_.Clear();
  if (request_.body.capacity() > kSmallBuffer) std::string().swap(request_.body);
  refusal_.reset();
  head_bytes_ = body_bytes_ = 0;
  hosts_ = 0;
  version_ = 11;
  in_body_ = expects_continue_ = keep_alive_ = false;
}

}  // namespace medidesk::http
