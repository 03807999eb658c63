#include "admin/api/rest/etag.h"

#include <charconv>

#include "admin/api/rest/transcoder.h"

namespace medidesk::admin::rest {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;

std::string_view Trim(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

// etagc of RFC 9110: visible characters without the quote.
bool IsTag(std::string_view text) {
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte <= 0x20 || byte == '"' || byte == 0x7f) return false;
  }
  return !text.empty() && text.size() <= 256;
}

}  // namespace

std::string EtagOf(const Message& response, std::string_view field) {
  const FieldDescriptor* const row_field = response.GetDescriptor()->FindFieldByName(std::string(field));
  if (row_field == nullptr || !response.GetReflection()->HasField(response, row_field)) return {};
  const Message& row = response.GetReflection()->GetMessage(response, row_field);
  std::string tag;
  if (const FieldDescriptor* etag = row.GetDescriptor()->FindFieldByName("etag")) {
    tag = row.GetReflection()->GetString(row, etag);
  } else if (const FieldDescriptor* revision = row.GetDescriptor()->FindFieldByName("revision")) {
    const std::int64_t number = row.GetReflection()->GetInt64(row, revision);
    if (number > 0) tag = std::to_string(number);
  }
  return IsTag(tag) ? '"' + tag + '"' : "";
}

IfMatch ReadIfMatch(std::string_view header) {
  header = Trim(header);
  if (header.empty()) return {};
  if (header == "*") return {IfMatch::Kind::kAny};
  if (header.size() < 3 || header.front() != '"' || header.back() != '"') return {IfMatch::Kind::kMalformed};
  const std::string_view tag = header.substr(1, header.size() - 2);
  if (!IsTag(tag)) return {IfMatch::Kind::kMalformed};
  return {IfMatch::Kind::kOne, std::string(tag)};
}

bool NoneMatchHolds(std::string_view header, std::string_view etag) {
  if (etag.empty()) return false;
  while (!header.empty()) {
    const std::size_t comma = header.find(',');
    std::string_view one = Trim(header.substr(0, comma));
    if (one.starts_with("W/")) one.remove_prefix(2);
    if (one == "*" || one == etag) return true;
    if (comma == std::string_view::npos) break;
    header.remove_prefix(comma + 1);
  }
  return false;
}

bool SetVersion(Message& request, std::string_view field, const std::string& tag) {
  const auto [holder, last] = Reach(request, field);
  if (last->cpp_type() == FieldDescriptor::CPPTYPE_STRING) {
    holder->GetReflection()->SetString(holder, last, tag);
    return true;
  }
  std::int64_t revision = 0;
  const auto [end, error] = std::from_chars(tag.data(), tag.data() + tag.size(), revision);
  if (error != std::errc() || end != tag.data() + tag.size() || revision <= 0) return false;
  holder->GetReflection()->SetInt64(holder, last, revision);
  return true;
}

}  // namespace medidesk::admin::rest
