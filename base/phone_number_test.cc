#include "base/phone_number.h"

#include <gtest/gtest.h>

#include "base/phi.h"

namespace medidesk {
namespace {

TEST(PhoneNumber, AcceptsTheFormsPeopleWrite) {
  for (const char* text : {"+1234567890", "1234567890", "+1 234 567-890", "(123) 456.7890"}) {
    const auto number = PhoneNumber::Parse(text);
    ASSERT_TRUE(number.has_value()) << text;
    EXPECT_EQ(number->E164(), "+1234567890");
  }
}

TEST(PhoneNumber, RefusesWhatIsNotOne) {
  for (const char* text :
       {"", "+", "123456", "1234567890123456", "12a4567890", "+1+234567890", "１２３４５６７８９０"}) {
    EXPECT_FALSE(PhoneNumber::Parse(text).has_value()) << text;
  }
  EXPECT_FALSE(PhoneNumber::Parse(std::string(1000, '1')).has_value());
}

TEST(PhoneNumber, MasksAllButTheEnds) {
  EXPECT_EQ(PhoneNumber::Parse("+15550109999")->Masked(), "+15*******99");
  EXPECT_EQ(PhoneNumber::Parse("1234567")->Masked(), "+12***67");
}

template <class T>
concept Printable = requires(std::ostream& out, const T& value) {
  out << value;
};
static_assert(!Printable<Phi<std::string>>);
static_assert(!Printable<PhoneNumber>);
static_assert(Printable<std::string>);

}  // namespace
}  // namespace medidesk
