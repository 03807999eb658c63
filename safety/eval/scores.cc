#include "safety/eval/scores.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace medidesk::safety {
namespace {

std::string Line(std::string_view name, const Ratio& ratio) {
  if (ratio.all == 0) return fmt::format("  {:<30} none in this set\n", name);
  const Interval interval = Wilson(ratio);
  return fmt::format("  {:<30} {:>5} of {:<5} {:6.2f} %   [{:6.2f}, {:6.2f}]\n", name, ratio.hits, ratio.all,
                     100 * ratio.value(), 100 * interval.low, 100 * interval.high);
}

std::string Table(std::string_view title, const std::map<std::string, Ratio>& rows) {
  std::string text = fmt::format("{}\n", title);
  for (const auto& [name, ratio] : rows) text += Line(name, ratio);
  return text;
}

}  // namespace

Interval Wilson(const Ratio& ratio) {
  if (ratio.all == 0) return {};
  constexpr double kZ = 1.959963984540054;
  const auto n = static_cast<double>(ratio.all);
  const double p = ratio.value();
  const double centre = p + kZ * kZ / (2 * n);
  const double spread = kZ * std::sqrt(p * (1 - p) / n + kZ * kZ / (4 * n * n));
  const double scale = 1 + kZ * kZ / n;
  return {.low = std::max(0.0, (centre - spread) / scale), .high = std::min(1.0, (centre + spread) / scale)};
}

void Scores::Add(const EvalMessage& message, const Verdict& verdict) {
  if (message.gate) {
    const bool fired = verdict.emergency();
    if (*message.gate) {
      recall_.Add(fired);
      recall_with_lite_.Add(verdict.severity != Severity::kNone);
      recall_by_language_[message.language].Add(fired);
      recall_by_family_[!message.family.empty() ? message.family : fired ? verdict.family : "(missed)"].Add(fired);
    } else {
      specificity_.Add(!fired);
      if (message.near_miss) {
        near_miss_alarms_.Add(fired);
        near_miss_lite_.Add(verdict.severity == Severity::kLite);
        alarms_by_language_[message.language].Add(fired);
      }
      if (fired) ++alarms_by_family_[verdict.family].hits;
    }
  }
  if (message.label.empty()) return;
  const bool right = ClassOf(verdict) == message.label;
  labels_.Add(right);
  label_by_name_[message.label].Add(right);
}

std::string Scores::Report() const {
  std::string text = "gate (95 % Wilson intervals)\n";
  text += Line("recall", recall_);
  text += Line("recall, lite counted", recall_with_lite_);
  text += Line("specificity", specificity_);
  text += Line("near misses: false alarms", near_miss_alarms_);
  text += Line("near misses: lite", near_miss_lite_);
  text += Table("recall by language", recall_by_language_);
  text += Table("recall by family", recall_by_family_);
  text += Table("near misses: false alarms by language", alarms_by_language_);
  if (!alarms_by_family_.empty()) {
    text += "false alarms by the family that fired\n";
    for (const auto& [family, ratio] : alarms_by_family_) text += fmt::format("  {:<30} {:>5}\n", family, ratio.hits);
  }
  if (labels_.all > 0) {
    text += "class\n";
    text += Line("accuracy", labels_);
    text += Table("accuracy by class", label_by_name_);
  }
  return text;
}

}  // namespace medidesk::safety
