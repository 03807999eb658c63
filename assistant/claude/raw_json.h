// JSON text that is passed on as it stands.
//
// Tool definitions, tool inputs and content blocks we do not know travel through the client
// byte for byte: the API's prompt cache breaks on any changed byte, property order included.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "base/status.h"

namespace medidesk::assistant::claude {

// Checked JSON text. Immutable; copying copies the text.
class RawJson {
 public:
  static constexpr std::size_t kMaxBytes = 1u << 20;
  static constexpr int kMaxDepth = 32;

  // `{}`.
  RawJson() : text_("{}") {}

  // INVALID_ARGUMENT unless `text` is one JSON value (UTF-8) within the limits.
  static absl::StatusOr<RawJson> Parse(std::string text);
  // The same, and the value must be an object or an array.
  static absl::StatusOr<RawJson> ParseObject(std::string text);
  static absl::StatusOr<RawJson> ParseArray(std::string text);

  const std::string& text() const { return text_; }

  friend bool operator==(const RawJson&, const RawJson&) = default;

 private:
  explicit RawJson(std::string text) : text_(std::move(text)) {}
  std::string text_;
};

// Appends `text` as a JSON string, quotes included. Bytes that are not UTF-8 become U+FFFD.
void AppendJsonString(std::string& out, std::string_view text);

}  // namespace medidesk::assistant::claude
