#include "assistant/context/placeholders.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace medidesk::assistant {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

TEST(Placeholders, HideWhatIsKnownOfThePatientAndPutItBack) {
  Placeholders hidden({.names = {"Ravi Kumar"}, .phones = {"+919876543210"}, .keep = {}});
  const std::string sent = hidden.Hide("RAVI KUMAR here, call 98765 43210 or ravi's wife");
  EXPECT_EQ(sent, "[NAME_1] here, call [PHONE_1] or [NAME_2]'s wife");
  EXPECT_EQ(hidden.Restore("Dear [NAME_1], we have [PHONE_1]."), "Dear Ravi Kumar, we have +919876543210.");
}

TEST(Placeholders, HideWhatLooksPrivate) {
  Placeholders hidden({});
  EXPECT_EQ(hidden.Hide("mail me: ana.b@mail.example."), "mail me: [EMAIL_1].");
  EXPECT_EQ(hidden.Hide("born 12/03/1987, file 451236"), "born [DATE_1], file [NUMBER_1]");
  EXPECT_EQ(hidden.Hide("card 4111 1111 1111 1111"), "card [PHONE_1]");
  EXPECT_EQ(hidden.Hide("my name is Meera Nair and I want a visit"), "my name is [NAME_1] and I want a visit");
  EXPECT_EQ(hidden.Hide("me llamo Ana, quiero cita"), "me llamo [NAME_2], quiero cita");
}

TEST(Placeholders, LeaveTimesPricesAndTheHospitalsNumbersAlone) {
  Placeholders hidden({.names = {}, .phones = {}, .keep = {"912255500100"}});
  for (const std::string_view text : {"on 2026-11-24 at 10:30", "24/11/2026", "5000 rupees", "from 9 to 17",
                                      "+91 22 5550 0100", "22 5550 0100", "2 tablets"}) {
    EXPECT_EQ(hidden.Hide(text), text);
  }
  EXPECT_THAT(hidden.values(), IsEmpty());
}

TEST(Placeholders, DoNotHideWhatTheyWrote) {
  Placeholders hidden({.names = {"Name Ann"}, .phones = {}, .keep = {}});
  const std::string once = hidden.Hide("Ann 5550109999");
  EXPECT_EQ(once, "[NAME_2] [PHONE_1]");
  EXPECT_EQ(hidden.Hide(once), once);
}

TEST(Placeholders, NoticeInventedOnes) {
  Placeholders hidden({.names = {}, .phones = {"5550109999"}, .keep = {}});
  hidden.Hide("also 5550107777");
  EXPECT_FALSE(hidden.HasUnknown("we call [PHONE_1]"));
  EXPECT_TRUE(hidden.HasUnknown("call [PHONE_2]")) << "not known to be the patient's";
  EXPECT_TRUE(hidden.HasUnknown("call [PHONE_3]"));
  EXPECT_TRUE(hidden.HasUnknown("dear [NAME_1]"));
}

TEST(Placeholders, AreSafeOnAnyBytes) {
  std::string bytes;
  unsigned state = 7;
  for (int i = 0; i < 20'000; ++i) bytes += static_cast<char>((state = state * 1664525u + 1013904223u) >> 24);
  Placeholders hidden({.names = {"x", "\xff\xfe"}, .phones = {"1"}, .keep = {}});
  hidden.Restore(hidden.Hide(bytes));
  hidden.Hide(std::string(20'000, '1'));
  EXPECT_LE(hidden.values().size(), 64u);
}

TEST(LongNumbers, AreNotDates) {
  EXPECT_THAT(LongNumbers("call +91 22 5550 0100, not 2026-11-24 or 10:30"), ElementsAre("912255500100"));
}

}  // namespace
}  // namespace medidesk::assistant
