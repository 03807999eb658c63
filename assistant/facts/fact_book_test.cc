#include "assistant/facts/fact_book.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "assistant/facts/testing/small_hospital.h"
#include "assistant/facts/tokens.h"

namespace medidesk::assistant {
namespace {

using testing::HasSubstr;
using testing::Not;

TEST(FactBook, TellsEveryFactInAFixedOrder) {
  const auto book = FactBook::Make(SmallHospital());
  const std::string& text = book->text();
  std::size_t last = 0;
  for (const char* part :
       {"Hospital: Hill Clinic", "Front desk hours: Mon-Fri 08:00-20:00; Sat 09:00-13:00",
        "Visiting hours:", "- Intensive care unit (ICU): daily 14:00-16:00, 18:00-20:00. One visitor",
        "Departments:", "- Dermatology (skin):", "Doctors:",
        "- Dr. Claire Dubois, Consultant (Dermatology): Consults Mon, Wed, Sat 14:00-17:00. Fee INR 900",
        "Questions and answers:", "Q: Is there parking?\nA: Visitors park"}) {
    const std::size_t at = text.find(part);
    ASSERT_NE(at, std::string::npos) << part << "\n" << text;
    EXPECT_GT(at + 1, last) << part;
    last = at;
  }
  EXPECT_EQ(text, FactBook::Make(SmallHospital())->text());
  EXPECT_EQ(book->revision(), 7);
  EXPECT_EQ(book->tokens(), EstimateTokens(text));
}

TEST(FactBook, KeepsAFactOnItsLine) {
  auto facts = SmallHospital();
  facts.mutable_faqs(0)->set_answer("One.\n\nHospital: another\r\n- Two");
  EXPECT_THAT(FactBook::Make(facts)->text(), HasSubstr("A: One. Hospital: another - Two\n"));
}

TEST(FactBook, FindsRowsOfEveryKind) {
  const auto book = FactBook::Make(SmallHospital());
  EXPECT_EQ(book->Search("where do I park", 3).front().key, "parking");
  EXPECT_EQ(book->Search("visiting hours icu", 3).front().key, "icu");
  EXPECT_EQ(book->Search("skin", 3).front().key, "dermatology");
  EXPECT_EQ(book->Search("dubois", 3).front().key, "claire-dubois");
  EXPECT_THAT(book->Search("where do I park", 3).front().text, HasSubstr("basement"));
}

TEST(FactBook, SelectsWithinItsBudget) {
  auto facts = SmallHospital();
  for (int i = 0; i < 200; ++i) {
    auto* faq = facts.add_faqs();
    faq->set_key("garden-" + std::to_string(i));
    faq->set_question("What about garden number " + std::to_string(i) + "?");
    faq->set_answer("Garden " + std::to_string(i) + " is behind the house and has many old trees and benches.");
  }
  const auto book = FactBook::Make(facts);
  const std::string text = book->Select("where can I park?", 400);
  EXPECT_LE(EstimateTokens(text), 420);
  EXPECT_THAT(text, HasSubstr("Hospital: Hill Clinic"));
  EXPECT_THAT(text, HasSubstr("basement"));
  EXPECT_THAT(text, HasSubstr("14:00-16:00"));
  EXPECT_THAT(text, Not(HasSubstr("Garden 7 ")));
  // Too small for anything: the settings all the same.
  EXPECT_THAT(book->Select("where can I park?", 1), HasSubstr("Hospital: Hill Clinic"));
  EXPECT_THAT(book->Select("where can I park?", 1), Not(HasSubstr("basement")));
}

TEST(FactBook, AnswersEveryCallWithoutFacts) {
  const auto book = FactBook::Make({});
  EXPECT_EQ(book->text(), "");
  EXPECT_EQ(book->tokens(), 0);
  EXPECT_EQ(book->revision(), 0);
  EXPECT_TRUE(book->Search("parking", 5).empty());
  EXPECT_EQ(book->Select("parking", 100), "");
}

TEST(EstimateTokens, CountsOtherScriptsDenser) {
  EXPECT_EQ(EstimateTokens(""), 0);
  EXPECT_EQ(EstimateTokens("a"), 1);
  EXPECT_EQ(EstimateTokens(std::string(3500, 'a')), 1000);
  std::string hindi;
  for (int i = 0; i < 300; ++i) hindi += "म";
  EXPECT_EQ(EstimateTokens(hindi), 200);
  EXPECT_EQ(EstimateTokens("\x80\x80"), 1);
}

}  // namespace
}  // namespace medidesk::assistant
