#include "assistant/facts/question.h"

#include <algorithm>
#include <unordered_map>
#include <unordered_set>

#include "assistant/facts/words.h"
#include "safety/normalise.h"

namespace medidesk::assistant {
namespace {

using Group = std::unordered_set<std::string>;

// Words by group; two words in a row are joined by a space.
const std::unordered_map<std::string, Group>& Groups() {
  static const auto* const groups = [] {
    auto* made = new std::unordered_map<std::string, Group>;
    for (const std::string_view row : QuestionRows()) {
      const std::size_t bar = row.find(" | ");
      Group& group = (*made)[std::string(row.substr(0, bar))];
      std::string_view rest = row.substr(bar + 3);
      while (!rest.empty()) {
        const std::size_t space = std::min(rest.find(' '), rest.size());
        std::string folded;
        const safety::Words words = safety::Normalise(rest.substr(0, space));
        for (const safety::Token& token : words.tokens) {
          if (!folded.empty()) folded += ' ';
          folded += words.Text(token);
        }
        if (!folded.empty()) group.insert(std::move(folded));
        rest.remove_prefix(std::min(space + 1, rest.size()));
      }
    }
    return made;
  }();
  return *groups;
}

const Group& GroupOf(const char* name) {
  static const Group kNone;
  const auto found = Groups().find(name);
  return found == Groups().end() ? kNone : found->second;
}

int CountIn(const Group& group, const std::vector<std::string>& folded) {
  int count = 0;
  for (std::size_t i = 0; i < folded.size(); ++i) {
    if (group.contains(folded[i]) || (i + 1 < folded.size() && group.contains(folded[i] + " " + folded[i + 1])))
      ++count;
  }
  return count;
}

Social SocialOf(const std::vector<std::string>& folded) {
  if (folded.empty() || folded.size() > 12) return Social::kNone;
  const Group &greeting = GroupOf("greeting"), &thanks = GroupOf("thanks"), &bye = GroupOf("bye"),
              &filler = GroupOf("filler");
  int greets = 0, thank = 0, byes = 0;
  for (const std::string& word : folded) {
    if (thanks.contains(word)) {
      ++thank;
    } else if (bye.contains(word)) {
      ++byes;
    } else if (greeting.contains(word)) {
      ++greets;
    } else if (!filler.contains(word)) {
      return Social::kNone;
    }
  }
  if (thank > 0) return Social::kThanks;
  if (byes > 0) return Social::kBye;
  return greets > 0 ? Social::kGreeting : Social::kNone;
}

bool HasNumber(const std::vector<std::string>& folded) {
  for (const std::string& word : folded) {
    if (word.find_first_of("0123456789") != std::string::npos) return true;
  }
  return false;
}

bool WantsAdvice(const Question& question) {
  const std::vector<std::string>& folded = question.folded;
  const auto has = [&](const char* group) { return CountIn(GroupOf(group), folded) > 0; };
  const bool drug = has("drug"), dose = has("dose"), symptom = has("symptom"), measure = has("measure"),
             judge = has("judge"), take = has("take"), treat = has("treat"), opinion = has("opinion");
  // Things a desk is asked for: then a symptom or a test only says what for.
  const bool desk = question.HasAny({"doctor", "appointment", "department", "specialist", "fee", "hour", "where",
                                     "phone", "consultation", "vaccination", "insurance", "checkup", "accept",
                                     "certificate", "video", "complaint", "job"});
  const bool medicine = question.Has("medicine") || drug || dose;
  const bool shop = question.HasAny({"pharmacy", "home", "prescription", "fee", "bring", "refund"});

  // The hospital's preparation sheet may say what to eat before a test.
  if (question.Has("fast") && question.Has("test") && !drug && !dose && !judge && !symptom && !HasNumber(folded))
    return false;
  if (dose && (drug || take || opinion || HasNumber(folded))) return true;
  if (drug && !(shop && !take)) return true;
  if (medicine && (take || judge || symptom || treat) && !shop) return true;
  if (measure && (judge || HasNumber(folded) || take)) return true;
  if (symptom && (!desk || judge || take || treat)) return true;
  if (treat && (symptom || judge || opinion || !desk)) return true;
  if (judge && opinion && question.HasAny({"report", "test", "scan", "blood", "pregnancy"}) && !desk) return true;
  return false;
}

}  // namespace

Question ReadQuestion(std::string_view text, int today) {
  Question question;
  question.text = std::string(text);
  const safety::Words words = safety::Normalise(text);
  question.folded.reserve(words.tokens.size());
  for (const safety::Token& token : words.tokens) question.folded.emplace_back(words.Text(token));
  question.words = IndexWords(text);
  question.set = {question.words.begin(), question.words.end()};
  question.social = SocialOf(question.folded);
  question.wants_advice = WantsAdvice(question);

  for (int day = 1; day <= 7; ++day) {
    const char name[2] = {static_cast<char>('0' + day), '\0'};
    if (CountIn(GroupOf(name), question.folded) > 0) {
      question.weekday = day;
      break;
    }
  }
  question.today = CountIn(GroupOf("today"), question.folded) > 0;
  for (std::size_t i = 0; i < question.folded.size(); ++i) {
    // "por la mañana" is the morning.
    if (GroupOf("tomorrow").contains(question.folded[i]) && (i == 0 || question.folded[i - 1] != "la")) {
      question.tomorrow = true;
    }
  }
  if (question.weekday == 0 && question.tomorrow) question.weekday = today % 7 + 1;
  if (question.weekday == 0 && question.today) question.weekday = today;
  return question;
}

}  // namespace medidesk::assistant
