#include "base/phone_number.h"

#include <algorithm>

namespace medidesk {

std::optional<PhoneNumber> PhoneNumber::Parse(std::string_view text) {
  constexpr std::size_t kMinDigits = 7, kMaxDigits = 15, kMaxText = 64;
  if (text.size() > kMaxText) return std::nullopt;
  std::string e164 = "+";
  bool first = true;
  for (const char c : text) {
    if (c >= '0' && c <= '9') {
      e164 += c;
      first = false;
    } else if (c == '+' && first) {
      first = false;
    } else if (c != ' ' && c != '-' && c != '.' && c != '(' && c != ')') {
      return std::nullopt;
    }
  }
  const std::size_t digits = e164.size() - 1;
  if (digits < kMinDigits || digits > kMaxDigits) return std::nullopt;
  return PhoneNumber(std::move(e164));
}

std::string PhoneNumber::Masked() const {
  std::string masked = e164_;
  std::fill(masked.begin() + 3, masked.end() - 2, '*');
  return masked;
}

}  // namespace medidesk
