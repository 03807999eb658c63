#include "safety/eval/dataset.h"

#include <boost/json.hpp>
#include <fmt/format.h>
#include <openssl/sha.h>

#include <array>

namespace medidesk::safety {
namespace {

namespace json = boost::json;

// The first byte of the text's SHA-256 below this: held out.
constexpr unsigned kHeldOutBelow = 77;

bool HeldOut(const std::vector<std::string>& burst) {
  std::string text;
  for (const std::string& message : burst) text += (text.empty() ? "" : "\n") + message;
  std::array<unsigned char, SHA256_DIGEST_LENGTH> digest;
  SHA256(reinterpret_cast<const unsigned char*>(text.data()), text.size(), digest.data());
  return digest[0] < kHeldOutBelow;
}

std::string StringOf(const json::object& row, std::string_view name) {
  const json::value* value = row.if_contains(json::string_view(name.data(), name.size()));
  if (value == nullptr || !value->is_string()) return {};
  return std::string(value->get_string().data(), value->get_string().size());
}

bool Fires(std::string_view word) {
  return word == "emergency" || word == "fire" || word == "fires" || word == "yes" || word == "true" || word == "hit";
}

}  // namespace

absl::StatusOr<std::vector<EvalMessage>> ParseEvalSet(std::string_view jsonl) {
  std::vector<EvalMessage> messages;
  int number = 0;
  while (!jsonl.empty()) {
    const auto end = jsonl.find('\n');
    const std::string_view line = jsonl.substr(0, end);
    jsonl.remove_prefix(end == std::string_view::npos ? jsonl.size() : end + 1);
    ++number;
    if (line.find_first_not_of(" \t\r") == std::string_view::npos) continue;
    const auto wrong = [&](std::string_view what) {
      return Error(absl::StatusCode::kInvalidArgument, fmt::format("line {}: {}", number, what));
    };
    json::error_code error;
    const json::value parsed = json::parse(json::string_view(line.data(), line.size()), error);
    if (error || !parsed.is_object()) return wrong("expected one JSON object");
    const json::object& row = parsed.get_object();
    EvalMessage message;
    message.id = StringOf(row, "id");
    if (message.id.empty()) message.id = std::to_string(number);
    if (const json::value* burst = row.if_contains("burst"); burst != nullptr && burst->is_array()) {
      for (const json::value& text : burst->get_array()) {
        if (!text.is_string()) return wrong("burst: expected texts");
        message.burst.emplace_back(text.get_string().data(), text.get_string().size());
      }
    } else if (const json::value* text = row.if_contains("text"); text != nullptr && text->is_string()) {
      message.burst.push_back(StringOf(row, "text"));
    }
    if (message.burst.empty()) return wrong("expected `text` or `burst`");
    if (const std::string language = StringOf(row, "lang"); !language.empty()) message.language = language;
    message.label = StringOf(row, "class");
    message.family = StringOf(row, "family");
    if (const json::value* gate = row.if_contains("gate"); gate != nullptr) {
      if (gate->is_bool()) message.gate = gate->get_bool();
      if (gate->is_int64()) message.gate = gate->get_int64() != 0;
      if (gate->is_string()) {
        message.gate_word = StringOf(row, "gate");
        message.gate = Fires(message.gate_word);
      }
    }
    if (!message.gate && !message.label.empty()) message.gate = message.label == "emergency";
    const json::value* near_miss = row.if_contains("near_miss");
    message.near_miss = (near_miss != nullptr && near_miss->is_bool() && near_miss->get_bool()) ||
                        message.label == "near_miss" || message.label == "near-miss";
    message.held_out = HeldOut(message.burst);
    messages.push_back(std::move(message));
  }
  return messages;
}

std::string PredictionLine(const EvalMessage& message, std::string_view severity, std::string_view label) {
  const bool fires = severity == "emergency";
  json::object row;
  row["id"] = message.id;
  const std::string& word = message.gate_word;
  if (word.empty()) {
    row["gate"] = fires;
  } else if (word == "fire" || word == "pass") {
    row["gate"] = fires ? "fire" : "pass";
  } else if (word == "yes" || word == "no") {
    row["gate"] = fires ? "yes" : "no";
  } else {
    row["gate"] = json::string(severity.data(), severity.size());
  }
  row["class"] = json::string(label.data(), label.size());
  return json::serialize(row);
}

}  // namespace medidesk::safety
