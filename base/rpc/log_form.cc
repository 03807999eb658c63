#include "base/rpc/log_form.h"

#include <google/protobuf/descriptor.h>
#include <google/protobuf/duration.pb.h>
#include <google/protobuf/timestamp.pb.h>
#include <google/protobuf/util/time_util.h>

#include <vector>

#include "absl/strings/escaping.h"

#include "medidesk/options/v1/options.pb.h"

namespace medidesk::rpc {
namespace {

namespace pb = google::protobuf;

constexpr std::size_t kMaxString = 64;  // bytes
constexpr int kMaxDepth = 8;            // messages in messages
constexpr int kMaxItems = 8;            // of a repeated field

bool IsPublic(const pb::FieldDescriptor& field) {
  // An entry of a map is as public as the map.
  if (field.containing_type()->options().map_entry()) return true;
  return field.options().GetExtension(options::v1::sensitivity) == options::v1::SENSITIVITY_PUBLIC;
}

// The ranges their .proto files document; TimeUtil prints nothing sensible outside.
bool IsValid(const pb::Timestamp& time) {
  return time.seconds() >= pb::util::TimeUtil::kTimestampMinSeconds &&
         time.seconds() <= pb::util::TimeUtil::kTimestampMaxSeconds && time.nanos() >= 0 &&
         time.nanos() < 1'000'000'000;
}
bool IsValid(const pb::Duration& duration) {
  return duration.seconds() >= pb::util::TimeUtil::kDurationMinSeconds &&
         duration.seconds() <= pb::util::TimeUtil::kDurationMaxSeconds && std::abs(duration.nanos()) < 1'000'000'000;
}

class Writer {
 public:
  explicit Writer(std::size_t limit) : limit_(limit) {}

  void Message(const pb::Message& message, int depth) {
    if (const auto* time = dynamic_cast<const pb::Timestamp*>(&message); time != nullptr) {
      return Raw(IsValid(*time) ? pb::util::TimeUtil::ToString(*time) : "<invalid>");
    }
    if (const auto* duration = dynamic_cast<const pb::Duration*>(&message); duration != nullptr) {
      return Raw(IsValid(*duration) ? pb::util::TimeUtil::ToString(*duration) : "<invalid>");
    }
    if (depth > kMaxDepth) return Raw("{...}");
    std::vector<const pb::FieldDescriptor*> fields;
    message.GetReflection()->ListFields(message, &fields);
    Raw("{");
    for (std::size_t i = 0; i < fields.size() && !full(); ++i) {
      if (i > 0) Raw(" ");
      Raw(fields[i]->name() + "=");
      if (IsPublic(*fields[i])) {
        Field(message, *fields[i], depth);
      } else {
        Raw("<redacted>");
      }
    }
    Raw("}");
  }

  std::string Take() && {
    if (!full()) return std::move(out_);
    std::size_t end = limit_;
    while (end > 0 && (static_cast<unsigned char>(out_[end]) & 0xC0) == 0x80) --end;
    out_.resize(end);
    return out_ + "...}";
  }

 private:
  bool full() const { return out_.size() > limit_; }
  void Raw(std::string_view text) {
    if (!full()) out_ += text;
  }

  void Field(const pb::Message& message, const pb::FieldDescriptor& field, int depth) {
    if (!field.is_repeated()) return Value(message, field, -1, depth);
    const int size = message.GetReflection()->FieldSize(message, &field);
    Raw("[");
    for (int i = 0; i < size && i < kMaxItems && !full(); ++i) {
      if (i > 0) Raw(" ");
      Value(message, field, i, depth);
    }
    if (size > kMaxItems) Raw(" ... " + std::to_string(size) + " in all");
    Raw("]");
  }

  // The field's only value when `index` is -1.
  void Value(const pb::Message& message, const pb::FieldDescriptor& field, int index, int depth) {
    const pb::Reflection& reflection = *message.GetReflection();
    const bool one = index < 0;
    switch (field.cpp_type()) {
      case pb::FieldDescriptor::CPPTYPE_MESSAGE:
        return Message(
            one ? reflection.GetMessage(message, &field) : reflection.GetRepeatedMessage(message, &field, index),
            depth + 1);
      case pb::FieldDescriptor::CPPTYPE_STRING: {
        std::string scratch;
        const std::string& text = one ? reflection.GetStringReference(message, &field, &scratch)
                                      : reflection.GetRepeatedStringReference(message, &field, index, &scratch);
        if (field.type() == pb::FieldDescriptor::TYPE_BYTES) return Raw("<" + std::to_string(text.size()) + " bytes>");
        std::size_t end = std::min(text.size(), kMaxString);
        while (end < text.size() && end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80) --end;
        return Raw("\"" + absl::Utf8SafeCEscape(text.substr(0, end)) + (end < text.size() ? "..." : "") + "\"");
      }
      case pb::FieldDescriptor::CPPTYPE_ENUM: {
        const int number =
            one ? reflection.GetEnumValue(message, &field) : reflection.GetRepeatedEnumValue(message, &field, index);
        const pb::EnumValueDescriptor* value = field.enum_type()->FindValueByNumber(number);
        return Raw(value != nullptr ? value->name() : std::to_string(number));
      }
      case pb::FieldDescriptor::CPPTYPE_BOOL:
        return Raw((one ? reflection.GetBool(message, &field) : reflection.GetRepeatedBool(message, &field, index))
                       ? "true"
                       : "false");
      case pb::FieldDescriptor::CPPTYPE_INT32:
        return Raw(std::to_string(one ? reflection.GetInt32(message, &field)
                                      : reflection.GetRepeatedInt32(message, &field, index)));
      case pb::FieldDescriptor::CPPTYPE_INT64:
        return Raw(std::to_string(one ? reflection.GetInt64(message, &field)
                                      : reflection.GetRepeatedInt64(message, &field, index)));
      case pb::FieldDescriptor::CPPTYPE_UINT32:
        return Raw(std::to_string(one ? reflection.GetUInt32(message, &field)
                                      : reflection.GetRepeatedUInt32(message, &field, index)));
      case pb::FieldDescriptor::CPPTYPE_UINT64:
        return Raw(std::to_string(one ? reflection.GetUInt64(message, &field)
                                      : reflection.GetRepeatedUInt64(message, &field, index)));
      case pb::FieldDescriptor::CPPTYPE_FLOAT:
        return Raw(std::to_string(one ? reflection.GetFloat(message, &field)
                                      : reflection.GetRepeatedFloat(message, &field, index)));
      case pb::FieldDescriptor::CPPTYPE_DOUBLE:
        return Raw(std::to_string(one ? reflection.GetDouble(message, &field)
                                      : reflection.GetRepeatedDouble(message, &field, index)));
    }
  }

  const std::size_t limit_;
  std::string out_;
};

}  // namespace

std::string LogForm(const pb::Message& message, std::size_t max_bytes) {
  Writer writer(max_bytes);
  writer.Message(message, 0);
  return "message=" + std::move(writer).Take();
}

}  // namespace medidesk::rpc
