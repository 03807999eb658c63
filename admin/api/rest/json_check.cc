#include "admin/api/rest/json_check.h"

#include <boost/json/basic_parser_impl.hpp>
#include <google/protobuf/duration.pb.h>
#include <google/protobuf/field_mask.pb.h>
#include <google/protobuf/timestamp.pb.h>
#include <google/protobuf/util/field_mask_util.h>
#include <google/protobuf/util/time_util.h>

#include <algorithm>
#include <charconv>
#include <limits>
#include <optional>

#include "base/rpc/error_details.h"

namespace medidesk::admin::rest {

namespace json = boost::json;
using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;
using google::protobuf::util::TimeUtil;

namespace {

constexpr std::size_t kLongestKey = 64;     // bytes; no field of the contracts has a longer name
constexpr std::size_t kLongestScalar = 64;  // bytes kept of a text that must be a number, time or enum
constexpr std::size_t kNamesShown = 900;    // bytes: an error's text ends at 1 KiB

// "key, question, alternatives": what the message takes, as JSON names them.
std::string Known(const Descriptor& message) {
  std::string names;
  for (int i = 0; i < message.field_count(); ++i) {
    if (names.size() > kNamesShown) return names + ", ...";
    if (!names.empty()) names += ", ";
    names += message.field(i)->json_name();
  }
  return names.empty() ? "no fields" : names;
}

template <class T>
bool Fits(std::string_view digits) {
  T value{};
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  return error == std::errc() && end == digits.data() + digits.size() && !digits.empty();
}

bool IsTime(const FieldDescriptor& field) {
  return field.message_type()->full_name() == google::protobuf::Timestamp::descriptor()->full_name();
}
bool IsDuration(const FieldDescriptor& field) {
  return field.message_type()->full_name() == google::protobuf::Duration::descriptor()->full_name();
}
bool IsMask(const FieldDescriptor& field) {
  return field.message_type()->full_name() == google::protobuf::FieldMask::descriptor()->full_name();
}
// A message that is a string in JSON.
bool IsText(const FieldDescriptor& field) {
  return field.cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE && (IsTime(field) || IsDuration(field) || IsMask(field));
}

// Walks the descriptors beside the JSON text; the first fault ends it.
class Walker {
 public:
  static constexpr std::size_t max_object_size = static_cast<std::size_t>(-1);
  static constexpr std::size_t max_array_size = static_cast<std::size_t>(-1);
  static constexpr std::size_t max_key_size = static_cast<std::size_t>(-1);
  static constexpr std::size_t max_string_size = static_cast<std::size_t>(-1);

  Walker(const Descriptor& root, std::string_view at, const std::vector<std::string_view>& refused)
      : root_(root), at_(at), refused_(refused) {}

  const std::optional<absl::Status>& fault() const { return fault_; }
  std::vector<std::string>& root_fields() { return root_fields_; }

  bool on_document_begin(json::error_code&) { return true; }
  bool on_document_end(json::error_code&) { return true; }
  bool on_object_begin(json::error_code& error) {
    if (frames_.empty()) {
      frames_.push_back({.message = &root_});
      return true;
    }
    if (!Value(error)) return false;
    const FieldDescriptor& field = *frames_.back().field;
    if (field.cpp_type() != FieldDescriptor::CPPTYPE_MESSAGE || IsText(field)) return Refuse(Expected(field), error);
    frames_.push_back({.message = field.message_type()});
    return true;
  }
  bool on_object_end(std::size_t, json::error_code&) {
    frames_.pop_back();
    return frames_.empty() || Done();
  }
  bool on_array_begin(json::error_code& error) {
    if (frames_.empty()) return Refuse("expected a JSON object", error);
    Frame& frame = frames_.back();
    if (frame.index >= 0 || !frame.field->is_repeated()) return Refuse(Expected(*frame.field), error);
    frames_.push_back({.field = frame.field, .index = 0});
    return true;
  }
  bool on_array_end(std::size_t, json::error_code&) {
    frames_.pop_back();
    return true;
  }
  bool on_key_part(json::string_view part, std::size_t, json::error_code&) {
    Keep(part, kLongestKey);
    return true;
  }
  bool on_key(json::string_view part, std::size_t, json::error_code& error) {
    Keep(part, kLongestKey);
    const std::string key = std::move(text_);
    text_.clear();
    Frame& frame = frames_.back();
    const FieldDescriptor* field = frame.message->FindFieldByCamelcaseName(key);
    if (field == nullptr || field->json_name() != key) field = frame.message->FindFieldByName(key);
    if (field == nullptr || (frame.field = field, IsRefused())) {
      frame.field = nullptr;
      return Refuse("it holds a field that is not taken here; known are: " + Known(*frame.message), error);
    }
    if (std::find(frame.seen.begin(), frame.seen.end(), field->number()) != frame.seen.end()) {
      return Refuse("given twice", error);
    }
    if (const auto* choice = field->real_containing_oneof(); choice != nullptr) {
      for (int i = 0; i < choice->field_count(); ++i) {
        const int other = choice->field(i)->number();
        if (std::find(frame.seen.begin(), frame.seen.end(), other) != frame.seen.end()) {
          return Refuse("expected only one of this and " + choice->field(i)->json_name(), error);
        }
      }
    }
    frame.seen.push_back(field->number());
    if (frames_.size() == 1) root_fields_.push_back(field->name());
    return true;
  }
  bool on_string_part(json::string_view part, std::size_t, json::error_code& error) { return Text(part, error); }
  bool on_string(json::string_view part, std::size_t, json::error_code& error) {
    if (!Text(part, error)) return false;
    const std::string text = std::move(text_);
    text_.clear();
    if (!Value(error)) return false;
    const FieldDescriptor& field = *frames_.back().field;
    return StringFits(field, text) ? Done() : Refuse(Expected(field), error);
  }
  bool on_number_part(json::string_view part, json::error_code&) {
    Keep(part, kLongestScalar);
    return true;
  }
  bool on_int64(std::int64_t, json::string_view part, json::error_code& error) { return Number(part, error); }
  bool on_uint64(std::uint64_t, json::string_view part, json::error_code& error) { return Number(part, error); }
  bool on_double(double, json::string_view part, json::error_code& error) { return Number(part, error); }
  bool on_bool(bool, json::error_code& error) {
    if (!Value(error)) return false;
    const FieldDescriptor& field = *frames_.back().field;
    return field.cpp_type() == FieldDescriptor::CPPTYPE_BOOL ? Done() : Refuse(Expected(field), error);
  }
  // Absent, by the rules of proto3 JSON; nothing inside a list can be.
  bool on_null(json::error_code& error) {
    if (frames_.empty()) return Refuse("expected a JSON object", error);
    if (frames_.back().index >= 0) return Refuse("expected no null in a list", error);
    if (frames_.size() == 1) root_fields_.pop_back();
    return true;
  }
  bool on_comment_part(json::string_view, json::error_code&) { return true; }
  bool on_comment(json::string_view, json::error_code&) { return true; }

 private:
  struct Frame {
    const Descriptor* message = nullptr;     // an object; null: an array
    const FieldDescriptor* field = nullptr;  // whose value comes next; of an array: what it is an array of
    int index = -1;                          // of the next element; -1: not an array
    std::vector<int> seen = {};              // field numbers
  };

  void Keep(json::string_view part, std::size_t most) {
    if (text_.size() <= most) text_.append(part.data(), std::min(part.size(), most + 1));
  }
  bool Text(json::string_view part, json::error_code& error) {
    if (part.find('\0') != json::string_view::npos) {
      return Refuse("expected text without U+0000", error);
    }
    Keep(part, kLongestScalar);
    return true;
  }
  bool Number(json::string_view part, json::error_code& error) {
    Keep(part, kLongestScalar);
    const std::string digits = std::move(text_);
    text_.clear();
    if (!Value(error)) return false;
    const FieldDescriptor& field = *frames_.back().field;
    return NumberFits(field, digits) ? Done() : Refuse(Expected(field), error);
  }

  // A value that is neither null nor an array comes: it must belong to a field, and lists stay in [].
  bool Value(json::error_code& error) {
    if (frames_.empty()) return Refuse("expected a JSON object", error);
    const Frame& frame = frames_.back();
    if (frame.index < 0 && frame.field->is_repeated()) return Refuse("expected a list", error);
    return true;
  }
  // The value was taken.
  bool Done() {
    if (frames_.back().index >= 0) ++frames_.back().index;
    return true;
  }

  static bool NumberFits(const FieldDescriptor& field, std::string_view digits) {
    switch (field.cpp_type()) {
      case FieldDescriptor::CPPTYPE_INT32:
        return Fits<std::int32_t>(digits);
      case FieldDescriptor::CPPTYPE_INT64:
        return Fits<std::int64_t>(digits);
      case FieldDescriptor::CPPTYPE_UINT32:
        return Fits<std::uint32_t>(digits);
      case FieldDescriptor::CPPTYPE_UINT64:
        return Fits<std::uint64_t>(digits);
      case FieldDescriptor::CPPTYPE_DOUBLE:
      case FieldDescriptor::CPPTYPE_FLOAT:
        return true;
      case FieldDescriptor::CPPTYPE_ENUM: {
        if (!Fits<std::int32_t>(digits)) return false;
        int number = 0;
        std::from_chars(digits.data(), digits.data() + digits.size(), number);
        return field.enum_type()->FindValueByNumber(number) != nullptr;
      }
      default:
        return false;
    }
  }
  // `text` is whole unless it is longer than every number, time and enum.
  static bool StringFits(const FieldDescriptor& field, const std::string& text) {
    switch (field.cpp_type()) {
      case FieldDescriptor::CPPTYPE_STRING:
        return true;
      case FieldDescriptor::CPPTYPE_ENUM:
        return field.enum_type()->FindValueByName(text) != nullptr;
      case FieldDescriptor::CPPTYPE_MESSAGE: {
        google::protobuf::Timestamp time;
        google::protobuf::Duration duration;
        if (IsTime(field)) return TimeUtil::FromString(text, &time);
        if (IsDuration(field)) return TimeUtil::FromString(text, &duration);
        return IsMask(field);
      }
      case FieldDescriptor::CPPTYPE_BOOL:
      case FieldDescriptor::CPPTYPE_DOUBLE:
      case FieldDescriptor::CPPTYPE_FLOAT:
        return false;
      default:
        return NumberFits(field, text);
    }
  }
  static std::string Expected(const FieldDescriptor& field) {
    switch (field.cpp_type()) {
      case FieldDescriptor::CPPTYPE_STRING:
        return field.type() == FieldDescriptor::TYPE_BYTES ? "expected bytes as base64 text" : "expected text";
      case FieldDescriptor::CPPTYPE_BOOL:
        return "expected true or false";
      case FieldDescriptor::CPPTYPE_INT32:
      case FieldDescriptor::CPPTYPE_UINT32:
        return "expected a whole number of 32 bits";
      case FieldDescriptor::CPPTYPE_INT64:
      case FieldDescriptor::CPPTYPE_UINT64:
        return "expected a whole number of 64 bits";
      case FieldDescriptor::CPPTYPE_DOUBLE:
      case FieldDescriptor::CPPTYPE_FLOAT:
        return "expected a number";
      case FieldDescriptor::CPPTYPE_ENUM: {
        std::string text = "expected one of ";
        for (int i = 0; i < field.enum_type()->value_count() && text.size() < kNamesShown; ++i) {
          if (i > 0) text += ", ";
          text += field.enum_type()->value(i)->name();
        }
        return text;
      }
      case FieldDescriptor::CPPTYPE_MESSAGE:
        if (IsTime(field)) return "expected a time such as 2026-01-15T10:30:00Z";
        if (IsDuration(field)) return "expected a duration such as 1.5s";
        if (IsMask(field)) return "expected names of fields, comma separated";
        return "expected a JSON object";
    }
    return "expected another kind of value";
  }

  std::string Path() const {
    std::string path(at_);
    for (const Frame& frame : frames_) {
      if (frame.index >= 0) {
        path += '[' + std::to_string(frame.index) + ']';
      } else if (frame.field != nullptr) {
        if (!path.empty()) path += '.';
        path += frame.field->json_name();
      }
    }
    return path.empty() ? "body" : path;
  }
  // Whether the field that frames_ lead to is one of `refused_`, whose paths have the contracts' names.
  bool IsRefused() const {
    if (refused_.empty()) return false;
    std::string path(at_);
    for (const Frame& frame : frames_) {
      if (frame.index >= 0) continue;
      if (!path.empty()) path += '.';
      path += frame.field->name();
    }
    return std::find(refused_.begin(), refused_.end(), path) != refused_.end();
  }
  bool Refuse(std::string_view why, json::error_code& error) {
    fault_ = rpc::InvalidField(Path(), why);
    error = json::error::syntax;  // stops the parser; fault_ says why
    return false;
  }

  const Descriptor& root_;
  const std::string_view at_;
  const std::vector<std::string_view>& refused_;
  std::vector<Frame> frames_;
  std::string text_;  // of the key, string or number at hand, its beginning at least
  std::optional<absl::Status> fault_;
  std::vector<std::string> root_fields_;
};

}  // namespace

absl::StatusOr<std::vector<std::string>> CheckJson(std::string_view text, const Descriptor& message,
                                                   std::string_view at, const std::vector<std::string_view>& refused) {
  json::parse_options options;
  options.max_depth = kMaxJsonDepth;
  json::basic_parser<Walker> parser(options, message, at, refused);
  json::error_code error;
  const std::size_t used = parser.write_some(false, text.data(), text.size(), error);
  Walker& walker = parser.handler();
  if (walker.fault()) return *walker.fault();
  const std::string_view where = at.empty() ? "body" : at;
  if (error == json::error::too_deep) return rpc::InvalidField(where, "nested too deeply");
  if (error || used != text.size()) return rpc::InvalidField(where, "expected one JSON object in UTF-8");
  return std::move(walker.root_fields());
}

}  // namespace medidesk::admin::rest
