#include "assistant/claude/raw_json.h"

#include <boost/json/parse.hpp>
#include <boost/json/value.hpp>

#include <cstdint>
#include <exception>
#include <optional>
#include <utility>

namespace medidesk::assistant::claude {
namespace {

absl::StatusOr<boost::json::kind> KindOf(const std::string& text) {
  if (text.size() > RawJson::kMaxBytes) {
    return Error(absl::StatusCode::kInvalidArgument, "JSON text above its size limit");
  }
  try {
    boost::json::parse_options options;
    options.max_depth = RawJson::kMaxDepth;
    boost::system::error_code error;
    const boost::json::value value = boost::json::parse(text, error, {}, options);
    if (error) return Error(absl::StatusCode::kInvalidArgument, "not one well-formed JSON value in UTF-8");
    return value.kind();
  } catch (const std::exception&) {
    return Error(absl::StatusCode::kResourceExhausted, "JSON text too large to hold");
  }
}

// Length of the well-formed UTF-8 sequence at the start of `text`; 0 when it is malformed
// (the table of the Unicode standard: no surrogates, no overlong forms, nothing above U+10FFFF).
std::size_t SequenceLength(std::string_view text) {
  const auto at = [&](std::size_t i) -> std::uint8_t {
    return i < text.size() ? static_cast<std::uint8_t>(text[i]) : 0;
  };
  const auto tail = [&](std::size_t i) { return (at(i) & 0xC0) == 0x80; };
  const std::uint8_t lead = at(0);
  if (lead < 0x80) return 1;
  if (lead >= 0xC2 && lead <= 0xDF) return tail(1) ? 2 : 0;
  if (lead >= 0xE0 && lead <= 0xEF) {
    if (!tail(1) || !tail(2)) return 0;
    if (lead == 0xE0 && at(1) < 0xA0) return 0;
    if (lead == 0xED && at(1) > 0x9F) return 0;
    return 3;
  }
  if (lead >= 0xF0 && lead <= 0xF4) {
    if (!tail(1) || !tail(2) || !tail(3)) return 0;
    if (lead == 0xF0 && at(1) < 0x90) return 0;
    if (lead == 0xF4 && at(1) > 0x8F) return 0;
    return 4;
  }
  return 0;
}

}  // namespace

absl::StatusOr<RawJson> RawJson::Parse(std::string text) {
  MD_RETURN_IF_ERROR(KindOf(text).status());
  return RawJson(std::move(text));
}

absl::StatusOr<RawJson> RawJson::ParseObject(std::string text) {
  MD_ASSIGN_OR_RETURN(const auto kind, KindOf(text));
  if (kind != boost::json::kind::object) return Error(absl::StatusCode::kInvalidArgument, "expected a JSON object");
  return RawJson(std::move(text));
}

absl::StatusOr<RawJson> RawJson::ParseArray(std::string text) {
  MD_ASSIGN_OR_RETURN(const auto kind, KindOf(text));
  if (kind != boost::json::kind::array) return Error(absl::StatusCode::kInvalidArgument, "expected a JSON array");
  return RawJson(std::move(text));
}

void AppendJsonString(std::string& out, std::string_view text) {
  static constexpr char kHex[] = "0123456789abcdef";
  out.reserve(out.size() + text.size() + text.size() / 16 + 2);
  out += '"';
  std::size_t at = 0, run = 0;  // text[run, at) is to be copied as it is
  while (at < text.size()) {
    const auto byte = static_cast<std::uint8_t>(text[at]);
    if (byte >= 0x20 && byte < 0x80 && byte != '"' && byte != '\\') {
      ++at;
      continue;
    }
    if (byte >= 0x80) {
      if (const std::size_t length = SequenceLength(text.substr(at)); length != 0) {
        at += length;
        continue;
      }
    }
    out += text.substr(run, at - run);
    if (byte == '"' || byte == '\\') {
      out += '\\';
      out += text[at];
    } else if (byte == '\n') {
      out += "\\n";
    } else if (byte < 0x20) {
      out += "\\u00";
      out += kHex[byte >> 4];
      out += kHex[byte & 15];
    } else {
      out += "\xEF\xBF\xBD";
    }
    run = ++at;
  }
  out += text.substr(run);
  out += '"';
}

}  // namespace medidesk::assistant::claude
