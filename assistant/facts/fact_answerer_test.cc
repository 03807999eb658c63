#include "assistant/facts/fact_answerer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "assistant/facts/frames.h"
#include "assistant/facts/testing/small_hospital.h"

namespace medidesk::assistant {
namespace {

using testing::AnyOf;
using testing::HasSubstr;
using testing::Not;

constexpr const char* kLanguages[] = {"en", "es", "pt", "fr", "hi", "hi-Latn", "ar"};

class FactAnswererTest : public testing::Test {
 protected:
  FactAnswer Ask(std::string_view question, std::string_view language = "en") const {
    return AnswerFromFacts(*book_, question, language, now_);
  }
  std::shared_ptr<const FactBook> book_ = FactBook::Make(SmallHospital());
  std::chrono::system_clock::time_point now_ = At(2026, 11, 24, 12, 0);  // a Tuesday, the desk is open
};

TEST_F(FactAnswererTest, GreetsAsAMachineWithTheHospitalsName) {
  for (const char* hello :
       {"Hello", "hi", "Hi there!", "good morning", "नमस्ते", "hola", "Bonjour", "olá", "مرحبا", "namaste ji"}) {
    const FactAnswer answer = Ask(hello);
    EXPECT_EQ(answer.source, "greeting") << hello;
    EXPECT_THAT(answer.text, HasSubstr("Hill Clinic"));
    EXPECT_THAT(answer.text, HasSubstr("automated assistant, not a person"));
    EXPECT_THAT(answer.text, HasSubstr("112"));
  }
}

TEST_F(FactAnswererTest, IsPolite) {
  EXPECT_EQ(Ask("thank you so much!").source, "thanks");
  EXPECT_EQ(Ask("ok thanks").source, "thanks");
  EXPECT_EQ(Ask("gracias", "es").source, "thanks");
  EXPECT_EQ(Ask("bye").source, "bye");
}

TEST_F(FactAnswererTest, TellsStoredVisitingHours) {
  const FactAnswer all = Ask("What are your visiting hours?");
  EXPECT_TRUE(all.known);
  EXPECT_EQ(all.source, "visiting_hours");
  EXPECT_THAT(all.text, HasSubstr("General wards: daily 10:00-20:00"));
  EXPECT_THAT(all.text, HasSubstr("Intensive care unit (ICU): daily 14:00-16:00, 18:00-20:00"));
  const FactAnswer icu = Ask("visiting hours for the ICU?");
  EXPECT_EQ(icu.source, "visiting_hours:icu");
  EXPECT_THAT(icu.text, HasSubstr("14:00-16:00, 18:00-20:00. One visitor at a time."));
  EXPECT_THAT(icu.text, Not(HasSubstr("10:00-20:00")));
}

TEST_F(FactAnswererTest, WritesHoursAsTheBookDoes) {
  EXPECT_THAT(book_->text(), HasSubstr("daily 14:00-16:00, 18:00-20:00"));
  EXPECT_THAT(Ask("icu visiting hours").text, HasSubstr("daily 14:00-16:00, 18:00-20:00"));
}

TEST_F(FactAnswererTest, NamesTheDoctorsOfTheDay) {
  const FactAnswer saturday = Ask("Which doctor is in dermatology on saturday");
  EXPECT_EQ(saturday.source, "doctors");
  EXPECT_THAT(saturday.text, HasSubstr("Dr. Claire Dubois, Consultant: Saturday 14:00-17:00"));
  EXPECT_THAT(saturday.text, Not(HasSubstr("Malhotra")));
  EXPECT_THAT(Ask("which skin doctor is there on sunday").text, HasSubstr("no doctor of Dermatology"));
  // The day after the Tuesday of these tests.
  EXPECT_THAT(Ask("skin doctor tomorrow?").text, HasSubstr("Wednesday 14:00-17:00"));
}

TEST_F(FactAnswererTest, KnowsDoctorsByName) {
  EXPECT_EQ(Ask("when is Dr Dubois available").source, "doctor:claire-dubois");
  EXPECT_EQ(Ask("dr. dubios").source, "doctor:claire-dubois");
  const FactAnswer unknown = Ask("Is Dr. House available?");
  EXPECT_FALSE(unknown.known);
  EXPECT_THAT(unknown.text, HasSubstr("do not find a doctor of that name"));
}

TEST_F(FactAnswererTest, TakesNoNameOfAPatientForADoctors) {
  EXPECT_FALSE(Ask("What did Mrs. Dubois come in for?").known);
  EXPECT_FALSE(Ask("is Mr Malhotra admitted in your hospital").known);
}

TEST_F(FactAnswererTest, NamesDepartmentsWhenADoctorIsWanted) {
  const FactAnswer answer = Ask("I need to speak with a doctor");
  EXPECT_TRUE(answer.known);
  EXPECT_THAT(answer.text, HasSubstr("Dermatology, Cardiology"));
}

TEST_F(FactAnswererTest, ClaimsNoBooking) {
  const FactAnswer answer = Ask("I need to book an appointment");
  EXPECT_TRUE(answer.known);
  EXPECT_EQ(answer.source, "booking");
  EXPECT_THAT(answer.text, HasSubstr("I cannot book"));
  EXPECT_THAT(answer.text, HasSubstr("+91 22 5550 0900"));
  for (const char* claim : {"is booked", "have booked", "confirmed", "cancelled"}) {
    EXPECT_THAT(answer.text, Not(HasSubstr(claim)));
  }
  EXPECT_THAT(Ask("book an appointment in dermatology").text, HasSubstr("Mon-Sat 10:00-17:00"));
  EXPECT_THAT(Ask("cancel my appointment").text, HasSubstr("I cannot book, change or cancel"));
}

TEST_F(FactAnswererTest, DescribesADepartment) {
  const FactAnswer answer = Ask("where is dermatology");
  EXPECT_EQ(answer.source, "department:dermatology");
  EXPECT_THAT(answer.text, HasSubstr("Block D, first floor"));
  EXPECT_THAT(answer.text, HasSubstr("+91 22 5550 0191"));
}

TEST_F(FactAnswererTest, AnswersFromTheSettings) {
  EXPECT_THAT(Ask("what is your address").text, HasSubstr("1 Hill Road, Pune"));
  EXPECT_THAT(Ask("phone number?").text, HasSubstr("+91 22 5550 0900"));
  EXPECT_THAT(Ask("when are you open?").text, HasSubstr("Mon-Fri 08:00-20:00"));
  EXPECT_THAT(Ask("do you accept insurance?").text, HasSubstr("Arogya Shield"));
}

TEST_F(FactAnswererTest, NamesItsSource) {
  EXPECT_THAT(Ask("is there parking").text, HasSubstr("Source: the hospital's FAQ (Is there parking?)"));
  EXPECT_THAT(Ask("visiting hours").text, HasSubstr("Source: the hospital's visiting hours"));
}

TEST_F(FactAnswererTest, SaysSoWhenItDoesNotKnow) {
  const FactAnswer answer = Ask("do you have a swimming pool?");
  EXPECT_FALSE(answer.known);
  EXPECT_EQ(answer.source, "none");
  EXPECT_THAT(answer.text, HasSubstr("do not have the answer"));
  EXPECT_THAT(answer.text, HasSubstr("+91 22 5550 0900"));
  EXPECT_THAT(answer.text, HasSubstr("open now"));
}

TEST_F(FactAnswererTest, SaysWhenTheDeskOpensNext) {
  now_ = At(2026, 11, 26, 22, 0);
  const FactAnswer answer = Ask("do you have a swimming pool?");
  EXPECT_THAT(answer.text, HasSubstr("closed now and opens again tomorrow at 08:00"));
  EXPECT_THAT(answer.text, HasSubstr("112"));
  EXPECT_THAT(Ask("hello").text, HasSubstr("closed now"));
}

TEST_F(FactAnswererTest, DeclinesMedicalAdvice) {
  for (const char* question : {"my HbA1c is 9.2 is that bad", "can I double my dose", "I have a rash, what is it?"}) {
    const FactAnswer answer = Ask(question);
    EXPECT_EQ(answer.source, "advice") << question;
    EXPECT_FALSE(answer.known);
    EXPECT_THAT(answer.text, HasSubstr("cannot give medical advice"));
    EXPECT_THAT(answer.text, HasSubstr("112"));
  }
}

TEST_F(FactAnswererTest, AnswersTwoQuestionsOfOneMessage) {
  const FactAnswer answer = Ask("Hello\nIs there parking?\nWhat are the ICU visiting hours?");
  EXPECT_TRUE(answer.known);
  EXPECT_THAT(answer.text, HasSubstr("basement"));
  EXPECT_THAT(answer.text, HasSubstr("14:00-16:00"));
  // Advice is not smuggled in beside a fact.
  EXPECT_EQ(Ask("Is there parking? And can I double my metformin dose?").source, "advice");
}

TEST_F(FactAnswererTest, SpeaksThePatientsLanguage) {
  EXPECT_THAT(Ask("¿horario de visita?", "es").text, HasSubstr("Horario de visitas:"));
  EXPECT_THAT(Ask("¿horario de visita?", "es").text, HasSubstr("todos los días 10:00-20:00"));
  EXPECT_THAT(Ask("¿horario de visita?", "es").text, HasSubstr("guardada en inglés"));
  EXPECT_THAT(Ask("मिलने का समय?", "hi").text, HasSubstr("मिलने का समय:"));
  EXPECT_THAT(Ask("visiting hours", "xx").text, HasSubstr("Visiting hours:"));
  EXPECT_THAT(Ask("visiting hours").text, Not(HasSubstr("stored in")));
}

TEST_F(FactAnswererTest, HasEverySentenceInEveryLanguage) {
  for (const char* language : kLanguages) {
    for (std::size_t frame = 0; frame < static_cast<std::size_t>(Frame::kCount); ++frame) {
      const std::string text = Say(static_cast<Frame>(frame), language);
      EXPECT_NE(text, "") << language << " " << frame;
      EXPECT_EQ(text.find('{'), std::string::npos);
      if (std::string(language) != "en" && std::string(language).size() == 2) {
        const auto same = static_cast<Frame>(frame);
        if (same == Frame::kSource) continue;  // "Source" is French, too
        EXPECT_NE(text, Say(same, "en")) << language << " " << frame;
      }
    }
    EXPECT_FALSE(Ask("xyzzy plugh", language).known) << language;
  }
}

TEST_F(FactAnswererTest, WorksWithoutAnyFacts) {
  book_ = FactBook::Make({});
  for (const char* language : kLanguages) {
    for (const char* question : {"hello", "thanks", "visiting hours", "book an appointment", "doctor", "emergency", "",
                                 "👍", "do you take my insurance", "my HbA1c is 9.2 is that bad"}) {
      const FactAnswer answer = Ask(question, language);
      EXPECT_NE(answer.text, "") << question;
      EXPECT_THAT(answer.source, AnyOf("greeting", "thanks", "none", "advice")) << question;
    }
  }
}

TEST_F(FactAnswererTest, SurvivesHostileText) {
  std::string huge;
  for (int i = 0; i < 30'000; ++i) huge += "doctor ";
  for (const std::string& text :
       {huge, std::string("\xff\xc3\x28\x00 visit", 9), std::string(100'000, '?'), std::string("\n\n\n")}) {
    EXPECT_NE(Ask(text).text, "");
  }
}

}  // namespace
}  // namespace medidesk::assistant
