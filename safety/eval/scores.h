// Counts how often the gate and the class were right, by family and by language.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "safety/eval/dataset.h"
#include "safety/gate.h"

namespace medidesk::safety {

// `hits` of `all`.
struct Ratio {
  std::int64_t hits = 0, all = 0;
  void Add(bool hit) { hits += hit ? 1 : 0, ++all; }
  double value() const { return all == 0 ? 0 : static_cast<double>(hits) / static_cast<double>(all); }
};

// Wilson's score interval at 95 %; {0, 1} for nothing counted.
struct Interval {
  double low = 0, high = 1;
};
Interval Wilson(const Ratio& ratio);

class Scores {
 public:
  void Add(const EvalMessage& message, const Verdict& verdict);
  // The table for people.
  std::string Report() const;

  const Ratio& recall() const { return recall_; }
  const Ratio& near_miss_alarms() const { return near_miss_alarms_; }
  const Ratio& specificity() const { return specificity_; }
  const std::map<std::string, Ratio>& recall_by_language() const { return recall_by_language_; }
  const Ratio& labels() const { return labels_; }

 private:
  Ratio recall_, recall_with_lite_, specificity_, near_miss_alarms_, near_miss_lite_, labels_;
  std::map<std::string, Ratio> recall_by_language_, recall_by_family_, alarms_by_language_, alarms_by_family_,
      label_by_name_;
};

}  // namespace medidesk::safety
