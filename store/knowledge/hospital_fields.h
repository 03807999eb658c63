// How the fields of the contract stand in a hospital file; shared by its reader and its writer.
#pragma once

#include <google/protobuf/descriptor.h>

#include <string>

#include "medidesk/store/v1/knowledge.pb.h"

namespace medidesk::store {

// What a field's value looks like in the file.
enum class FieldForm {
  kAbsent,    // set by the store; not part of a file
  kText,      // name: text
  kTextList,  // name: [text, ...]
  kHours,     // name: "Mon-Fri 08:00-18:00"
  kRoster,    // name: [{when: hours, room: text}, ...]
  kMaps,      // name: [{field: ...}, ...]
  kMap,       // name: {field: ...}
};

inline FieldForm FormOf(const google::protobuf::FieldDescriptor& field) {
  using google::protobuf::FieldDescriptor;
  if (field.type() == FieldDescriptor::TYPE_STRING)
    return field.is_repeated() ? FieldForm::kTextList : FieldForm::kText;
  if (field.type() != FieldDescriptor::TYPE_MESSAGE || field.name() == "update_time") return FieldForm::kAbsent;
  if (field.message_type() == v1::WeeklyRange::descriptor()) return FieldForm::kHours;
  if (field.message_type() == v1::RosterEntry::descriptor()) return FieldForm::kRoster;
  return field.is_repeated() ? FieldForm::kMaps : FieldForm::kMap;
}

inline std::string FileName(const google::protobuf::FieldDescriptor& field) {
  return field.name() == "department_key" ? "department" : field.name();
}

}  // namespace medidesk::store
