// JSON Schema (as OpenAPI 3.1 has it) of the contracts' messages in proto3 JSON.
#pragma once

#include <boost/json.hpp>
#include <google/protobuf/descriptor.h>

#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace medidesk::admin::rest {

// The comment above a definition as one text, without the line breaks of its source.
template <class Element>
std::string CommentOf(const Element& element);

// True for what is one value in a query: numbers, texts, enums, times.
bool IsQueryValue(const google::protobuf::FieldDescriptor& field);

// Collects the schemas of all messages and enums that were asked for.
class Schemas {
 public:
  // {"$ref":"#/components/schemas/Faq"}
  boost::json::object Reference(const google::protobuf::Descriptor& message);
  // The value of one field, a list where it is repeated, with its comment.
  boost::json::object Field(const google::protobuf::FieldDescriptor& field);
  // An object without the fields of `left_out`, dotted paths from `at`; written out where that differs
  // from the message's own schema.
  boost::json::object Without(const google::protobuf::Descriptor& message, const std::string& at,
                              const std::vector<std::string>& left_out);

  // All of them by name, for components.schemas.
  boost::json::object Take();

 private:
  boost::json::object Value(const google::protobuf::FieldDescriptor& field);
  boost::json::object Message(const google::protobuf::Descriptor& message);
  boost::json::object Enum(const google::protobuf::EnumDescriptor& type);
  std::string NameOf(const std::string& name, const std::string& full_name);

  std::map<std::string, boost::json::object> made_;  // by name
  std::map<std::string, std::string> full_names_;    // name -> full name that has it
};

}  // namespace medidesk::admin::rest
