#include "admin/api/rest/transcoder.h"

#include <google/protobuf/duration.pb.h>
#include <google/protobuf/field_mask.pb.h>
#include <google/protobuf/timestamp.pb.h>
#include <google/protobuf/util/json_util.h>
#include <google/protobuf/util/time_util.h>

#include <algorithm>
#include <charconv>

#include "admin/api/rest/json_check.h"
#include "base/rpc/error_details.h"

namespace medidesk::admin::rest {

using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;
using google::protobuf::FieldMask;
using google::protobuf::Message;
using google::protobuf::MessageFactory;

namespace {

namespace util = google::protobuf::util;

template <class T>
bool ReadNumber(std::string_view text, T& out) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
  return !text.empty() && error == std::errc() && end == text.data() + text.size();
}

// One field found by a parameter's name, with the message that holds it and its path in the contracts'
// names.
struct Found {
  Message* holder = nullptr;
  const FieldDescriptor* field = nullptr;
  std::string path;
};

const FieldDescriptor* FieldOf(const Descriptor& message, std::string_view name) {
  const std::string text(name);
  if (const FieldDescriptor* field = message.FindFieldByName(text)) return field;
  const FieldDescriptor* field = message.FindFieldByCamelcaseName(text);
  return field != nullptr && field->json_name() == text ? field : nullptr;
}

bool IsScalar(const FieldDescriptor& field) {
  if (field.cpp_type() != FieldDescriptor::CPPTYPE_MESSAGE) return true;
  const Descriptor* const type = field.message_type();
  return type == google::protobuf::Timestamp::descriptor() || type == google::protobuf::Duration::descriptor() ||
         type == FieldMask::descriptor();
}

// The path of a parameter without making messages on the way: nothing is set before all is known.
bool Resolve(const Descriptor& root, std::string_view name, std::string& path, const FieldDescriptor*& field) {
  const Descriptor* at = &root;
  path.clear();
  while (true) {
    if (at == nullptr) return false;
    const std::size_t dot = name.find('.');
    field = FieldOf(*at, name.substr(0, dot));
    if (field == nullptr) return false;
    if (!path.empty()) path += '.';
    path += field->name();
    if (dot == std::string_view::npos) return IsScalar(*field);
    if (field->is_repeated() || IsScalar(*field)) return false;
    at = field->message_type();
    name.remove_prefix(dot + 1);
  }
}

bool IsBound(const Route& route, const Captures& captures, std::string_view path) {
  const auto within = [path](std::string_view outer) {
    return path == outer || (path.starts_with(outer) && path[outer.size()] == '.');
  };
  if (route.body == "*" || (!route.body.empty() && within(route.body))) return true;
  if (std::any_of(route.hidden.begin(), route.hidden.end(), within)) return true;
  return std::any_of(captures.begin(), captures.end(), [&](const auto& capture) { return capture.first == path; });
}

std::string ParametersOf(const Route& route, const Captures& captures) {
  const Descriptor& input = *route.call->input_type();
  std::string names;
  for (int i = 0; i < input.field_count(); ++i) {
    if (IsBound(route, captures, input.field(i)->name())) continue;
    if (!names.empty()) names += ", ";
    names += input.field(i)->json_name();
  }
  return names.empty() ? "there are none" : "known are: " + names;
}

// Sets or adds one value; false when the text is not one.
bool SetValue(Message& holder, const FieldDescriptor& field, const std::string& text) {
  const auto& reflection = *holder.GetReflection();
  const bool add = field.is_repeated();
#define MD_PUT(kind, value) \
  (add ? reflection.Add##kind(&holder, &field, value) : reflection.Set##kind(&holder, &field, value))
  switch (field.cpp_type()) {
    case FieldDescriptor::CPPTYPE_STRING:
      if (field.type() == FieldDescriptor::TYPE_BYTES) return false;  // nothing binary is asked for in a query
      MD_PUT(String, text);
      return true;
    case FieldDescriptor::CPPTYPE_BOOL:
      if (text != "true" && text != "false") return false;
      MD_PUT(Bool, text == "true");
      return true;
    case FieldDescriptor::CPPTYPE_INT32: {
      std::int32_t value = 0;
      if (!ReadNumber(text, value)) return false;
      MD_PUT(Int32, value);
      return true;
    }
    case FieldDescriptor::CPPTYPE_INT64: {
      std::int64_t value = 0;
      if (!ReadNumber(text, value)) return false;
      MD_PUT(Int64, value);
      return true;
    }
    case FieldDescriptor::CPPTYPE_ENUM: {
      const auto* value = field.enum_type()->FindValueByName(text);
      if (value == nullptr) return false;
      MD_PUT(Enum, value);
      return true;
    }
    case FieldDescriptor::CPPTYPE_MESSAGE: {
      if (add) return false;
      Message* const part = reflection.MutableMessage(&holder, &field);
      if (auto* time = dynamic_cast<google::protobuf::Timestamp*>(part)) return util::TimeUtil::FromString(text, time);
      if (auto* span = dynamic_cast<google::protobuf::Duration*>(part)) return util::TimeUtil::FromString(text, span);
      if (auto* mask = dynamic_cast<FieldMask*>(part)) {
        for (std::size_t begin = 0; begin <= text.size();) {
          const std::size_t comma = std::min(text.find(',', begin), text.size());
          if (comma == begin) return false;
          mask->add_paths(text.substr(begin, comma - begin));
          begin = comma + 1;
        }
        return true;
      }
      return false;
    }
    default:  // the contracts have no other types in what a query may set
      return false;
  }
#undef MD_PUT
}

std::string_view ExpectedOf(const FieldDescriptor& field) {
  switch (field.cpp_type()) {
    case FieldDescriptor::CPPTYPE_BOOL:
      return "expected true or false";
    case FieldDescriptor::CPPTYPE_INT32:
    case FieldDescriptor::CPPTYPE_INT64:
      return "expected a whole number";
    case FieldDescriptor::CPPTYPE_ENUM:
      return "expected a value of its enum, such as the document at /v1/openapi.json lists";
    case FieldDescriptor::CPPTYPE_MESSAGE:
      return "expected a time such as 2026-01-15T10:30:00Z, or comma-separated fields for a mask";
    default:
      return "expected text";
  }
}

absl::Status ReadQuery(const Route& route, const Captures& captures, std::string_view query, Message& request) {
  std::vector<std::string> given;
  std::size_t count = 0;
  std::string name, value, path;
  while (!query.empty()) {
    const std::size_t end = std::min(query.find('&'), query.size());
    const std::string_view pair = query.substr(0, end);
    query.remove_prefix(std::min(end + 1, query.size()));
    if (pair.empty()) continue;
    if (++count > kMaxParameters) return rpc::InvalidField("query", "too many parameters");
    const std::size_t equals = std::min(pair.find('='), pair.size());
    if (!PercentDecode(pair.substr(0, equals), /*form=*/true, name) ||
        !PercentDecode(pair.substr(std::min(equals + 1, pair.size())), /*form=*/true, value)) {
      return rpc::InvalidField("query", "expected percent-encoded UTF-8 text");
    }
    const FieldDescriptor* field = nullptr;
    if (!Resolve(*route.call->input_type(), name, path, field) || IsBound(route, captures, path)) {
      return rpc::InvalidField("query",
                               "it holds a parameter that is not taken here; " + ParametersOf(route, captures));
    }
    if (!field->is_repeated()) {
      if (std::find(given.begin(), given.end(), path) != given.end()) return rpc::InvalidField(path, "given twice");
      given.push_back(path);
    }
    const auto [holder, last] = Reach(request, path);
    if (!SetValue(*holder, *last, value)) return rpc::InvalidField(path, ExpectedOf(*field));
  }
  return absl::OkStatus();
}

absl::Status ReadBody(const Route& route, std::string_view body, Message& request) {
  if (route.body.empty()) {
    return body.empty() ? absl::OkStatus() : rpc::InvalidField("body", "this operation takes none");
  }
  Message* part = &request;
  std::string_view at;
  if (route.body != "*") {
    const auto [holder, field] = Reach(request, route.body);
    part = holder->GetReflection()->MutableMessage(holder, field);
    at = route.body;
  }
  if (body.empty()) {
    return at.empty() ? absl::OkStatus() : rpc::InvalidField(at, "expected a JSON object as the body");
  }
  MD_ASSIGN_OR_RETURN(const std::vector<std::string> fields, CheckJson(body, *part->GetDescriptor(), at, route.hidden));
  if (!util::JsonStringToMessage(google::protobuf::StringPiece(body.data(), body.size()), part).ok()) {
    return rpc::InvalidField(at.empty() ? "body" : at, "a value is out of its range, or bytes are not base64");
  }
  if (!route.mask.empty()) {
    const auto [holder, field] = Reach(request, route.mask);
    auto* mask = dynamic_cast<FieldMask*>(holder->GetReflection()->MutableMessage(holder, field));
    if (mask == nullptr) return Error(absl::StatusCode::kInternal, "the route's mask is no FieldMask");
    if (mask->paths_size() > 0) return absl::OkStatus();  // the query said it
    for (const std::string& name : fields) {
      // The row's name and version are not what changes.
      if (name != "id" && name != "etag") mask->add_paths(name);
    }
  }
  return absl::OkStatus();
}

}  // namespace

std::unique_ptr<Message> NewMessage(const Descriptor& type) {
  return std::unique_ptr<Message>(MessageFactory::generated_factory()->GetPrototype(&type)->New());
}

std::pair<Message*, const FieldDescriptor*> Reach(Message& message, std::string_view path) {
  Message* at = &message;
  while (true) {
    const std::size_t dot = path.find('.');
    const FieldDescriptor* const field = at->GetDescriptor()->FindFieldByName(std::string(path.substr(0, dot)));
    if (dot == std::string_view::npos) return {at, field};
    at = at->GetReflection()->MutableMessage(at, field);
    path.remove_prefix(dot + 1);
  }
}

std::vector<std::string> Collect(const Message& message, std::string_view path) {
  const std::size_t dot = path.find('.');
  const FieldDescriptor* const field = message.GetDescriptor()->FindFieldByName(std::string(path.substr(0, dot)));
  if (field == nullptr) return {};
  const auto& reflection = *message.GetReflection();
  std::vector<std::string> found;
  if (dot == std::string_view::npos) {
    if (field->is_repeated()) return {};
    std::string value = reflection.GetString(message, field);
    if (!value.empty()) found.push_back(std::move(value));
    return found;
  }
  const std::string_view rest = path.substr(dot + 1);
  if (!field->is_repeated()) {
    return reflection.HasField(message, field) ? Collect(reflection.GetMessage(message, field), rest) : found;
  }
  for (int i = 0; i < reflection.FieldSize(message, field); ++i) {
    for (std::string& value : Collect(reflection.GetRepeatedMessage(message, field, i), rest)) {
      found.push_back(std::move(value));
    }
  }
  return found;
}

absl::StatusOr<std::unique_ptr<Message>> ReadRequest(const Route& route, const Captures& captures,
                                                     std::string_view query, std::string_view body) {
  std::unique_ptr<Message> request = NewMessage(*route.call->input_type());
  MD_RETURN_IF_ERROR(ReadQuery(route, captures, query, *request));
  MD_RETURN_IF_ERROR(ReadBody(route, body, *request));
  for (const auto& [path, value] : captures) {
    const auto [holder, field] = Reach(*request, path);
    const std::string sent = holder->GetReflection()->GetString(*holder, field);
    if (!sent.empty() && sent != value) return rpc::InvalidField(path, "the body names another row than the path");
    holder->GetReflection()->SetString(holder, field, value);
  }
  return request;
}

absl::StatusOr<std::string> WriteJson(const Message& message) {
  util::JsonPrintOptions options;
  options.always_print_primitive_fields = true;
  std::string json;
  if (!util::MessageToJsonString(message, &json, options).ok()) {
    return Error(absl::StatusCode::kInternal, "the answer cannot be written as JSON");
  }
  return json;
}

}  // namespace medidesk::admin::rest
