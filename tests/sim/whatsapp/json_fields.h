// Reads the fields of one JSON object; the first mistake is kept and the fields after it are left alone. A field that
// nobody asked for is a mistake too, so that a typing error in a test is not taken for silence.
#pragma once

#include <boost/json/object.hpp>
#include <boost/json/value.hpp>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"

namespace medidesk::whatsapp_sim {

class JsonFields {
 public:
  // `value` outlives it.
  explicit JsonFields(const boost::json::value& value);

  void Read(std::string_view key, std::string& target);
  void Read(std::string_view key, bool& target);
  void Read(std::string_view key, std::int64_t& target, std::int64_t min, std::int64_t max);
  // nullptr when absent.
  const boost::json::value* Find(std::string_view key);
  void Fail(std::string_view text);
  // The first mistake, an unknown field included; INVALID_ARGUMENT.
  absl::Status Finish();

 private:
  const boost::json::object* object_;
  absl::Status status_;
  std::vector<std::string_view> known_;
};

// INVALID_ARGUMENT when it is no JSON; an empty text is an empty object.
absl::StatusOr<boost::json::value> ParseJson(std::string_view text);

}  // namespace medidesk::whatsapp_sim
