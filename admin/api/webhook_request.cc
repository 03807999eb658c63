#include "admin/api/webhook_request.h"

#include <boost/json/basic_parser_impl.hpp>
#include <utf8proc.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdlib>
#include <memory>

namespace medidesk::admin {

namespace json = boost::json;
using std::chrono::system_clock;

namespace {

constexpr std::size_t kMaxDepth = 64;

constexpr WebhookError kMultipart{415, "UNSUPPORTED_MEDIA_TYPE", "Send the message as JSON."};
constexpr WebhookError kNoBody{400, "EMPTY_BODY", "The request has no body; send a JSON object."};
constexpr WebhookError kNotJson{400, "INVALID_JSON", "The request body is not valid JSON in UTF-8."};
constexpr WebhookError kTooDeep{400, "INVALID_JSON", "The request body is nested too deeply."};
constexpr WebhookError kNotAnObject{400, "INVALID_BODY", "The request body must be a JSON object."};
constexpr WebhookError kNoPhone{400, "INVALID_PHONE", "The field phone is missing."};
constexpr WebhookError kBadPhone{
    400, "INVALID_PHONE", "The field phone must be a phone number of 7 to 15 digits, as text or a whole number."};
constexpr WebhookError kNoMessage{400, "INVALID_MESSAGE", "The field message is missing."};
constexpr WebhookError kBadMessage{400, "INVALID_MESSAGE", "The field message must be text."};
constexpr WebhookError kBlankMessage{400, "INVALID_MESSAGE", "The field message is empty."};
constexpr WebhookError kLongMessage{400, "MESSAGE_TOO_LONG", "The message is longer than 4096 characters."};
constexpr WebhookError kBadMessageId{
    400, "INVALID_MESSAGE_ID",
    "The field messageId must be text or a number, at most 256 bytes, without control characters."};

// One field of the root object as it was sent.
struct Field {
  enum class Kind { kAbsent, kNull, kString, kNumber, kOther };
  Kind kind = Kind::kAbsent;
  std::string text;  // of a string, unescaped; of a number, its digits as sent
};

// Collects four fields of the root object and lets the rest pass by without a copy.
class Collector {
 public:
  static constexpr std::size_t max_object_size = static_cast<std::size_t>(-1);
  static constexpr std::size_t max_array_size = static_cast<std::size_t>(-1);
  static constexpr std::size_t max_key_size = static_cast<std::size_t>(-1);
  static constexpr std::size_t max_string_size = static_cast<std::size_t>(-1);

  Field phone, message, message_id, timestamp;
  bool root_is_object = false;

  bool on_document_begin(json::error_code&) { return true; }
  bool on_document_end(json::error_code&) { return true; }
  bool on_object_begin(json::error_code&) {
    if (depth_ == 0) root_is_object = true;
    Other();
    ++depth_;
    return true;
  }
  bool on_object_end(std::size_t, json::error_code&) {
    --depth_;
    return true;
  }
  bool on_array_begin(json::error_code&) {
    Other();
    ++depth_;
    return true;
  }
  bool on_array_end(std::size_t, json::error_code&) {
    --depth_;
    return true;
  }
  bool on_key_part(json::string_view part, std::size_t, json::error_code&) {
    if (AtRoot() && key_.size() <= kLongestKey) key_.append(part.data(), std::min(part.size(), kLongestKey + 1));
    return true;
  }
  bool on_key(json::string_view part, std::size_t size, json::error_code& error) {
    if (!AtRoot()) return true;
    on_key_part(part, size, error);
    field_ = key_ == "phone"       ? &phone
             : key_ == "message"   ? &message
             : key_ == "messageId" ? &message_id
             : key_ == "timestamp" ? &timestamp
                                   : nullptr;
    if (field_ != nullptr) *field_ = {};
    key_.clear();
    return true;
  }
  bool on_string_part(json::string_view part, std::size_t, json::error_code&) {
    Append(part);
    return true;
  }
  bool on_string(json::string_view part, std::size_t, json::error_code&) {
    Append(part);
    Settle(Field::Kind::kString);
    return true;
  }
  bool on_number_part(json::string_view part, json::error_code&) {
    Append(part);
    return true;
  }
  bool on_int64(std::int64_t, json::string_view part, json::error_code&) { return Number(part); }
  bool on_uint64(std::uint64_t, json::string_view part, json::error_code&) { return Number(part); }
  bool on_double(double, json::string_view part, json::error_code&) { return Number(part); }
  bool on_bool(bool, json::error_code&) {
    Other();
    return true;
  }
  bool on_null(json::error_code&) {
    Settle(Field::Kind::kNull);
    return true;
  }
  bool on_comment_part(json::string_view, json::error_code&) { return true; }
  bool on_comment(json::string_view, json::error_code&) { return true; }

 private:
  static constexpr std::size_t kLongestKey = 9;

  bool AtRoot() const { return depth_ == 1 && root_is_object; }
  void Append(json::string_view part) {
    if (AtRoot() && field_ != nullptr) field_->text.append(part.data(), part.size());
  }
  bool Number(json::string_view part) {
    Append(part);
    Settle(Field::Kind::kNumber);
    return true;
  }
  void Settle(Field::Kind kind) {
    if (!AtRoot() || field_ == nullptr) return;
    field_->kind = kind;
    field_ = nullptr;
  }
  void Other() { Settle(Field::Kind::kOther); }

  std::size_t depth_ = 0;
  std::string key_;         // of the root object, in parts
  Field* field_ = nullptr;  // whose value comes next, when it is one of ours
};

json::error_code ParseInto(std::string_view body, Collector& out) {
  json::parse_options options;
  options.max_depth = kMaxDepth;
  json::basic_parser<Collector> parser(options);
  json::error_code error;
  const std::size_t used = parser.write_some(false, body.data(), body.size(), error);
  if (!error && used < body.size()) error = json::error::extra_data;
  out = std::move(parser.handler());
  return error;
}

int HexValue(std::string_view four) {
  int value = 0;
  const auto [end, error] = std::from_chars(four.data(), four.data() + four.size(), value, 16);
  return error == std::errc() && end == four.data() + 4 && four[0] != '-' ? value : -1;
}

// JSON.stringify writes half a surrogate pair as an escape that names no character.
std::string ReplaceHalfSurrogates(std::string_view body) {
  const auto escape_at = [body](std::size_t i) {
    return i + 6 <= body.size() && body[i] == '\\' && body[i + 1] == 'u' ? HexValue(body.substr(i + 2, 4)) : -1;
  };
  std::string out;
  out.reserve(body.size());
  for (std::size_t i = 0; i < body.size();) {
    const int unit = escape_at(i);
    if (unit >= 0xd800 && unit < 0xdc00) {
      const int next = escape_at(i + 6);
      if (next >= 0xdc00 && next < 0xe000) {
        out += body.substr(i, 12);
        i += 12;
      } else {
        out += "\\ufffd";
        i += 6;
      }
    } else if (unit >= 0xdc00 && unit < 0xe000) {
      out += "\\ufffd";
      i += 6;
    } else {
      const std::size_t size = body[i] == '\\' ? 2 : 1;
      out += body.substr(i, size);
      i += size;
    }
  }
  return out;
}

std::size_t CountCodePoints(std::string_view text) {
  return static_cast<std::size_t>(
      std::count_if(text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xc0) != 0x80; }));
}

bool IsAscii(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return static_cast<unsigned char>(c) < 0x80; });
}

// Nothing that a reader would see: spaces, controls, zero-width characters.
bool IsBlank(std::string_view text) {
  const auto* bytes = reinterpret_cast<const utf8proc_uint8_t*>(text.data());
  auto left = static_cast<utf8proc_ssize_t>(text.size());
  while (left > 0) {
    utf8proc_int32_t point = 0;
    const utf8proc_ssize_t size = utf8proc_iterate(bytes, left, &point);
    if (size <= 0) return false;
    switch (utf8proc_category(point)) {
      case UTF8PROC_CATEGORY_ZS:
      case UTF8PROC_CATEGORY_ZL:
      case UTF8PROC_CATEGORY_ZP:
      case UTF8PROC_CATEGORY_CC:
      case UTF8PROC_CATEGORY_CF:
        break;
      default:
        return false;
    }
    bytes += size;
    left -= size;
  }
  return true;
}

// Normalises in place; false when the result is longer than the limit.
bool NormalizeWithinLimit(std::string& text) {
  if (IsAscii(text)) return text.size() <= kMaxMessageCharacters;
  // No character stands for more than four others, so this many cannot shrink to the limit: do not try.
  if (CountCodePoints(text) > 4 * kMaxMessageCharacters) return false;
  utf8proc_uint8_t* mapped = nullptr;
  const utf8proc_ssize_t size =
      utf8proc_map(reinterpret_cast<const utf8proc_uint8_t*>(text.data()), static_cast<utf8proc_ssize_t>(text.size()),
                   &mapped, static_cast<utf8proc_option_t>(UTF8PROC_STABLE | UTF8PROC_COMPOSE));
  const std::unique_ptr<utf8proc_uint8_t, decltype(&std::free)> owned(mapped, &std::free);
  if (size >= 0) text.assign(reinterpret_cast<const char*>(mapped), static_cast<std::size_t>(size));
  return CountCodePoints(text) <= kMaxMessageCharacters;
}

bool IsMultipart(std::string_view content_type) {
  constexpr std::string_view kPrefix = "multipart/";
  return content_type.size() >= kPrefix.size() &&
         std::equal(kPrefix.begin(), kPrefix.end(), content_type.begin(),
                    [](char a, char b) { return a == (b >= 'A' && b <= 'Z' ? b + 32 : b); });
}

bool AllDigits(std::string_view text) {
  return !text.empty() && text.find_first_not_of("0123456789") == std::string_view::npos;
}

std::optional<system_clock::time_point> TimeOf(const Field& field) {
  if (field.kind == Field::Kind::kString && !AllDigits(field.text)) return ParseTimestamp(field.text);
  if (field.kind != Field::Kind::kNumber && field.kind != Field::Kind::kString) return std::nullopt;
  std::int64_t number = 0;
  const char* const end = field.text.data() + field.text.size();
  const auto [stop, error] = std::from_chars(field.text.data(), end, number);
  if (error != std::errc() || stop != end) return std::nullopt;
  constexpr std::int64_t kYear2000 = 946'684'800, kYear2100 = 4'102'444'800;  // seconds
  if (number >= kYear2000 && number < kYear2100) return system_clock::time_point(std::chrono::seconds(number));
  if (number >= kYear2000 * 1000 && number < kYear2100 * 1000) {
    return system_clock::time_point(std::chrono::milliseconds(number));
  }
  return std::nullopt;
}

}  // namespace

std::optional<system_clock::time_point> ParseTimestamp(std::string_view text) {
  // Digits where the pattern has a 0, else its own letter.
  const auto matches = [](std::string_view part, std::string_view pattern) {
    return part.size() == pattern.size() && std::equal(part.begin(), part.end(), pattern.begin(), [](char c, char p) {
             return p == '0' ? c >= '0' && c <= '9' : c == p;
           });
  };
  constexpr std::string_view kPattern = "0000-00-00T00:00:00";
  if (text.size() < kPattern.size() || text.size() > 40) return std::nullopt;
  std::string head(text.substr(0, kPattern.size()));
  if (head[10] == ' ' || head[10] == 't') head[10] = 'T';
  if (!matches(head, kPattern)) return std::nullopt;
  const auto number = [&head](std::size_t at, std::size_t size) {
    int value = 0;
    std::from_chars(head.data() + at, head.data() + at + size, value);
    return value;
  };
  const std::chrono::year_month_day date(std::chrono::year(number(0, 4)),
                                         std::chrono::month(static_cast<unsigned>(number(5, 2))),
                                         std::chrono::day(static_cast<unsigned>(number(8, 2))));
  const int hour = number(11, 2), minute = number(14, 2), second = number(17, 2);
  if (!date.ok() || number(0, 4) < 2000 || number(0, 4) > 2099 || hour > 23 || minute > 59 || second > 60) {
    return std::nullopt;
  }
  text.remove_prefix(kPattern.size());
  int millis = 0;
  if (text.starts_with('.')) {
    const std::size_t end = std::min(text.find_first_not_of("0123456789", 1), text.size());
    if (end == 1) return std::nullopt;
    std::string digits(text.substr(1, std::min<std::size_t>(end - 1, 3)));
    digits.resize(3, '0');
    std::from_chars(digits.data(), digits.data() + 3, millis);
    text.remove_prefix(end);
  }
  std::chrono::minutes offset{0};
  if (matches(text, "+00:00") || matches(text, "-00:00")) {
    int hours = 0, minutes = 0;
    std::from_chars(text.data() + 1, text.data() + 3, hours);
    std::from_chars(text.data() + 4, text.data() + 6, minutes);
    if (hours > 23 || minutes > 59) return std::nullopt;
    offset = std::chrono::minutes((text[0] == '-' ? -1 : 1) * (hours * 60 + minutes));
  } else if (!text.empty() && text != "Z" && text != "z") {
    return std::nullopt;
  }
  return std::chrono::sys_days(date) + std::chrono::hours(hour) + std::chrono::minutes(minute) +
         std::chrono::seconds(second) + std::chrono::milliseconds(millis) - offset;
}

std::variant<WebhookMessage, WebhookError> ParseWebhookRequest(std::string_view content_type, std::string_view body) {
  if (IsMultipart(content_type)) return kMultipart;
  if (body.starts_with("\xef\xbb\xbf")) body.remove_prefix(3);  // as a fetch's json() does
  if (body.empty()) return kNoBody;

  Collector fields;
  json::error_code error = ParseInto(body, fields);
  if (error) {
    if (const std::string mended = ReplaceHalfSurrogates(body); mended != body) {
      fields = {};
      error = ParseInto(mended, fields);
    }
  }
  if (error == json::error::too_deep) return kTooDeep;
  if (error) return kNotJson;
  if (!fields.root_is_object) return kNotAnObject;

  if (fields.phone.kind == Field::Kind::kAbsent) return kNoPhone;
  const bool phone_readable = fields.phone.kind == Field::Kind::kString ||
                              (fields.phone.kind == Field::Kind::kNumber && AllDigits(fields.phone.text));
  std::optional<PhoneNumber> phone;
  if (phone_readable) phone = PhoneNumber::Parse(fields.phone.text);
  if (!phone) return kBadPhone;

  if (fields.message.kind == Field::Kind::kAbsent) return kNoMessage;
  if (fields.message.kind != Field::Kind::kString) return kBadMessage;
  if (!NormalizeWithinLimit(fields.message.text)) return kLongMessage;
  if (IsBlank(fields.message.text)) return kBlankMessage;

  const Field& id = fields.message_id;
  if (id.kind == Field::Kind::kOther || id.text.size() > kMaxMessageIdBytes ||
      std::any_of(id.text.begin(), id.text.end(),
                  [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; })) {
    return kBadMessageId;
  }
  return WebhookMessage{.phone = *std::move(phone),
                        .text = Phi<std::string>(std::move(fields.message.text)),
                        .message_id = id.text,
                        .timestamp = TimeOf(fields.timestamp)};
}

}  // namespace medidesk::admin
