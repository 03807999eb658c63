// A file of any good facts is read back as equal facts and written again as the same bytes.
#include <fmt/format.h>
#include <google/protobuf/util/message_differencer.h>
#include <gtest/gtest.h>

#include <fstream>
#include <random>
#include <sstream>

#include "base/status.h"
#include "store/knowledge/hospital_file.h"

namespace medidesk::store {
namespace {

using google::protobuf::util::MessageDifferencer;

Facts Sample() {
  std::ifstream file("examples/hospital.yaml");  // tests run in the repository's root
  std::ostringstream text;
  text << file.rdbuf();
  auto facts = ParseHospitalFile(text.str(), "examples/hospital.yaml");
  EXPECT_TRUE(facts.ok()) << Text(facts.status());
  return facts.ok() ? *std::move(facts) : Facts();
}

void ExpectRoundTrip(const Facts& facts) {
  const std::string file = WriteHospitalFile(facts);
  const auto again = ParseHospitalFile(file, "again.yaml");
  ASSERT_TRUE(again.ok()) << Text(again.status()) << "\n" << file;
  ASSERT_TRUE(MessageDifferencer::Equals(facts, *again)) << file;
  ASSERT_EQ(WriteHospitalFile(*again), file);
}

// Texts that YAML has a meaning for, and characters that editors and parsers treat as something else.
class OddTexts {
 public:
  explicit OddTexts(unsigned seed) : random_(seed) {}

  int Below(int limit) { return static_cast<int>(random_() % static_cast<unsigned>(limit)); }

  std::string Line(int most_pieces) {
    static constexpr const char* kPieces[] = {
        "a",        "word",   " ",       "  ",         ":",          ": ",
        " #",       "#",      "-",       "- ",         "? ",         "|",
        ">",        "\"",     "'",       "\\",         "\\n",        "\\u00",
        "{",        "}",      "[",       "]",          ",",          "&a",
        "*a",       "!x",     "%",       "@",          "`",          "~",
        "null",     "yes",    "No",      "0x1F",       "1e3",        "1_000",
        "12:30:00", "=",      "<<",      "---",        "...",        "%YAML",
        "0o7",      ".5",     "é",       "नमस्ते",       "مرحبا",      "中",
        "😀",        "\u00A0", "\u2028",  "\u2029",     "\u0085",     "\uFEFF",
        "\u200B",   "\t",     "e\u0301", "\U0010FFFD", "2027-01-26", "Mon 09:00-10:00",
        "key: |",   "- |-",   "true",    ".inf",       "!!str x"};
    std::string text;
    for (int pieces = 1 + Below(most_pieces); pieces > 0; --pieces) {
      text += kPieces[Below(static_cast<int>(std::size(kPieces)))];
    }
    return text;
  }
  std::string Lines(int most_lines) {
    std::string text = Line(6);
    for (int lines = Below(most_lines); lines > 0; --lines) text += "\n" + (Below(4) == 0 ? "" : Line(6));
    return text;
  }

 private:
  std::mt19937 random_;
};

TEST(HospitalFileRoundTrip, KeepsTheSampleHospital) {
  const Facts sample = Sample();
  ASSERT_GT(sample.faqs_size(), 50);
  ExpectRoundTrip(sample);
}

// One hospital with a row of each kind, whose keys YAML would take for something else.
Facts Small() {
  Facts facts;
  *facts.mutable_hospital() = Sample().hospital();
  v1::Department* department = facts.add_departments();
  department->set_key("null");
  department->set_name("Cardiology");
  v1::Doctor* doctor = facts.add_doctors();
  doctor->set_key("no");
  doctor->set_name("Asha Rao");
  doctor->set_department_key("null");
  v1::Faq* faq = facts.add_faqs();
  faq->set_key("1e3");
  faq->set_category("on");
  faq->set_question("Is there parking?");
  faq->set_answer("Yes.");
  faq->set_language(facts.hospital().default_language());
  v1::VisitingHours* area = facts.add_visiting_hours();
  area->set_key("y");
  area->set_area("ICU");
  return facts;
}

void MakeOdd(OddTexts& odd, Facts* facts) {
  v1::Hospital* hospital = facts->mutable_hospital();
  switch (odd.Below(10)) {
    case 0:
      return hospital->set_about(odd.Lines(5));
    case 1:
      return hospital->set_address(odd.Line(5));
    case 2:
      return hospital->add_insurers(odd.Line(4));
    case 3:
      return facts->mutable_departments(0)->set_description(odd.Lines(4));
    case 4:
      return facts->mutable_departments(0)->add_aliases(odd.Line(4));
    case 5:
      return facts->mutable_doctors(0)->set_consultation_fee(odd.Line(4));
    case 6: {
      v1::RosterEntry* entry = facts->mutable_doctors(0)->add_roster();
      entry->set_weekday(static_cast<v1::Weekday>(1 + odd.Below(7)));
      entry->set_start_minute(odd.Below(1440));
      entry->set_end_minute(entry->start_minute() + 1 + odd.Below(600));
      return entry->set_room(odd.Below(2) == 0 ? "" : odd.Line(2));
    }
    case 7:
      return facts->mutable_faqs(0)->set_answer(odd.Lines(6));
    case 8:
      return facts->mutable_visiting_hours(0)->set_note(odd.Line(6));
    default:
      v1::WeeklyRange* span = facts->mutable_visiting_hours(0)->add_hours();
      span->set_weekday(static_cast<v1::Weekday>(1 + odd.Below(7)));
      span->set_start_minute(odd.Below(1440));
      return span->set_end_minute(span->start_minute() + 1 + odd.Below(1440));
  }
}

TEST(HospitalFileRoundTrip, KeepsEveryOddValueThatTheRulesAllow) {
  const Facts small = Small();
  int kept = 0;
  for (unsigned seed = 1; seed <= 400; ++seed) {
    OddTexts odd(seed);
    Facts facts = small;
    for (int i = 0; i < 12; ++i) {
      Facts odder = facts;
      MakeOdd(odd, &odder);
      NormalizeFacts(&odder);
      if (!CheckFacts(odder).empty()) continue;
      facts = std::move(odder);
      ++kept;
    }
    ASSERT_NO_FATAL_FAILURE(ExpectRoundTrip(facts)) << "seed " << seed;
  }
  EXPECT_GT(kept, 1500) << "too few of the made-up values obeyed the rules to say anything";
}

}  // namespace
}  // namespace medidesk::store
