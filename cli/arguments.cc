#include "cli/arguments.h"

#include <fmt/format.h>

#include <algorithm>

namespace medidesk::cli {
namespace {

absl::Status Wrong(std::string_view text) { return Error(absl::StatusCode::kInvalidArgument, text); }

bool IsOption(std::string_view word) { return word.size() > 1 && word[0] == '-'; }

}  // namespace

Arguments::Arguments(std::vector<std::string> words) : words_(std::move(words)) {
  const auto end = std::find(words_.begin(), words_.end(), "--");
  if (end == words_.end()) return;
  verbatim_.assign(std::next(end), words_.end());
  words_.erase(end, words_.end());
}

bool Arguments::Switch(std::string_view name) { return std::erase(words_, name) > 0; }

absl::StatusOr<std::vector<std::string>> Arguments::Options(std::string_view name) {
  std::vector<std::string> values;
  const std::string with_equals = std::string(name) + "=";
  for (auto word = words_.begin(); word != words_.end();) {
    if (word->rfind(with_equals, 0) == 0) {
      values.push_back(word->substr(with_equals.size()));
      word = words_.erase(word);
    } else if (*word == name) {
      const auto value = std::next(word);
      if (value == words_.end() || IsOption(*value)) return Wrong(fmt::format("{} needs a value", name));
      values.push_back(*value);
      word = words_.erase(word, std::next(value));
    } else {
      ++word;
    }
  }
  return values;
}

absl::StatusOr<std::optional<std::string>> Arguments::Option(std::string_view name) {
  MD_ASSIGN_OR_RETURN(std::vector<std::string> values, Options(name));
  if (values.size() > 1) return Wrong(fmt::format("{} may stand only once", name));
  if (values.empty()) return std::optional<std::string>();
  return std::optional<std::string>(std::move(values.front()));
}

absl::StatusOr<std::optional<std::string>> Arguments::OptionalWord() {
  for (std::vector<std::string>* list : {&words_, &verbatim_}) {
    if (list->empty()) continue;
    if (list == &words_ && IsOption(list->front())) return Finish();
    std::optional<std::string> word = std::move(list->front());
    list->erase(list->begin());
    return word;
  }
  return std::optional<std::string>();
}

absl::StatusOr<std::string> Arguments::Word(std::string_view what) {
  MD_ASSIGN_OR_RETURN(std::optional<std::string> word, OptionalWord());
  if (!word) return Wrong(fmt::format("{} is missing", what));
  return *std::move(word);
}

absl::Status Arguments::Finish() const {
  for (const std::string& word : words_) {
    if (IsOption(word)) return Wrong("an option is not known, or lacks its word before it");
  }
  if (!words_.empty() || !verbatim_.empty()) return Wrong("there are words too many");
  return absl::OkStatus();
}

}  // namespace medidesk::cli
