// Asks the sample hospital what patients ask, and what it does not know.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdio>
#include <fstream>
#include <memory>
#include <span>
#include <sstream>
#include <string>

#include "absl/time/civil_time.h"
#include "absl/time/time.h"

#include "assistant/facts/fact_answerer.h"
#include "assistant/facts/hours_text.h"
#include "store/knowledge/hospital_file.h"
#include "store/knowledge/weekly_hours.h"
#include "tests/facts/questions.h"

namespace medidesk::assistant {
namespace {

using testing::AnyOf;
using testing::HasSubstr;

class FactsOnSampleHospital : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    std::ifstream file("examples/hospital.yaml");  // tests run in the repository's root
    std::ostringstream text;
    text << file.rdbuf();
    auto facts = store::ParseHospitalFile(text.str(), "examples/hospital.yaml");
    ASSERT_TRUE(facts.ok()) << facts.status();
    book_ = FactBook::Make(*std::move(facts));
  }
  static void TearDownTestSuite() { book_.reset(); }

  static FactAnswer Ask(std::string_view question, std::string_view language = "en") {
    absl::TimeZone zone;
    absl::LoadTimeZone("Asia/Kolkata", &zone);
    const auto noon = absl::ToChronoTime(absl::FromCivil(absl::CivilSecond(2026, 11, 24, 12, 0), zone));
    return AnswerFromFacts(*book_, question, language, noon);
  }

  // How many of the questions are answered from an acceptable row; the others are printed.
  static double HitRate(std::span<const Asked> questions, const char* name) {
    std::size_t hits = 0;
    for (const Asked& asked : questions) {
      const FactAnswer answer = Ask(asked.question, asked.language);
      const std::string accepted = " " + std::string(asked.sources) + " ";
      if (accepted.find(" " + answer.source + " ") != std::string::npos) {
        ++hits;
      } else {
        std::printf("%s: \"%s\" was answered from %s, not %s\n", name, std::string(asked.question).c_str(),
                    answer.source.c_str(), std::string(asked.sources).c_str());
      }
    }
    std::printf("%s: %zu of %zu questions answered from the right row\n", name, hits, questions.size());
    return static_cast<double>(hits) / static_cast<double>(questions.size());
  }

  static std::shared_ptr<const FactBook> book_;
};
std::shared_ptr<const FactBook> FactsOnSampleHospital::book_;

TEST_F(FactsOnSampleHospital, AnswersTheFourUsualQuestions) {
  const FactAnswer hello = Ask("Hello");
  EXPECT_EQ(hello.source, "greeting");
  EXPECT_THAT(hello.text, HasSubstr("Sunrise Hospital"));

  const FactAnswer booking = Ask("I need to book an appointment");
  EXPECT_EQ(booking.source, "faq:book-appointment");
  EXPECT_THAT(booking.text, HasSubstr("I cannot book"));
  EXPECT_THAT(booking.text, HasSubstr("+91 22 5550 0100"));

  const FactAnswer visiting = Ask("What are your visiting hours?");
  EXPECT_EQ(visiting.source, "visiting_hours");
  EXPECT_THAT(visiting.text, HasSubstr("General wards and private rooms: daily 10:00-20:00"));
  EXPECT_THAT(visiting.text, HasSubstr("Intensive care unit (ICU): daily 14:00-16:00, 18:00-20:00"));

  const FactAnswer doctor = Ask("I need to speak with a doctor");
  EXPECT_TRUE(doctor.known);
  EXPECT_THAT(doctor.text, HasSubstr("Cardiology"));
}

TEST_F(FactsOnSampleHospital, FindsTheRowBehindOtherWords) { EXPECT_GE(HitRate(kParaphrases, "paraphrases"), 0.9); }

TEST_F(FactsOnSampleHospital, FindsTheRowBehindWordsItWasNotMadeFor) { EXPECT_GE(HitRate(kUnseen, "unseen"), 0.85); }

TEST_F(FactsOnSampleHospital, DoesNotPretendToKnow) {
  for (const std::string_view question : kNotStored) {
    const FactAnswer answer = Ask(question);
    EXPECT_FALSE(answer.known) << question << "\n" << answer.source << "\n" << answer.text;
    EXPECT_THAT(answer.text, AnyOf(HasSubstr("do not have the answer"), HasSubstr("do not find a doctor"),
                                   HasSubstr("cannot give medical advice")));
    EXPECT_THAT(answer.text, HasSubstr("+91 22 5550 0100")) << question;
  }
}

TEST_F(FactsOnSampleHospital, GivesNoMedicalAdvice) {
  for (const std::string_view question : kMedical) {
    const FactAnswer answer = Ask(question);
    EXPECT_EQ(answer.source, "advice") << question << "\n" << answer.text;
    EXPECT_FALSE(answer.known);
  }
}

TEST_F(FactsOnSampleHospital, WritesHoursAsTheHospitalsFileDoes) {
  const auto& facts = book_->facts();
  EXPECT_EQ(HoursText(facts.hospital().desk_hours()), store::FormatWeeklyHours(facts.hospital().desk_hours()));
  for (const auto& row : facts.visiting_hours()) {
    EXPECT_EQ(HoursText(row.hours()), store::FormatWeeklyHours(row.hours())) << row.key();
  }
  for (const auto& row : facts.departments()) {
    EXPECT_EQ(HoursText(row.hours()), store::FormatWeeklyHours(row.hours())) << row.key();
  }
}

TEST_F(FactsOnSampleHospital, AnswersInThePatientsLanguageWithTheStoredTimes) {
  EXPECT_THAT(Ask("¿Cuál es el horario de visita?", "es").text, HasSubstr("todos los días 10:00-20:00"));
  EXPECT_THAT(Ask("मिलने का समय क्या है", "hi").text, HasSubstr("रोज़ 10:00-20:00"));
  EXPECT_THAT(Ask("visiting hours kya hai", "hi-Latn").text, HasSubstr("roz 10:00-20:00"));
  EXPECT_THAT(Ask("ما هي مواعيد الزيارة؟", "ar").text, HasSubstr("14:00-16:00"));
  EXPECT_THAT(Ask("Qual é o horário de visitas da UTI?", "pt").text, HasSubstr("14:00-16:00, 18:00-20:00"));
  EXPECT_THAT(Ask("Quelles sont les heures de visite ?", "fr").text, HasSubstr("tous les jours 10:00-20:00"));
  // A row in the patient's own language is preferred.
  EXPECT_EQ(Ask("अपॉइंटमेंट कैसे लें?", "hi").source, "faq:book-appointment-hi");
}

TEST_F(FactsOnSampleHospital, FitsAPrompt) {
  EXPECT_LT(book_->tokens(), 20'000);
  for (const auto& faq : book_->facts().faqs()) EXPECT_THAT(book_->text(), HasSubstr(faq.question()));
}

}  // namespace
}  // namespace medidesk::assistant
