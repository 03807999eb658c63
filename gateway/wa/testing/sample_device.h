// A device with fixed keys for tests, not linked and linked.
#pragma once

#include "gateway/wa/device_credentials.h"
#include "gateway/wa/testing/scripted_entropy.h"
#include "gateway/wa/testing/vectors.h"
#include "whatsapp/adv.pb.h"

namespace medidesk::gateway::wa::testing {

inline DeviceCredentials SampleDevice() { return DeviceCredentials::Generate(ScriptedEntropy()); }

// The device of adv.json's first vector: its identity and ADV secret, everything else sampled.
inline DeviceCredentials VectorDevice(const boost::json::value& vector) {
  DeviceCredentials credentials = SampleDevice();
  credentials.identity = PairMember(vector, "device_identity_key");
  credentials.adv_secret = KeyMember(vector, "adv_secret");
  credentials.signed_pre_key = SignedPreKey::Generate(1, credentials.identity, ScriptedEntropy());
  return credentials;
}

inline DeviceCredentials LinkedDevice() {
  DeviceCredentials credentials = SampleDevice();
  whatsapp::AdvSignedDeviceIdentity identity;
  identity.set_details("details");
  identity.set_account_signature_key(std::string(32, 'k'));
  identity.set_account_signature(std::string(64, 'a'));
  identity.set_device_signature(std::string(64, 'd'));
  credentials.account = LinkedAccount{.signed_identity = ToBytes(identity.SerializeAsString()),
                                      .jid = *Jid::Parse("15550001111:7@s.whatsapp.net"),
                                      .lid = *Jid::Parse("123456789012345:7@lid"),
                                      .platform = "android",
                                      .business_name = "Clinic"};
  return credentials;
}

}  // namespace medidesk::gateway::wa::testing
