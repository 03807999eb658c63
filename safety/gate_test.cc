#include "safety/gate.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <cstdio>
#include <map>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "safety/normalise.h"
#include "safety/testing/forty.h"
#include "safety/testing/messages.h"

namespace medidesk::safety {
namespace {

using testing::kBenign;
using testing::kEmergencies;
using testing::kForty;
using testing::kIntents;
using testing::Want;

const Gate& TheGate() {
  static const Gate gate = [] {
    auto made = Gate::Make(EmbeddedTables());
    if (!made.ok()) ADD_FAILURE() << Text(made.status());
    return *std::move(made);
  }();
  return gate;
}

Verdict Screen(std::string_view text) { return TheGate().Screen(text); }

TEST(Gate, GivesEachOfTheFortyMessagesItsClass) {
  for (const auto& message : kForty) {
    SCOPED_TRACE(message.number);
    const Verdict verdict = Screen(message.text);
    EXPECT_EQ(verdict.emergency(), message.label == "emergency") << verdict.rule_id;
    if (message.label != "emergency") {
      EXPECT_EQ(verdict.severity, Severity::kNone) << verdict.rule_id;
    }
    EXPECT_EQ(verdict.opt_out, message.label == "opt-out") << verdict.rule_id;
    EXPECT_EQ(verdict.threat, message.number == 36) << verdict.rule_id;
    EXPECT_EQ(verdict.human_request, message.number == 27) << verdict.rule_id;
  }
}

TEST(Gate, FiresOnEmergenciesInEveryLanguageAndNamesTheFamily) {
  std::map<std::string_view, std::pair<int, int>> found;  // language: fired, all
  for (const auto& message : kEmergencies) {
    const Verdict verdict = Screen(message.text);
    auto& [fired, all] = found[message.language];
    ++all;
    if (verdict.emergency()) ++fired;
    EXPECT_TRUE(verdict.emergency()) << message.language << ": " << message.text;
    EXPECT_EQ(verdict.family, message.family) << verdict.rule_id << ": " << message.text;
    EXPECT_FALSE(verdict.language.empty());
    EXPECT_EQ(verdict.table_version, TheGate().table_version());
  }
  for (const auto& [language, counts] : found) {
    std::printf("recall %-8.*s %d of %d\n", static_cast<int>(language.size()), language.data(), counts.first,
                counts.second);
    EXPECT_GE(counts.second, 12) << language;
  }
  EXPECT_EQ(found.size(), 7u);
}

TEST(Gate, HasTheCoreFamiliesInEveryLanguage) {
  const std::set<std::string_view> core = {"chest_pain", "breathing", "stroke",    "bleeding",  "unconscious",
                                           "overdose",   "self_harm", "pregnancy", "baby_fever"};
  std::map<std::string_view, std::set<std::string_view>> families;
  for (const auto& message : kEmergencies) families[message.language].insert(message.family);
  for (const auto& [language, seen] : families) EXPECT_THAT(seen, ::testing::IsSupersetOf(core)) << language;
}

TEST(Gate, LetsHarmlessMessagesPass) {
  std::map<std::string_view, std::pair<int, int>> counts;  // language: false alarms, all
  for (const auto& message : kBenign) {
    const Verdict verdict = Screen(message.text);
    auto& [alarms, all] = counts[message.language];
    ++all;
    if (verdict.severity != Severity::kNone) ++alarms;
    EXPECT_EQ(verdict.severity, Severity::kNone) << verdict.rule_id << ": " << message.text;
    EXPECT_TRUE(verdict.family.empty());
  }
  for (const auto& [language, count] : counts) {
    std::printf("false alarms %-8.*s %d of %d\n", static_cast<int>(language.size()), language.data(), count.first,
                count.second);
  }
}

TEST(Gate, TellsHumanRequestsOptOutsAndThreatsFromTheirNeighbours) {
  for (const auto& message : kIntents) {
    const Verdict verdict = Screen(message.text);
    EXPECT_EQ(verdict.human_request, message.want == Want::kHuman) << message.text;
    EXPECT_EQ(verdict.opt_out, message.want == Want::kOptOut) << message.text;
    EXPECT_EQ(verdict.threat, message.want == Want::kThreat) << message.text;
    EXPECT_EQ(verdict.quiet(), message.want == Want::kNothing) << verdict.rule_id << ": " << message.text;
  }
}

TEST(Gate, LetsTheEmergencyWinOverEveryIntent) {
  const Verdict verdict = Screen("STOP. let me talk to a real person, dad is unconscious");
  EXPECT_TRUE(verdict.emergency());
  EXPECT_EQ(verdict.family, "unconscious");
  EXPECT_EQ(verdict.rule_id, "unconscious.word");
  EXPECT_TRUE(verdict.human_request);
  EXPECT_FALSE(verdict.opt_out);
}

TEST(Gate, IsUnsureAboutWhatMayBeAnEmergency) {
  for (const std::string_view text :
       {"I don't want to kill myself", "I tried to kill myself last year", "symptoms of heart attack in my father",
        "my baby has a fever", "he banged his head", "my gums are bleeding", "the chest pain is gone now",
        "in 2019 I had a heart attack, my chest feels tight sometimes"}) {
    EXPECT_EQ(Screen(text).severity, Severity::kLite) << text << " " << Screen(text).rule_id;
  }
}

TEST(Gate, DoesNotLetALaterDenialHideAnEmergency) {
  for (const std::string_view text :
       {"no fever, chest pain since morning", "No, chest pain is worse", "not feeling well chest pain",
        "no chest pain but I cannot breathe", "I have no idea why but my chest hurts",
        "cant come today, severe chest pain", "dont know what to do she is not breathing"}) {
    EXPECT_TRUE(Screen(text).emergency()) << text;
  }
}

TEST(Gate, ReadsABurstAsOneText) {
  EXPECT_FALSE(Screen("my chest").emergency());
  EXPECT_FALSE(Screen("hurts a lot").emergency());
  EXPECT_TRUE(Screen("my chest\nhurts a lot").emergency());
}

// The code points of `text`.
std::vector<std::string> CodePoints(std::string_view text) {
  std::vector<std::string> points;
  for (const char c : text) {
    if ((static_cast<unsigned char>(c) & 0xC0) != 0x80) points.emplace_back();
    points.back() += c;
  }
  return points;
}

bool AsciiLetter(const std::string& point) {
  return point.size() == 1 && ((point[0] >= 'a' && point[0] <= 'z') || (point[0] >= 'A' && point[0] <= 'Z'));
}

using Mutation = std::string (*)(std::string_view);

std::string UpperCase(std::string_view text) {
  std::string out(text);
  for (char& c : out) {
    if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 32);
  }
  return out;
}

std::string ZeroWidth(std::string_view text) {
  std::string out;
  for (const auto& point : CodePoints(text)) out += point + "\u200B";
  return out;
}

std::string TripleLetters(std::string_view text) {
  std::string out;
  for (const auto& point : CodePoints(text)) {
    out += point;
    if (AsciiLetter(point)) out += point + point;
  }
  return out;
}

std::string FullWidth(std::string_view text) {
  std::string out;
  for (const auto& point : CodePoints(text)) {
    const char c = point[0];
    if (point.size() > 1 || c < 0x30 || c > 0x7E) {
      out += point;
      continue;
    }
    const int wide = 0xFF01 + (c - 0x21);
    out += static_cast<char>(0xE0 | (wide >> 12));
    out += static_cast<char>(0x80 | ((wide >> 6) & 0x3F));
    out += static_cast<char>(0x80 | (wide & 0x3F));
  }
  return out;
}

std::string EmojiBetweenWords(std::string_view text) {
  std::string out;
  for (const char c : text) out += c == ' ' ? " \U0001F62D " : std::string(1, c);
  return out + "\U0001F198!!!";
}

std::string CurlyApostrophes(std::string_view text) {
  std::string out;
  for (const char c : text) out += c == '\'' ? "\u2019" : std::string(1, c);
  return out;
}

std::string ArabicVowelSigns(std::string_view text) {
  std::string out;
  for (const auto& point : CodePoints(text)) {
    out += point;
    if (point.size() == 2 && static_cast<unsigned char>(point[0]) >= 0xD8) out += "\u064E";
  }
  return out;
}

std::string InvalidBytes(std::string_view text) {
  std::string out = "\xFF\xC0";
  for (const auto& point : CodePoints(text)) out += point + "\xFE";
  return out;
}

TEST(Gate, IsNotDefeatedByHowAMessageIsTyped) {
  const std::array<std::pair<const char*, Mutation>, 8> mutations = {{{"upper case", UpperCase},
                                                                      {"zero-width", ZeroWidth},
                                                                      {"triple letters", TripleLetters},
                                                                      {"full-width", FullWidth},
                                                                      {"emoji", EmojiBetweenWords},
                                                                      {"curly apostrophes", CurlyApostrophes},
                                                                      {"vowel signs", ArabicVowelSigns},
                                                                      {"invalid bytes", InvalidBytes}}};
  for (const auto& [name, mutate] : mutations) {
    for (const auto& message : kEmergencies) {
      EXPECT_TRUE(Screen(mutate(message.text)).emergency()) << name << ": " << mutate(message.text);
    }
    for (const auto& message : kBenign) {
      EXPECT_FALSE(Screen(mutate(message.text)).emergency()) << name << ": " << mutate(message.text);
    }
  }
}

// One slip in the longest word, at every inner place: left out, doubled neighbour swapped, replaced.
TEST(Gate, ForgivesOneSlipInALongWord) {
  int tried = 0, fired = 0;
  for (const auto& message : kEmergencies) {
    if (message.language == "hi" || message.language == "ar") continue;
    const std::string text(message.text);
    std::size_t begin = 0, size = 0;
    for (std::size_t i = 0; i < text.size();) {
      std::size_t end = i;
      while (end < text.size() && AsciiLetter(text.substr(end, 1))) ++end;
      if (end - i > size) begin = i, size = end - i;
      i = end + 1;
    }
    if (size < 6) continue;
    for (std::size_t at = begin + 1; at + 1 < begin + size; ++at) {
      std::string without = text, swapped = text, replaced = text;
      without.erase(at, 1);
      std::swap(swapped[at], swapped[at + 1]);
      replaced[at] = 'q';
      for (const auto& typed : {without, swapped, replaced}) {
        ++tried;
        if (Screen(typed).emergency()) ++fired;
      }
    }
  }
  std::printf("recall with a slip in the longest word %d of %d\n", fired, tried);
  EXPECT_GT(tried, 1000);
  EXPECT_GE(fired * 100, tried * 95);
}

TEST(Gate, IsSafeOnAnyBytes) {
  std::string bytes;
  unsigned state = 1;
  for (int i = 0; i < 200'000; ++i) {
    state = state * 1664525u + 1013904223u;
    bytes += static_cast<char>(state >> 24);
  }
  Screen(bytes);
  Screen(std::string(100'000, 'a'));
  Screen(std::string(100'000, '\0'));
  std::string emergency;
  while (emergency.size() < 70'000) emergency += "no chest pain, ";
  EXPECT_FALSE(Screen(emergency).emergency());
  EXPECT_TRUE(Screen("chest pain " + bytes).emergency());
  EXPECT_EQ(Screen("").severity, Severity::kNone);
}

TEST(Gate, AnswersTheSameFromManyThreads) {
  std::vector<std::thread> threads;
  std::array<int, 4> fired{};
  for (std::size_t i = 0; i < fired.size(); ++i) {
    threads.emplace_back([&fired, i] {
      for (const auto& message : kEmergencies) fired[i] += Screen(message.text).emergency() ? 1 : 0;
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_THAT(fired, ::testing::Each(static_cast<int>(std::size(kEmergencies))));
}

}  // namespace
}  // namespace medidesk::safety
