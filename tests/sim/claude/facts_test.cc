#include "tests/sim/claude/facts.h"

#include <gtest/gtest.h>

namespace medidesk::claude_stub {
namespace {

constexpr std::string_view kSystem = R"(You are the front desk of Sunrise Hospital. Never speak about cardiology doses.

# Facts
- Cardiology: Dr. Mehta, floor 3, Monday to Friday 9:00-17:00.
- ENT: Dr. Rao, floor 1, Tuesday and Thursday.
- Parking at the north gate is free for two hours.
Q: Which insurance do you accept?
A: We accept all major insurers; bring your card.
- आपातकाल सेवा चौबीसों घंटे खुली है।
)";

TEST(AnswerFromFacts, RepeatsTheLineThatFits) {
  EXPECT_EQ(AnswerFromFacts(kSystem, "Who works in cardiology?"),
            "Cardiology: Dr. Mehta, floor 3, Monday to Friday 9:00-17:00.");
  EXPECT_EQ(AnswerFromFacts(kSystem, "is PARKING free"), "Parking at the north gate is free for two hours.");
}

TEST(AnswerFromFacts, AnswersAQuestionLineWithItsAnswer) {
  EXPECT_EQ(AnswerFromFacts(kSystem, "do you take my insurance"), "We accept all major insurers; bring your card.");
}

TEST(AnswerFromFacts, ComparesOtherScripts) {
  EXPECT_EQ(AnswerFromFacts(kSystem, "आपातकाल कब?"), "आपातकाल सेवा चौबीसों घंटे खुली है।");
}

TEST(AnswerFromFacts, SaysWhenItDoesNotKnow) {
  EXPECT_EQ(AnswerFromFacts(kSystem, "Do you sell bicycles?"), kNoFact);
  EXPECT_EQ(AnswerFromFacts(kSystem, ""), kNoFact);
  EXPECT_EQ(AnswerFromFacts("", "anything"), kNoFact);
}

TEST(AnswerFromFacts, StopsAtTheClosingTag) {
  EXPECT_EQ(AnswerFromFacts("<facts lang=\"en\">\n- Lab on floor 2.\n</facts>\nThe lab rules are secret.", "lab rules"),
            "Lab on floor 2.");
}

TEST(AnswerFromFacts, LooksAtEveryLineWithoutAHeading) {
  EXPECT_EQ(AnswerFromFacts("The lab is on floor 2.\nThe pharmacy is closed.", "pharmacies, pharmacy"),
            "The pharmacy is closed.");
}

}  // namespace
}  // namespace medidesk::claude_stub
