// The phone's side of linking, written from its own end: it vouches for a device, types a code, goes past a passkey.
#pragma once

#include <string>
#include <utility>

#include "gateway/wa/aes256.h"
#include "gateway/wa/key_derivation.h"
#include "gateway/wa/node.h"
#include "gateway/wa/pairing_code.h"
#include "gateway/wa/testing/noise_server.h"
#include "whatsapp/adv.pb.h"
#include "whatsapp/passkey.pb.h"

namespace medidesk::gateway::wa::testing {

struct FakePhone {
  KeyPair account = FixedPair(21);
  KeyPair ephemeral = FixedPair(22);
  std::string number = "15550001111";

  // The pair-success for a device of this identity, made with this secret. The account's key signs, unless another
  // is given.
  Node PairSuccess(const Key32& device_identity, const Key32& adv_secret, const KeyPair* signer = nullptr) const {
    whatsapp::AdvDeviceIdentity device;
    device.set_raw_id(7);
    device.set_timestamp(3'000);
    device.set_key_index(3);
    whatsapp::AdvSignedDeviceIdentity identity;
    identity.set_details(device.SerializeAsString());
    identity.set_account_signature_key(ToString(account.public_key));
    const Bytes signed_bytes = Join({Bytes{6, 0}, AsBytes(identity.details()), device_identity});
    identity.set_account_signature(ToString(
        Sign(signer == nullptr ? account.private_key : signer->private_key, signed_bytes, ScriptedEntropy({}, 5))));
    whatsapp::AdvSignedDeviceIdentityHmac container;
    container.set_details(identity.SerializeAsString());
    container.set_hmac(ToString(HmacSha256(adv_secret, AsBytes(container.details()))));
    return {
        "iq",
        {{"from", Jid::Server()}, {"type", "set"}, {"id", "pair"}, {"xmlns", "md"}},
        Nodes{
            {"pair-success",
             {},
             Nodes{{"device-identity", {}, ToBytes(container.SerializeAsString())},
                   {"device",
                    {{"jid", *Jid::Parse(number + ":7@s.whatsapp.net")}, {"lid", *Jid::Parse("123456789012345:7@lid")}},
                    {}},
                   {"platform", {{"name", "smba"}}, {}},
                   {"biz", {{"name", "Clinic"}}, {}}}}}};
  }

  // After the person has typed `code`.
  Node CodeTyped(std::string_view code, ByteView ref) const {
    return {"notification",
            {{"from", Jid::Server()}, {"type", "link_code_companion_reg"}, {"id", "code"}},
            Nodes{{"link_code_companion_reg",
                   {},
                   Nodes{{"link_code_pairing_wrapped_primary_ephemeral_pub",
                          {},
                          WrapKey(code, ephemeral.public_key, ScriptedEntropy({}, 30))},
                         {"primary_identity_pub", {}, ToBytes(ByteView(account.public_key))},
                         {"link_code_pairing_ref", {}, ToBytes(ref)}}}}};
  }
  // The ADV secret that the phone takes out of companion_finish. `wrapped` is the device's key from companion_hello.
  Key32 AdvSecretOf(ByteView bundle, std::string_view code, ByteView wrapped) const {
    const Key32 device_ephemeral = UnwrapKey(code, wrapped).value();
    const Key32 shared = Agree(ephemeral.private_key, device_ephemeral).value();
    const Key32 key =
        ToKey(HkdfSha256(shared, bundle.first(32), AsBytes("link_code_pairing_key_bundle_encryption_key"), 32)).value();
    const Bytes opened = OpenGcm(key, GcmNonce(bundle.subspan(32, 12)), bundle.subspan(44)).value();
    const Key32 device_identity = ToKey(ByteView(opened).first(32)).value();
    const Key32 identities = Agree(account.private_key, device_identity).value();
    return ToKey(HkdfSha256(Join({shared, identities, ByteView(opened).last(32)}), {}, AsBytes("adv_secret"), 32))
        .value();
  }
};

}  // namespace medidesk::gateway::wa::testing
