// Tokens of every make: as sent, and with the input as header and payload under a right signature.
#include <cstdint>

#include "admin/api/testing/jwt_maker.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace medidesk::admin;
  static const JwtVerifier verifier("secret");
  const std::chrono::system_clock::time_point now{std::chrono::seconds(1000)};
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  if (verifier.Verify(text, now).ok()) __builtin_trap();  // nobody guesses a signature
  const std::size_t half = size / 2;
  (void)verifier.Verify(MakeJwt("secret", text.substr(0, half), text.substr(half)), now);
  (void)verifier.Verify(MakeHs256("secret", text), now);
  (void)JwkSet::Parse(text);
  (void)LooksLikeJwt(text);
  return 0;
}
