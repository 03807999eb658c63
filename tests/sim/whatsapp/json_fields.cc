#include "tests/sim/whatsapp/json_fields.h"

#include <boost/json/parse.hpp>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

namespace medidesk::whatsapp_sim {

namespace json = boost::json;

JsonFields::JsonFields(const json::value& value) : object_(value.if_object()) {
  if (object_ == nullptr) Fail("expected an object");
}

void JsonFields::Read(std::string_view key, std::string& target) {
  const json::value* value = Find(key);
  if (value == nullptr) return;
  if (!value->is_string()) return Fail(fmt::format("{}: expected a string", key));
  target.assign(value->get_string().data(), value->get_string().size());
}

void JsonFields::Read(std::string_view key, bool& target) {
  const json::value* value = Find(key);
  if (value == nullptr) return;
  if (!value->is_bool()) return Fail(fmt::format("{}: expected true or false", key));
  target = value->get_bool();
}

void JsonFields::Read(std::string_view key, std::int64_t& target, std::int64_t min, std::int64_t max) {
  const json::value* value = Find(key);
  if (value == nullptr) return;
  if (!value->is_int64() || value->get_int64() < min || value->get_int64() > max) {
    return Fail(fmt::format("{}: expected a whole number from {} to {}", key, min, max));
  }
  target = value->get_int64();
}

const json::value* JsonFields::Find(std::string_view key) {
  if (!status_.ok()) return nullptr;
  known_.push_back(key);
  return object_->if_contains(json::string_view(key.data(), key.size()));
}

void JsonFields::Fail(std::string_view text) {
  if (status_.ok()) status_ = Error(absl::StatusCode::kInvalidArgument, text);
}

absl::Status JsonFields::Finish() {
  if (!status_.ok()) return status_;
  for (const auto& field : *object_) {
    const std::string_view key(field.key().data(), field.key().size());
    if (std::find(known_.begin(), known_.end(), key) == known_.end()) {
      Fail(fmt::format("a field is not known; there are {}", fmt::join(known_, ", ")));
    }
  }
  return status_;
}

absl::StatusOr<json::value> ParseJson(std::string_view text) {
  if (text.empty()) return json::value(json::object());
  json::error_code error;
  json::parse_options options;
  options.max_depth = 200;
  json::value value = json::parse(json::string_view(text.data(), text.size()), error, {}, options);
  if (error) return Error(absl::StatusCode::kInvalidArgument, "the body is not valid JSON");
  return value;
}

}  // namespace medidesk::whatsapp_sim
