// Every rule of the table is needed: for each one there is a message that comes out otherwise without it.
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <iterator>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "safety/eval/dataset.h"
#include "safety/gate.h"
#include "safety/testing/messages.h"
#include "safety/testing/rule_examples.h"

namespace medidesk::safety {
namespace {

// Of the sets in tests/eval, the messages of the unit tests, and the rules' own examples.
std::vector<std::string> Messages() {
  std::vector<std::string> all;
  for (const auto& example : testing::kRuleExamples) all.emplace_back(example.text);
  for (const auto& message : testing::kEmergencies) all.emplace_back(message.text);
  for (const auto& message : testing::kIntents) all.emplace_back(message.text);
  for (const char* file : {"tests/eval/development.jsonl", "tests/eval/rounds.jsonl"}) {
    std::ifstream in(file, std::ios::binary);
    const std::string content((std::istreambuf_iterator<char>(in)), std::istreambuf_iterator<char>());
    const auto set = ParseEvalSet(content);
    EXPECT_TRUE(set.ok() && !set->empty()) << file;
    if (!set.ok()) continue;
    for (const EvalMessage& message : *set) {
      std::string text;
      for (const std::string& part : message.burst) text += (text.empty() ? "" : "\n") + part;
      all.push_back(std::move(text));
    }
  }
  return all;
}

TEST(Tables, HaveNoRuleThatCouldBeRemovedUnnoticed) {
  const auto made = Gate::Make(EmbeddedTables());
  ASSERT_TRUE(made.ok()) << Text(made.status());
  const Gate& gate = *made;
  std::set<std::string> needed;
  for (const std::string& text : Messages()) {
    const Verdict verdict = gate.Screen(text);
    for (const Rule& rule : gate.tables().rules) {
      if (needed.contains(rule.id)) continue;
      const bool red_flag = rule.outcome == Outcome::kEmergency || rule.outcome == Outcome::kLite;
      // Only what the rule may have decided can come out otherwise.
      if (red_flag ? verdict.rule_id != rule.id : !verdict.Has(rule.outcome)) continue;
      const Verdict without = gate.Screen(text, rule.id);
      if (without.severity != verdict.severity || without.family != verdict.family ||
          without.intents != verdict.intents) {
        needed.insert(rule.id);
      }
    }
  }
  int unneeded = 0;
  for (const Rule& rule : gate.tables().rules) {
    if (needed.contains(rule.id)) continue;
    ADD_FAILURE() << rule.id << ": no message needs it";
    ++unneeded;
  }
  std::printf("%zu of %zu rules are needed\n", needed.size(), gate.tables().rules.size());
  EXPECT_EQ(unneeded, 0);
}

TEST(Tables, HaveExamplesThatFireAsTheySay) {
  const auto gate = Gate::Make(EmbeddedTables());
  ASSERT_TRUE(gate.ok());
  for (const auto& example : testing::kRuleExamples) {
    const Verdict verdict = gate->Screen(example.text);
    EXPECT_EQ(Name(verdict.severity), example.severity) << example.text << " " << verdict.rule_id;
  }
}

}  // namespace
}  // namespace medidesk::safety
