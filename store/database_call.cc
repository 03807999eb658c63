#include "store/database_call.h"

#include <boost/json.hpp>
#include <google/protobuf/util/json_util.h>

#include <memory>

#include "base/rpc/error_details.h"
#include "medidesk/store/v1/common.pb.h"
#include "store/clean_text.h"

namespace medidesk::store {
namespace {

namespace json = boost::json;
using google::protobuf::FieldDescriptor;
using google::protobuf::Message;

void CleanStrings(Message* message) {
  const auto* reflection = message->GetReflection();
  std::vector<const FieldDescriptor*> fields;
  reflection->ListFields(*message, &fields);
  for (const FieldDescriptor* field : fields) {
    if (field->cpp_type() == FieldDescriptor::CPPTYPE_STRING && field->type() == FieldDescriptor::TYPE_STRING) {
      if (!field->is_repeated()) {
        reflection->SetString(message, field, CleanText(reflection->GetString(*message, field)));
        continue;
      }
      for (int i = 0; i < reflection->FieldSize(*message, field); ++i) {
        reflection->SetRepeatedString(message, field, i, CleanText(reflection->GetRepeatedString(*message, field, i)));
      }
    } else if (field->cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE && !field->is_map()) {
      if (!field->is_repeated()) {
        CleanStrings(reflection->MutableMessage(message, field));
        continue;
      }
      for (int i = 0; i < reflection->FieldSize(*message, field); ++i) {
        CleanStrings(reflection->MutableRepeatedMessage(message, field, i));
      }
    }
  }
}

struct CodeName {
  std::string_view name;
  absl::StatusCode code;
};
constexpr CodeName kCodes[] = {{"INVALID_ARGUMENT", absl::StatusCode::kInvalidArgument},
                               {"NOT_FOUND", absl::StatusCode::kNotFound},
                               {"ALREADY_EXISTS", absl::StatusCode::kAlreadyExists},
                               {"PERMISSION_DENIED", absl::StatusCode::kPermissionDenied},
                               {"RESOURCE_EXHAUSTED", absl::StatusCode::kResourceExhausted},
                               {"FAILED_PRECONDITION", absl::StatusCode::kFailedPrecondition},
                               {"ABORTED", absl::StatusCode::kAborted},
                               {"OUT_OF_RANGE", absl::StatusCode::kOutOfRange}};

absl::Status Unreadable() {
  return Error(absl::StatusCode::kInternal, "the database gave an answer of another version; update the store");
}

std::string Member(const json::object& object, const char* name) {
  const json::value* found = object.if_contains(name);
  return found != nullptr && found->is_string() ? std::string(found->get_string()) : std::string();
}

absl::Status ReadRefusal(const json::object& error) {
  const std::string name = Member(error, "code"), text = Member(error, "message"), reason = Member(error, "reason");
  for (const CodeName& code : kCodes) {
    if (code.name != name) continue;
    if (code.code == absl::StatusCode::kInvalidArgument) {
      if (const std::size_t colon = text.find(": "); colon != std::string::npos) {
        return rpc::InvalidField(text.substr(0, colon), text.substr(colon + 2));
      }
    }
    const absl::Status status = Error(code.code, text);
    return reason.empty() ? status : rpc::WithReason(status, reason);
  }
  return Unreadable();
}

}  // namespace

absl::StatusOr<std::string> RequestToJson(const rpc::Call& call, const Message& request) {
  const std::unique_ptr<Message> clean(request.New());
  clean->CopyFrom(request);
  if (const FieldDescriptor* field = clean->GetDescriptor()->FindFieldByName("actor");
      field != nullptr && call.principal.kind == rpc::Principal::Kind::kToken) {
    auto* actor =
        google::protobuf::DynamicCastToGenerated<v1::Actor>(clean->GetReflection()->MutableMessage(clean.get(), field));
    actor->set_kind(v1::ACTOR_KIND_TOKEN);
    actor->set_id(call.principal.id);
  }
  CleanStrings(clean.get());
  google::protobuf::util::JsonPrintOptions options;
  options.preserve_proto_field_names = true;
  std::string text;
  if (!google::protobuf::util::MessageToJsonString(*clean, &text, options).ok()) {
    return Error(absl::StatusCode::kInvalidArgument, "a time of the request is out of range");
  }
  return text;
}

absl::Status ReadAnswer(std::string_view text, Message* response) {
  // Only a refusal begins with its one member.
  if (constexpr std::string_view kError = "{\"error\""; text.substr(0, kError.size()) == kError) {
    boost::system::error_code error;
    const json::value value = json::parse(boost::core::string_view(text.data(), text.size()), error);
    if (error || !value.is_object() || !value.get_object().at("error").is_object()) return Unreadable();
    return ReadRefusal(value.get_object().at("error").get_object());
  }
  google::protobuf::util::JsonParseOptions options;
  options.ignore_unknown_fields = true;  // of a newer schema
  const auto parsed = google::protobuf::util::JsonStringToMessage(
      google::protobuf::StringPiece(text.data(), text.size()), response, options);
  return parsed.ok() ? absl::OkStatus() : Unreadable();
}

}  // namespace medidesk::store
