#include "store/password.h"

#include <fmt/format.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <utf8proc.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdint>
#include <cstdlib>
#include <set>
#include <vector>

#include "base/rpc/error_details.h"

namespace medidesk::store {
namespace {

constexpr int kLogN = 15, kR = 8, kP = 1;
constexpr std::size_t kSaltBytes = 16, kHashBytes = 32;
constexpr std::uint64_t kMaxMemory = 128ULL << 20;  // bytes
constexpr std::size_t kFewest = 12, kMost = 256;    // characters

// Long ones that lists of leaked passwords begin with; short ones are refused by their length.
constexpr std::string_view kCommon[] = {
    "password1234",     "password12345",    "password123456",  "passwordpassword", "password123!",
    "passw0rd1234",     "qwertyuiop12",     "qwerty123456",    "qwertyuiop123",    "qwertyuiop1234",
    "1q2w3e4r5t6y",     "1qaz2wsx3edc",     "q1w2e3r4t5y6",    "zaq12wsxcde3",     "administrator",
    "administrator1",   "welcome12345",     "welcome123456",   "letmein12345",     "iloveyou1234",
    "changeme1234",     "changemenow1",     "hospital1234",    "hospital12345",    "medidesk1234",
    "medideskadmin",    "medideskmedidesk", "adminadminadmin", "abcd1234efgh",     "correcthorsebatterystaple",
    "trustno1trustno1", "footballfootball", "monkeymonkey",    "sunshine1234",     "princess1234",
    "summer2024!!",     "winter2024!!",     "123456789abc",    "abc123456789",     "asdfghjkl123",
    "zxcvbnm12345",     "p@ssw0rd1234",     "p@ssword1234"};

std::string Lower(std::string_view text) {
  std::string lower(text);
  std::transform(lower.begin(), lower.end(), lower.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
  return lower;
}

// Code points; nullopt-like -1 for what is no UTF-8.
std::ptrdiff_t CountCharacters(std::string_view text) {
  std::ptrdiff_t count = 0;
  const auto* at = reinterpret_cast<const utf8proc_uint8_t*>(text.data());
  auto left = static_cast<utf8proc_ssize_t>(text.size());
  while (left > 0) {
    utf8proc_int32_t point = 0;
    const utf8proc_ssize_t size = utf8proc_iterate(at, left, &point);
    if (size <= 0) return -1;
    at += size;
    left -= size;
    ++count;
  }
  return count;
}

bool IsRun(std::string_view text) {
  if (std::set<char>(text.begin(), text.end()).size() <= 2) return true;
  int up = 0, down = 0;
  for (std::size_t i = 1; i < text.size(); ++i) {
    if (text[i] == text[i - 1] + 1 || (text[i] == '0' && text[i - 1] == '9')) ++up;
    if (text[i] == text[i - 1] - 1) ++down;
  }
  const int steps = static_cast<int>(text.size()) - 1;
  return up >= steps - 1 || down >= steps - 1;
}

absl::Status Weak(std::string_view what) {
  return rpc::WithReason(rpc::InvalidField("new_password", what), "WEAK_PASSWORD");
}

std::array<unsigned char, kHashBytes> Derive(std::string_view password, std::string_view salt, int log_n, int r,
                                             int p) {
  std::array<unsigned char, kHashBytes> hash{};
  if (EVP_PBE_scrypt(password.data(), password.size(), reinterpret_cast<const unsigned char*>(salt.data()), salt.size(),
                     1ULL << log_n, static_cast<std::uint64_t>(r), static_cast<std::uint64_t>(p), kMaxMemory,
                     hash.data(), hash.size()) != 1) {
    std::abort();  // out of memory, or parameters that only a program of ours could have written
  }
  return hash;
}

std::string Hex(std::string_view bytes) {
  std::string text;
  for (const char byte : bytes) text += fmt::format("{:02x}", static_cast<unsigned char>(byte));
  return text;
}

bool Unhex(std::string_view text, std::string& out) {
  if (text.size() % 2 != 0) return false;
  for (std::size_t i = 0; i < text.size(); i += 2) {
    unsigned value = 0;
    const auto [end, error] = std::from_chars(text.data() + i, text.data() + i + 2, value, 16);
    if (error != std::errc() || end != text.data() + i + 2) return false;
    out += static_cast<char>(value);
  }
  return true;
}

std::vector<std::string_view> Split(std::string_view text) {
  std::vector<std::string_view> parts;
  while (true) {
    const std::size_t mark = text.find('$');
    parts.push_back(text.substr(0, mark));
    if (mark == std::string_view::npos) return parts;
    text.remove_prefix(mark + 1);
  }
}

bool ReadNumber(std::string_view text, int most, int& out) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
  return error == std::errc() && end == text.data() + text.size() && out > 0 && out <= most;
}

}  // namespace

absl::Status CheckPassword(std::string_view password, std::string_view email, std::string_view name) {
  const std::ptrdiff_t length = CountCharacters(password);
  if (length < 0) return Weak("expected text");
  if (static_cast<std::size_t>(length) < kFewest) return Weak("at least 12 characters; four words are a good one");
  if (static_cast<std::size_t>(length) > kMost) return Weak("at most 256 characters");
  const std::string lower = Lower(password);
  if (std::find(std::begin(kCommon), std::end(kCommon), lower) != std::end(kCommon)) {
    return Weak("this one is on every list of common passwords");
  }
  if (IsRun(lower)) return Weak("a run of the same or of neighbouring characters is guessed first");
  const std::string account = Lower(email), person = Lower(name);
  const std::string local = account.substr(0, account.find('@'));
  for (const std::string& own : {account, local, person}) {
    // What is left beside the account's own words must still be worth something.
    if (own.size() >= 4 && lower.find(own) != std::string::npos && lower.size() - own.size() < 6) {
      return Weak("the account's own name or address is guessed first");
    }
  }
  return absl::OkStatus();
}

std::string HashPassword(std::string_view password) {
  std::string salt(kSaltBytes, '\0');
  if (RAND_bytes(reinterpret_cast<unsigned char*>(salt.data()), static_cast<int>(salt.size())) != 1) std::abort();
  const auto hash = Derive(password, salt, kLogN, kR, kP);
  return fmt::format("scrypt${}${}${}${}${}", kLogN, kR, kP, Hex(salt),
                     Hex({reinterpret_cast<const char*>(hash.data()), hash.size()}));
}

bool PasswordMatches(std::string_view stored, std::string_view password) {
  const std::vector<std::string_view> parts = Split(stored);
  int log_n = 0, r = 0, p = 0;
  std::string salt, wanted;
  if (parts.size() != 6 || parts[0] != "scrypt" || !ReadNumber(parts[1], 16, log_n) || !ReadNumber(parts[2], 8, r) ||
      !ReadNumber(parts[3], 4, p) || !Unhex(parts[4], salt) || !Unhex(parts[5], wanted) ||
      wanted.size() != kHashBytes) {
    return false;
  }
  const auto hash = Derive(password, salt, log_n, r, p);
  return CRYPTO_memcmp(hash.data(), wanted.data(), kHashBytes) == 0;
}

std::string_view NobodysPasswordHash() {
  static const std::string* const hash = [] {
    std::string secret(32, '\0');
    if (RAND_bytes(reinterpret_cast<unsigned char*>(secret.data()), static_cast<int>(secret.size())) != 1) std::abort();
    return new std::string(HashPassword(secret));
  }();
  return *hash;
}

}  // namespace medidesk::store
