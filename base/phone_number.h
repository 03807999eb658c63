// A telephone number in E.164 form (ITU-T E.164: at most 15 digits), kept out of logs like Phi.
#pragma once

#include <iosfwd>
#include <optional>
#include <string>
#include <string_view>

namespace medidesk {

class PhoneNumber {
 public:
  // Takes "+1 (555) 010-9999", "15550109999", "0015550109999"-free forms: an optional leading +,
  // digits, and the separators space . - ( ). nullopt unless 7 to 15 digits remain.
  static std::optional<PhoneNumber> Parse(std::string_view text);

  // "+15550109999". For the database, the wire and the screen of someone who may see it.
  const std::string& E164() const { return e164_; }
  // "+15*******99": what people and logs may see.
  std::string Masked() const;

  friend bool operator==(const PhoneNumber&, const PhoneNumber&) = default;
  friend std::ostream& operator<<(std::ostream&, const PhoneNumber&) = delete;

 private:
  explicit PhoneNumber(std::string e164) : e164_(std::move(e164)) {}
  std::string e164_;
};

}  // namespace medidesk
