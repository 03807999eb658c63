// Ciphertexts of a hostile peer, into a device that has a session with it: pairwise, first and group messages, sender
// keys and stored sessions. The first byte chooses. Whatever comes ends in an outcome, and a failure changes nothing.
#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "gateway/wa/signal/testing/signal_peer.h"

namespace wa = medidesk::gateway::wa;

namespace {

const wa::Jid kPeer = *wa::Jid::Parse("222222222222222@lid");
const wa::Jid kOwn = *wa::Jid::Parse("111111111111111:7@lid");
const wa::Jid kGroup = *wa::Jid::Parse("120363000000000001@g.us");

struct World {
  World() {
    if (!peer.Start(kOwn, own.Bundle()).ok()) std::abort();
    if (own.Decrypt(kPeer, peer.Encrypt(kOwn, wa::ToBytes("hello"))).plaintext.empty()) std::abort();
  }
  wa::testing::SignalPeer own{kOwn, 1};
  wa::testing::SignalPeer peer{kPeer, 99};
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static World world;
  if (size == 0) return 0;
  const wa::ByteView rest(data + 1, size - 1);
  wa::testing::SignalPeer& own = world.own;
  const wa::Bytes session = *own.workspace.Get(wa::SignalSessions::SessionName(kPeer));
  bool opened = false;
  switch (data[0] % 5) {
    case 0:
    case 1: {
      const bool pre_key = data[0] % 5 == 1;
      (void)own.signal.NamesOf(kPeer, pre_key, rest);
      const wa::Encrypted message{.pre_key = pre_key, .bytes = wa::ToBytes(rest)};
      opened = own.Decrypt(kPeer, message).outcome == wa::DecryptOutcome::kDecrypted;
      break;
    }
    case 2:
      own.Run([&] { return own.signal.DecryptGroup(kGroup, kPeer, rest).plaintext.size(); });
      break;
    case 3:
      (void)own.Run([&] { return own.signal.InstallSenderKey(kGroup, kPeer, rest); });
      break;
    case 4: {
      // A stored record that is not what was stored.
      wa::Workspace broken;
      wa::SignalSessions signal(broken, own.keys.identity, own.keys.registration_id, own.entropy);
      broken.Put(wa::SignalSessions::SessionName(kPeer), wa::ToBytes(rest));
      (void)signal.Encrypt(kPeer, wa::AsBytes("x"));
      (void)signal.RemoteRegistrationId(kPeer);
      (void)signal.BaseKey(kPeer);
      break;
    }
  }
  if (!opened && *own.workspace.Get(wa::SignalSessions::SessionName(kPeer)) != session) std::abort();
  return 0;
}
