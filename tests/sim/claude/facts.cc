#include "tests/sim/claude/facts.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <set>
#include <vector>

namespace medidesk::claude_stub {
namespace {

constexpr std::size_t kMaxLines = 3;    // in an answer
constexpr double kNearlyAsGood = 0.75;  // of the best score, to be added to the answer
constexpr std::array kCommonWords = {"the",  "and",  "are",  "for",   "you",    "your",  "can",  "what",
                                     "how",  "does", "with", "when",  "where",  "which", "who",  "have",
                                     "has",  "this", "that", "there", "please", "from",  "will", "want",
                                     "need", "our",  "any",  "was",   "not",    "but",   "tell", "about"};

struct Line {
  std::string text;             // what is repeated
  std::set<std::string> words;  // what is compared
};

bool IsLetter(char c) {
  const auto byte = static_cast<unsigned char>(c);
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || byte >= 0x80;
}

std::string Lower(std::string_view text) {
  std::string lower(text);
  std::transform(lower.begin(), lower.end(), lower.begin(), [](char c) { return c >= 'A' && c <= 'Z' ? c + 32 : c; });
  return lower;
}

std::set<std::string> WordsOf(std::string_view text) {
  std::set<std::string> words;
  for (std::size_t i = 0; i < text.size();) {
    if (!IsLetter(text[i])) {
      ++i;
      continue;
    }
    std::size_t end = i;
    while (end < text.size() && IsLetter(text[end])) ++end;
    std::string word = Lower(text.substr(i, end - i));
    i = end;
    if (word.size() < 3 || std::find(kCommonWords.begin(), kCommonWords.end(), word) != kCommonWords.end()) continue;
    if (word.size() > 3 && word.back() == 's') word.pop_back();  // a plural is the same word
    words.insert(std::move(word));
  }
  return words;
}

std::string_view Trim(std::string_view text) {
  constexpr std::string_view kBlank = " \t\r";
  const std::size_t from = text.find_first_not_of(kBlank);
  if (from == std::string_view::npos) return {};
  return text.substr(from, text.find_last_not_of(kBlank) - from + 1);
}

std::string_view WithoutBullet(std::string_view text) {
  for (const std::string_view bullet : {"- ", "* ", "• "}) {
    if (text.starts_with(bullet)) return Trim(text.substr(bullet.size()));
  }
  return text;
}

std::vector<std::string_view> LinesOf(std::string_view text) {
  std::vector<std::string_view> lines;
  while (!text.empty()) {
    const std::size_t end = text.find('\n');
    if (const std::string_view line = Trim(text.substr(0, end)); !line.empty()) lines.push_back(line);
    text = end == std::string_view::npos ? std::string_view() : text.substr(end + 1);
  }
  return lines;
}

bool IsTag(std::string_view line) { return line.front() == '<' && line.back() == '>'; }
bool IsHeading(std::string_view line) { return line.front() == '#' || line.back() == ':' || IsTag(line); }

bool OpensFacts(std::string_view line) {
  if (!IsHeading(line) || line.starts_with("</")) return false;
  const std::string lower = Lower(line);
  return lower.find("facts") != std::string::npos || lower.find("knowledge") != std::string::npos;
}

// The lines between the heading or tag of the facts and its end; all lines without one.
std::vector<std::string_view> FactPart(const std::vector<std::string_view>& lines) {
  const auto opening = std::find_if(lines.begin(), lines.end(), OpensFacts);
  if (opening == lines.end()) return lines;
  auto end = lines.end();
  if (IsTag(*opening)) {
    const std::string closing = "</" + std::string(opening->substr(1, opening->find_first_of(" >") - 1)) + ">";
    end = std::find(opening, lines.end(), closing);
  }
  return {opening + 1, end};
}

std::vector<Line> ReadFacts(std::string_view system_text) {
  const std::vector<std::string_view> lines = FactPart(LinesOf(system_text));
  std::vector<Line> facts;
  for (std::size_t i = 0; i < lines.size(); ++i) {
    if (IsHeading(lines[i])) continue;
    std::string_view line = WithoutBullet(lines[i]);
    std::set<std::string> words = WordsOf(line);
    if (line.starts_with("Q:") && i + 1 < lines.size()) {
      line = WithoutBullet(lines[++i]);
      words.merge(WordsOf(line));
    }
    if (line.starts_with("A:")) line = Trim(line.substr(2));
    if (!line.empty()) facts.push_back({.text = std::string(line), .words = std::move(words)});
  }
  return facts;
}

}  // namespace

std::string AnswerFromFacts(std::string_view system_text, std::string_view user_text) {
  const std::vector<Line> facts = ReadFacts(system_text);
  std::map<std::string, double> weights;  // of the user's words: the rarer in the facts, the heavier
  for (const std::string& word : WordsOf(user_text)) {
    const auto holders =
        std::count_if(facts.begin(), facts.end(), [&](const Line& fact) { return fact.words.count(word) != 0; });
    if (holders > 0) weights[word] = std::log(1.0 + static_cast<double>(facts.size()) / static_cast<double>(holders));
  }
  std::vector<std::pair<double, std::size_t>> ranked;  // score, line
  for (std::size_t i = 0; i < facts.size(); ++i) {
    double score = 0;
    for (const auto& [word, weight] : weights) score += facts[i].words.count(word) != 0 ? weight : 0;
    if (score > 0) ranked.emplace_back(score, i);
  }
  if (ranked.empty()) return std::string(kNoFact);
  std::stable_sort(ranked.begin(), ranked.end(), [](const auto& a, const auto& b) { return a.first > b.first; });
  const double enough = ranked.front().first * kNearlyAsGood;
  std::string answer;
  for (std::size_t i = 0; i < std::min(kMaxLines, ranked.size()) && ranked[i].first >= enough; ++i) {
    if (!answer.empty()) answer += '\n';
    answer += facts[ranked[i].second].text;
  }
  return answer;
}

}  // namespace medidesk::claude_stub
