#include "admin/api/rest/openapi_schema.h"

#include <algorithm>
#include <cstdlib>

namespace medidesk::admin::rest {

namespace json = boost::json;
using google::protobuf::Descriptor;
using google::protobuf::EnumDescriptor;
using google::protobuf::FieldDescriptor;
using google::protobuf::MethodDescriptor;
using google::protobuf::ServiceDescriptor;

namespace {

// The schema of a message that is one text in JSON; empty for all others.
json::object TextSchema(const Descriptor& message) {
  if (message.full_name() == "google.protobuf.Timestamp") return {{"type", "string"}, {"format", "date-time"}};
  if (message.full_name() == "google.protobuf.Duration")
    return {{"type", "string"}, {"pattern", "^-?[0-9]+(\\.[0-9]+)?s$"}};
  if (message.full_name() == "google.protobuf.FieldMask") {
    return {{"type", "string"}, {"description", "Names of fields, comma separated."}};
  }
  return {};
}

}  // namespace

template <class Element>
std::string CommentOf(const Element& element) {
  google::protobuf::SourceLocation location;
  if (!element.GetSourceLocation(&location)) return {};
  std::string text;
  bool paragraph = true;  // nothing of it yet
  std::string_view left = location.leading_comments;
  while (!left.empty()) {
    const std::size_t end = std::min(left.find('\n'), left.size());
    std::string_view line = left.substr(0, end);
    left.remove_prefix(std::min(end + 1, left.size()));
    while (line.starts_with(' ')) line.remove_prefix(1);
    while (line.ends_with(' ')) line.remove_suffix(1);
    if (line.empty()) {
      if (!paragraph) text += "\n\n";
      paragraph = true;
      continue;
    }
    if (!paragraph) text += ' ';
    text += line;
    paragraph = false;
  }
  while (text.ends_with('\n')) text.pop_back();
  return text;
}

template std::string CommentOf(const Descriptor&);
template std::string CommentOf(const EnumDescriptor&);
template std::string CommentOf(const FieldDescriptor&);
template std::string CommentOf(const MethodDescriptor&);
template std::string CommentOf(const ServiceDescriptor&);

bool IsQueryValue(const FieldDescriptor& field) {
  return field.cpp_type() != FieldDescriptor::CPPTYPE_MESSAGE || !TextSchema(*field.message_type()).empty();
}

std::string Schemas::NameOf(const std::string& name, const std::string& full_name) {
  const auto [at, added] = full_names_.emplace(name, full_name);
  return at->second == full_name ? name : full_name;  // two packages may use one name
}

json::object Schemas::Reference(const Descriptor& message) {
  const std::string name = NameOf(message.name(), message.full_name());
  if (made_.find(name) == made_.end()) {
    made_[name];  // a message may hold itself
    json::object schema = Message(message);
    made_[name] = std::move(schema);
  }
  return {{"$ref", "#/components/schemas/" + name}};
}

json::object Schemas::Enum(const EnumDescriptor& type) {
  const std::string name = NameOf(type.name(), type.full_name());
  if (made_.find(name) == made_.end()) {
    json::array values;
    for (int i = 0; i < type.value_count(); ++i) values.emplace_back(type.value(i)->name());
    json::object schema{{"type", "string"}, {"enum", std::move(values)}};
    std::string text = CommentOf(type);
    for (int i = 0; i < type.value_count(); ++i) {
      google::protobuf::SourceLocation location;
      if (!type.value(i)->GetSourceLocation(&location)) continue;
      std::string comment = location.leading_comments;
      std::replace(comment.begin(), comment.end(), '\n', ' ');
      while (comment.ends_with(' ')) comment.pop_back();
      text += "\n\n" + type.value(i)->name() + ":" + comment;
    }
    schema["description"] = text;
    made_[name] = std::move(schema);
  }
  return {{"$ref", "#/components/schemas/" + name}};
}

json::object Schemas::Value(const FieldDescriptor& field) {
  switch (field.cpp_type()) {
    case FieldDescriptor::CPPTYPE_STRING:
      if (field.type() == FieldDescriptor::TYPE_BYTES) return {{"type", "string"}, {"contentEncoding", "base64"}};
      return {{"type", "string"}};
    case FieldDescriptor::CPPTYPE_BOOL:
      return {{"type", "boolean"}};
    case FieldDescriptor::CPPTYPE_INT32:
    case FieldDescriptor::CPPTYPE_UINT32:
      return {{"type", "integer"}, {"format", "int32"}};
    case FieldDescriptor::CPPTYPE_INT64:
    case FieldDescriptor::CPPTYPE_UINT64:
      // JavaScript's numbers end at 53 bits.
      return {{"type", "string"}, {"format", "int64"}, {"pattern", "^-?[0-9]+$"}};
    case FieldDescriptor::CPPTYPE_DOUBLE:
    case FieldDescriptor::CPPTYPE_FLOAT:
      return {{"type", "number"}};
    case FieldDescriptor::CPPTYPE_ENUM:
      return Enum(*field.enum_type());
    case FieldDescriptor::CPPTYPE_MESSAGE:
      break;
  }
  json::object text = TextSchema(*field.message_type());
  return text.empty() ? Reference(*field.message_type()) : text;
}

json::object Schemas::Field(const FieldDescriptor& field) {
  json::object schema;
  if (field.is_map()) {
    schema = {{"type", "object"}, {"additionalProperties", Value(*field.message_type()->map_value())}};
  } else if (field.is_repeated()) {
    schema = {{"type", "array"}, {"items", Value(field)}};
  } else {
    schema = Value(field);
  }
  std::string text = CommentOf(field);
  if (const auto* choice = field.real_containing_oneof(); choice != nullptr && choice->field_count() > 1) {
    text += " At most one of the fields of `" + choice->name() + "` is set.";
  }
  if (!text.empty()) schema["description"] = text;
  return schema;
}

json::object Schemas::Message(const Descriptor& message) { return Without(message, "", {}); }

json::object Schemas::Without(const Descriptor& message, const std::string& at,
                              const std::vector<std::string>& left_out) {
  json::object properties;
  for (int i = 0; i < message.field_count(); ++i) {
    const FieldDescriptor& field = *message.field(i);
    const std::string path = at.empty() ? field.name() : at + '.' + field.name();
    if (std::find(left_out.begin(), left_out.end(), path) != left_out.end()) continue;
    const bool differs = std::any_of(left_out.begin(), left_out.end(),
                                     [&](const std::string& gone) { return gone.starts_with(path + '.'); });
    json::object schema = differs ? Without(*field.message_type(), path, left_out) : Field(field);
    if (differs) schema["description"] = CommentOf(field);
    properties[field.json_name()] = std::move(schema);
  }
  json::object schema{{"type", "object"}};
  if (const std::string text = CommentOf(message); !text.empty()) schema["description"] = text;
  schema["properties"] = std::move(properties);
  return schema;
}

json::object Schemas::Take() {
  json::object all;
  for (auto& [name, schema] : made_) all[name] = std::move(schema);
  return all;
}

}  // namespace medidesk::admin::rest
