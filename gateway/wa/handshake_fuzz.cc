// The first byte says what the rest is: a ServerHello; a certificate chain; or a chain that a server seals for this
// very handshake, which is how far a hostile server gets. None of them may be accepted: the root is nobody's.
#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "gateway/wa/noise_handshake.h"
#include "gateway/wa/testing/noise_server.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace medidesk::gateway::wa;
  static const KeyPair ephemeral = testing::FixedPair(20);
  static const KeyPair noise_key = testing::FixedPair(21);
  static const NoiseTrust trust{.now = std::chrono::sys_seconds(std::chrono::seconds(3'000)), .ignore_dates = true};
  if (size == 0) return 0;
  const ByteView input(data + 1, size - 1);
  NoiseHandshake client(ephemeral, noise_key);
  switch (data[0] % 3) {
    case 0:
      if (client.ReadServerHello(input, {}, trust).ok()) std::abort();
      break;
    case 1:
      if (VerifyNoiseCertificate(input, noise_key.public_key, trust).ok()) std::abort();
      break;
    default:
      static const Bytes hello = client.ClientHello();
      if (client.ReadServerHello(testing::NoiseServer().Answer(hello, input), {}, trust).ok()) std::abort();
  }
  return 0;
}
