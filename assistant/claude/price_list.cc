#include "assistant/claude/price_list.h"

#include <algorithm>
#include <charconv>
#include <optional>

namespace medidesk::assistant::claude {
namespace {

constexpr std::size_t kMaxModels = 50;
constexpr double kMaxPrice = 100'000;
constexpr double kCacheRead = 0.1, kCacheWrite = 2;  // of the price of input

absl::Status Malformed() {
  return Error(absl::StatusCode::kInvalidArgument,
               "expected model=in/out, in US dollars for a million tokens, with commas between at most 50 models");
}

std::optional<double> NumberOf(std::string_view text) {
  double number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number, std::chars_format::fixed);
  if (error != std::errc() || end != text.data() + text.size() || !(number >= 0 && number <= kMaxPrice)) return {};
  return number;
}

}  // namespace

absl::StatusOr<PriceList> PriceList::Parse(std::string_view text) {
  PriceList list;
  while (!text.empty()) {
    const std::string_view entry = text.substr(0, text.find(','));
    text.remove_prefix(std::min(text.size(), entry.size() + 1));
    const std::size_t equals = entry.find('='), slash = entry.find('/');
    if (equals == std::string_view::npos || slash == std::string_view::npos || equals == 0 || slash < equals) {
      return Malformed();
    }
    const auto in = NumberOf(entry.substr(equals + 1, slash - equals - 1)), out = NumberOf(entry.substr(slash + 1));
    if (!in || !out || list.prices_.size() == kMaxModels) return Malformed();
    if (!list.prices_.emplace(std::string(entry.substr(0, equals)), Price{*in, *out}).second) return Malformed();
  }
  return list;
}

double PriceList::MicroUsd(std::string_view model, const Usage& usage) const {
  const auto found = prices_.find(model);
  if (found == prices_.end()) return 0;
  const double in = static_cast<double>(usage.input_tokens) +
                    kCacheRead * static_cast<double>(usage.cache_read_tokens) +
                    kCacheWrite * static_cast<double>(usage.cache_write_tokens);
  return found->second.in * in + found->second.out * static_cast<double>(usage.output_tokens);
}

}  // namespace medidesk::assistant::claude
