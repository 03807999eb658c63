// Hides who a patient is from the model, and puts it back into what the model wrote.
//
//   Placeholders hidden({.names = {"Ravi Kumar"}, .phones = {"+919876543210"}});
//   hidden.Hide("I am Ravi Kumar, 98765 43210, ravi@mail.example")
//       == "I am [NAME_1], [PHONE_1], [EMAIL_1]"
//   hidden.Restore("Dear [NAME_1], ...") == "Dear Ravi Kumar, ..."
//
// Hidden are the values known of this patient (any case, whole words) and what looks like a phone number, an
// e-mail address, a long number, a birth date, or a name after "my name is" and its like. The hospital's own
// numbers (`keep`) stay. The same value has the same placeholder in every text of one object.
//
// One object belongs to one request. Not thread-safe. Any bytes are safe; linear in the text but for the few values.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace medidesk::assistant {

class Placeholders {
 public:
  struct Known {
    std::vector<std::string> names = {};   // of this patient
    std::vector<std::string> phones = {};  // in any spelling
    std::vector<std::string> keep = {};    // digits of numbers that are the hospital's, 7 and more
  };
  explicit Placeholders(const Known& known);

  std::string Hide(std::string_view text);
  // What stands for nothing is left as it is.
  std::string Restore(std::string_view text) const;
  // A placeholder in the model's text stands for nothing, or for a phone number or an address that is not known to
  // be the patient's: somebody may have made the patient send it.
  bool HasUnknown(std::string_view text) const;
  // "[NAME_1]" and what it stands for.
  const std::vector<std::pair<std::string, std::string>>& values() const { return values_; }

  // Said to the model where placeholders may stand.
  static constexpr std::string_view kRule =
      "Words in brackets such as [NAME_1] or [PHONE_1] stand for private details. Copy them as they are or leave them "
      "out; never ask for what they stand for.";

 private:
  std::string Stand(std::string_view kind, std::string_view value);
  std::string HideNames(std::string text);
  std::string HideIntroductions(std::string text);
  std::string HideNumbersAndAddresses(std::string_view text);

  std::vector<std::string> keep_;
  std::vector<std::string> names_;  // longest first
  std::vector<std::pair<std::string, std::string>> values_;
  std::size_t known_ = 0;  // so many of them, the first, are the patient's own
};

// Runs of at least 7 digits in a text that may be phone numbers, their separators left out; dates are none.
std::vector<std::string> LongNumbers(std::string_view text);

}  // namespace medidesk::assistant
