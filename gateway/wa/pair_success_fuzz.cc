// Hostile answers of a phone: whatever stands in the identity's bytes, and whatever passes the MAC.
#include <cstddef>
#include <cstdint>

#include "gateway/wa/key_derivation.h"
#include "gateway/wa/pair_success.h"
#include "gateway/wa/testing/sample_device.h"
#include "whatsapp/adv.pb.h"

namespace wa = medidesk::gateway::wa;

namespace {

void Check(wa::ByteView container, const wa::DeviceCredentials& device) {
  const wa::Node iq{"iq",
                    {{"id", "1"}},
                    wa::Nodes{{"pair-success",
                               {},
                               wa::Nodes{{"device-identity", {}, wa::ToBytes(container)},
                                         {"device", {{"jid", "15550001111:7@s.whatsapp.net"}}, {}}}}}};
  const auto outcome = wa::CheckPairSuccess(iq, device, "", wa::testing::ScriptedEntropy());
  // Nobody but the account's owner can sign; a fuzzer is not.
  if (std::holds_alternative<wa::PairAccepted>(outcome)) __builtin_trap();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const wa::DeviceCredentials device = wa::testing::SampleDevice();
  Check({data, size}, device);
  whatsapp::AdvSignedDeviceIdentityHmac container;
  container.set_details(std::string(reinterpret_cast<const char*>(data), size));
  container.set_hmac(wa::ToString(wa::HmacSha256(device.adv_secret, {data, size})));
  Check(wa::AsBytes(container.SerializeAsString()), device);
  if (const auto credentials = wa::DeviceCredentials::Parse({data, size}); credentials.ok()) credentials->Serialize();
  return 0;
}
