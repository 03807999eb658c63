#include "store/knowledge/hospital_file.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <google/protobuf/util/message_differencer.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "base/status.h"

namespace medidesk::store {
namespace {

using google::protobuf::util::MessageDifferencer;
using testing::HasSubstr;
using testing::StartsWith;

// Small and good; the tests spoil one line of it.
constexpr std::string_view kGood = R"(hospital:
  name: Sunrise
  timezone: Asia/Kolkata
  default_language: en
  languages: [en, hi]
  emergency_number: "112"
  address: 14 Lake View Road
  desk_hours: Mon-Fri 08:00-18:00
  allowed_link_hosts: [www.sunrise.example]
  holidays:
    - {date: 2027-01-26, name: Republic Day}
departments:
  - key: heart
    name: Cardiology
    aliases: [heart doctor]
    hours: Mon-Fri 09:00-17:00
doctors:
  - key: asha-rao
    name: Asha Rao
    department: heart
    languages: [en]
    roster:
      - when: Mon, Wed 09:00-13:00
        room: OPD 1
      - when: Fri 20:00-08:00
faqs:
  - key: parking
    category: general
    question: Is there parking?
    answer: Yes, see https://www.sunrise.example/parking.
visiting_hours:
  - key: icu
    area: ICU
    hours: daily 14:00-16:00, 18:00-20:00
)";

// kGood with the one occurrence of `from` replaced.
std::string Spoiled(std::string_view from, std::string_view to) {
  std::string text(kGood);
  const std::size_t at = text.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  EXPECT_EQ(text.find(from, at + 1), std::string::npos) << from << " stands twice";
  return text.replace(at, from.size(), to);
}

std::string ErrorOf(std::string_view content) {
  const auto facts = ParseHospitalFile(content, "h.yaml");
  if (facts.ok()) return "accepted";
  EXPECT_EQ(facts.status().code(), absl::StatusCode::kInvalidArgument);
  return std::string(Text(facts.status()));
}

TEST(ParseHospitalFile, ReadsEverySection) {
  const auto facts = ParseHospitalFile(kGood, "h.yaml");
  ASSERT_TRUE(facts.ok()) << facts.status();
  EXPECT_EQ(facts->hospital().emergency_number(), "112");
  EXPECT_EQ(facts->hospital().desk_hours_size(), 5);
  EXPECT_EQ(facts->hospital().holidays(0).date(), "2027-01-26");
  ASSERT_EQ(facts->doctors_size(), 1);
  EXPECT_EQ(facts->doctors(0).department_key(), "heart");
  ASSERT_EQ(facts->doctors(0).roster_size(), 3);
  EXPECT_EQ(facts->doctors(0).roster(1).weekday(), v1::WEEKDAY_WEDNESDAY);
  EXPECT_EQ(facts->doctors(0).roster(1).room(), "OPD 1");
  EXPECT_EQ(facts->doctors(0).roster(2).end_minute(), 1440 + 480);
  EXPECT_EQ(facts->visiting_hours(0).hours_size(), 14);
}

struct Fault {
  std::string_view from, to;
  std::string_view error;  // what the message begins with
  int follow_ups = 0;      // further problems that the fault makes elsewhere
};

TEST(ParseHospitalFile, NamesLineFieldAndCureOfEachError) {
  const Fault faults[] = {
      {"name: Sunrise", "nmae: Sunrise",
       "h.yaml:1: hospital.name: missing or empty; write 1 to 120 characters\nh.yaml:2: hospital: unknown key; write "
       "one of name, timezone, ",
       1},
      {"name: Sunrise", "name:", "h.yaml:2: hospital.name: expected a text"},
      {"name: Sunrise", "name: ''", "h.yaml:2: hospital.name: missing or empty; write 1 to 120"},
      {"name: Sunrise", "name: [Sunrise]", "h.yaml:2: hospital.name: expected a text"},
      {"name: Sunrise", "name: \"a\\x01b\"", "h.yaml:2: hospital.name: expected one line of UTF-8 text"},
      {"name: Sunrise", "name: Sunrise\n  name: Sunset", "h.yaml:3: hospital.name: this key is given twice"},
      {"Asia/Kolkata", "Asia/Atlantis", "h.yaml:3: hospital.timezone: expected an IANA time zone; write e.g."},
      {"Asia/Kolkata", "../../../etc/passwd", "h.yaml:3: hospital.timezone: expected an IANA time zone"},
      {"default_language: en", "default_language: fr", "h.yaml:4: hospital.default_language: expected one of"},
      {"[en, hi]", "[en, Hindi]", "h.yaml:5: hospital.languages[1]: expected a language tag"},
      {"[en, hi]", "[en, en]", "h.yaml:5: hospital.languages[1]: this entry stands in the list already"},
      {"\"112\"", "call 112", "h.yaml:6: hospital.emergency_number: expected a phone number"},
      {"  address: 14 Lake View Road\n", "", "h.yaml:1: hospital.address: missing or empty"},
      {"Mon-Fri 08:00-18:00", "nine to five", "h.yaml:8: hospital.desk_hours: expected days and times of 24 hours"},
      {"[www.sunrise.example]", "[https://www.sunrise.example]",
       "h.yaml:9: hospital.allowed_link_hosts[0]: expected a host", 1},
      {"2027-01-26", "2027-02-30", "h.yaml:11: hospital.holidays[0].date: expected a date"},
      {"key: heart", "key: Heart!", "h.yaml:13: departments[0].key: expected a key", 1},
      {"[heart doctor]", "heart doctor", "h.yaml:15: departments[0].aliases: expected a list"},
      {"[heart doctor]", "[[heart]]", "h.yaml:15: departments[0].aliases[0]: expected a text"},
      {"Mon-Fri 09:00-17:00", "Mon 09:00-17:00, 16:00-18:00",
       "h.yaml:16: departments[0].hours: two of these hours overlap"},
      {"department: heart", "department: brain",
       "h.yaml:20: doctors[0].department: there is no department of this key"},
      {"    department: heart\n", "", "h.yaml:18: doctors[0].department: there is no department of this key"},
      {"Mon, Wed 09:00-13:00", "Mon 09:00-26:00", "h.yaml:23: doctors[0].roster[0].when: expected days and times"},
      {"room: OPD 1", "floor: 1", "h.yaml:24: doctors[0].roster[0]: unknown key; write one of when, room"},
      {"when: Fri 20:00-08:00", "room: OPD 2", "h.yaml:25: doctors[0].roster[1]: when is missing"},
      {"Fri 20:00-08:00", "Wed 12:00-14:00", "h.yaml:22: doctors[0].roster: two consultations overlap"},
      {"category: general", "category: General things", "h.yaml:28: faqs[0].category: expected a topic"},
      {"https://www.sunrise.example/parking", "https://evil.example/",
       "h.yaml:30: faqs[0].answer: a link must begin with"},
      {"https://www.sunrise.example/parking", "https://www.sunrise.example@evil.example/",
       "h.yaml:30: faqs[0].answer: a link"},
      {"https://www.sunrise.example/parking", "http://www.sunrise.example/",
       "h.yaml:30: faqs[0].answer: a link must begin"},
      {"question: Is there parking?", "question: Is there parking?\n    language: fr",
       "h.yaml:30: faqs[0].language: expected one of"},
      {"  - key: icu\n    area: ICU", "  - key: icu\n    area: ICU\n  - key: icu\n    area: ICU",
       "h.yaml:34: visiting_hours[1].key: another row of visiting_hours has this key already"},
      {"visiting_hours:\n", "visiting_hours:\n  - ward\n", "h.yaml:32: visiting_hours[0]: expected fields"},
      {"visiting_hours:", "visits:",
       "h.yaml:31: unknown key; write one of hospital, departments, doctors, faqs, visiting"},
  };
  for (const Fault& fault : faults) {
    const std::string error = ErrorOf(Spoiled(fault.from, fault.to));
    EXPECT_THAT(error, StartsWith(std::string(fault.error))) << fault.to;
    EXPECT_EQ(std::count(error.begin(), error.end(), '\n'), fault.follow_ups) << "lines:\n" << error;
  }
}

TEST(ParseHospitalFile, ListsAllErrorsInTheOrderOfTheFile) {
  std::string text = Spoiled("department: heart", "department: brain");
  text.replace(text.find("Asia/Kolkata"), 12, "Moon");
  text.replace(text.find("area: ICU"), 9, "ward: ICU");
  const std::string error = ErrorOf(text);
  const std::size_t first = error.find("h.yaml:3: hospital.timezone");
  const std::size_t second = error.find("h.yaml:20: doctors[0].department");
  const std::size_t third = error.find("h.yaml:33: visiting_hours[0]: unknown key");
  ASSERT_NE(third, std::string::npos) << error;
  EXPECT_LT(first, second);
  EXPECT_LT(second, third);
}

TEST(ParseHospitalFile, ListsTwentyErrorsAndCountsTheRest) {
  std::string text(kGood);
  for (int i = 0; i < 30; ++i) text += fmt::format("unknown{}: 1\n", i);
  const std::string error = ErrorOf(text);
  EXPECT_EQ(std::count(error.begin(), error.end(), '\n'), 20);
  EXPECT_THAT(error, HasSubstr("\nh.yaml: 10 more problems"));
}

TEST(ParseHospitalFile, NeverQuotesTheFile) {
  for (const char* secret : {"name: [Zanzibar]", "Zanzibar: 1", "name: \"\\Zanzibar\"", "name: *Zanzibar",
                             "name: !Zanzibar x", "name: Zanzibar: y", "name: &Zanzibar x", "name: {Zanzibar"}) {
    EXPECT_THAT(ErrorOf(Spoiled("name: Sunrise", secret)), testing::Not(HasSubstr("Zanzibar"))) << secret;
  }
}

TEST(ParseHospitalFile, RefusesHostileFilesWithALine) {
  const auto repeated = [](std::string_view text, int times) {
    std::string all;
    for (int i = 0; i < times; ++i) all += text;
    return all;
  };
  EXPECT_THAT(ErrorOf(""), HasSubstr("h.yaml:1: expected fields"));
  EXPECT_THAT(ErrorOf("just words"), HasSubstr("h.yaml:1: expected fields"));
  EXPECT_THAT(ErrorOf("- a\n- b\n"), HasSubstr("h.yaml:1: expected fields"));
  EXPECT_THAT(ErrorOf("{}"), HasSubstr("h.yaml:1: hospital: the hospital's settings are missing"));
  EXPECT_THAT(ErrorOf("hospital:\n  name: [a\n"), StartsWith("h.yaml:"));
  EXPECT_THAT(ErrorOf("hospital:\n\tname: a\n"), HasSubstr("not valid YAML"));
  EXPECT_THAT(ErrorOf("a: &x 1\nb: *x\n"), HasSubstr("h.yaml:1: anchors"));
  EXPECT_THAT(ErrorOf("a: 1\nb: *x\n"), StartsWith("h.yaml:2: "));
  EXPECT_THAT(ErrorOf("hospital:\n  name: !!binary aGk=\n"), HasSubstr("h.yaml:2: tags"));
  EXPECT_THAT(ErrorOf(std::string(kGood) + "---\nhospital: {}\n"), HasSubstr("a second document begins here"));
  EXPECT_THAT(ErrorOf("? [a]\n: b\n"), HasSubstr("h.yaml:1: a key must be a word"));
  EXPECT_THAT(ErrorOf(repeated("[", 100'000)), StartsWith("h.yaml:1: "));
  EXPECT_THAT(ErrorOf(repeated("{a: ", 100'000)), StartsWith("h.yaml:1: "));
  EXPECT_THAT(ErrorOf("a: " + repeated("[", 20) + repeated("]", 20)), HasSubstr("nested deeper than 8 levels"));
  EXPECT_THAT(ErrorOf(repeated("- ", 100'000)), HasSubstr("nested deeper than 8 levels"));
  EXPECT_THAT(ErrorOf(repeated("- a\n", 500'000)), HasSubstr("more than 400000 values"));
  EXPECT_THAT(ErrorOf("hospital:\n  name: \xFF\xFE\n"), HasSubstr("h.yaml:2: expected UTF-8"));
  EXPECT_THAT(ErrorOf(std::string("hospital:\n\n  name: a\0b\n", 23)), HasSubstr("h.yaml:3: expected UTF-8"));
  EXPECT_THAT(ErrorOf("\xFF\xFEh\0o\0"), HasSubstr("h.yaml:1: expected UTF-8"));
  EXPECT_THAT(ErrorOf(std::string((4u << 20) + 1, 'a')), HasSubstr("h.yaml:1: the file exceeds 4 MiB"));
  EXPECT_THAT(ErrorOf(Spoiled("name: Sunrise", "name: " + std::string(100'000, 'a'))),
              HasSubstr("h.yaml:2: hospital.name: longer than 120 characters"));
}

TEST(ParseHospitalFile, RefusesMoreRowsThanTheLimit) {
  std::string text(kGood);
  for (int i = 0; i < kMaxVisitingHours; ++i) text += fmt::format("  - {{key: area-{}, area: Ward}}\n", i);
  EXPECT_THAT(ErrorOf(text), StartsWith("h.yaml:31: visiting_hours: more than 200 rows"));
}

TEST(ParseHospitalFile, RefusesEveryPrefixThatIsNoWholeFile) {
  // Cut anywhere before the last required field, the file is refused with a line; it never throws.
  const std::size_t required = kGood.find("desk_hours") + 12;
  for (std::size_t size = 0; size < kGood.size(); ++size) {
    const std::string error = ErrorOf(kGood.substr(0, size));
    if (size < required) {
      EXPECT_THAT(error, StartsWith("h.yaml:")) << "prefix of " << size;
    }
  }
}

TEST(WriteHospitalFile, IsReadBackAsEqualFacts) {
  auto facts = ParseHospitalFile(kGood, "h.yaml");
  ASSERT_TRUE(facts.ok()) << facts.status();
  const std::vector<std::string> awkward = {
      "null",     "~",          "yes",         "NO",         "112",         "1e3",   "- dash",       "a: b",    "a #b",
      "#b",       "\"quoted\"", "back\\slash", "it's",       "[list]",      "{map}", "*alias",       "&anchor", "!tag",
      "%percent", "@at",        "`tick`",      "ends with:", "two  spaces", "|",     ">-",           "नमस्ते",    "مرحبا",
      "😀 smile",  "?",          "key: |",      "---",        "...",         "a, b",  "\xC2\xA0nbsp", "<<"};
  facts->mutable_faqs(0)->mutable_alternatives()->Clear();
  for (const std::string& text : awkward) facts->mutable_faqs(0)->add_alternatives(text);
  for (const char* answer : {"one\ntwo\n\nfour", "one\n  indented", "trailing \nspace",
                             "\"q\"\n# no comment\n- item: x", "---\n...", "a\n\n\n\nb"}) {
    facts->mutable_faqs(0)->set_answer(answer);
    const std::string file = WriteHospitalFile(*facts);
    const auto again = ParseHospitalFile(file, "again.yaml");
    ASSERT_TRUE(again.ok()) << again.status() << "\n" << file;
    EXPECT_TRUE(MessageDifferencer::Equals(*facts, *again)) << file;
  }
}

TEST(WriteHospitalFile, LeavesOutWhatTheStoreSets) {
  auto facts = ParseHospitalFile(kGood, "h.yaml");
  ASSERT_TRUE(facts.ok()) << facts.status();
  const std::string file = WriteHospitalFile(*facts);
  facts->set_revision(7);
  facts->mutable_hospital()->set_revision(7);
  facts->mutable_faqs(0)->mutable_update_time()->set_seconds(1);
  EXPECT_EQ(WriteHospitalFile(*facts), file);
}

}  // namespace
}  // namespace medidesk::store
