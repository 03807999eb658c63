// A hostile server and hostile peers against the message layer: stanzas out of the bytes, stanzas with good ciphertext
// around plaintexts out of the bytes, and answers to its questions out of the bytes.
//
// The input is a script: a byte that chooses, one that says how long the next piece is, the piece. Whatever comes, the
// layer must not crash, ask for its timer without an end, or skip a number of its commits.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "gateway/wa/messages/testing/message_world.h"
#include "gateway/wa/node_codec.h"

namespace wa = medidesk::gateway::wa;

namespace {

const char* const kFrom[] = {"222222222222222@lid", "222222222222222:3@lid",      "34600000002@s.whatsapp.net",
                             "111111111111111@lid", "15550001111@s.whatsapp.net", "120363000000000001@g.us"};

void Play(wa::testing::MessageWorld& world, std::uint8_t which, wa::ByteView piece) {
  const std::string text(wa::AsText(piece));
  const char* from = kFrom[piece.empty() ? 0 : piece[0] % std::size(kFrom)];
  const wa::Jid jid = wa::testing::At(from);
  switch (which % 10) {
    case 0:
      if (const auto node = wa::DecodeNode(piece); node.ok()) world.Receive(*node);
      return;
    case 1: {
      // A peer that knows how to encrypt, and says anything.
      auto& peer = world.Peer(jid.IsLid() ? from : kFrom[0]);
      if (!peer.HasSession(world.clinic())) (void)peer.Start(world.clinic(), world.ClinicBundle());
      std::vector<wa::Attribute> more;
      if (piece.size() > 1 && piece[1] % 3 == 0) more.emplace_back("category", "peer");
      if (piece.size() > 1 && piece[1] % 3 == 1) more.emplace_back("recipient", wa::testing::At(kFrom[0]));
      world.Receive(world.Stanza(jid, peer.Encrypt(world.clinic(), piece), "F" + text.substr(0, 4), std::move(more)));
      return;
    }
    case 2:
      world.Receive(world.Stanza(jid, {.pre_key = piece.size() % 2 == 0, .bytes = wa::ToBytes(piece)}, "B1"));
      return;
    case 3:
      world.Receive(
          {"receipt",
           {{"id", text}, {"from", jid}, {"type", "retry"}},
           wa::Nodes{{"retry", {{"count", "2"}, {"id", text}}, {}}, {"registration", {}, wa::ToBytes(piece)}}});
      return;
    case 4:
      world.Receive(
          {"notification", {{"id", "N"}, {"from", jid}, {"type", "encrypt"}}, wa::Nodes{{"identity", {}, {}}}});
      world.Receive(
          {"notification",
           {{"id", "N"}, {"from", jid}, {"type", "privacy_token"}, {"sender_lid", wa::testing::At(kFrom[0])}},
           wa::Nodes{
               {"tokens", {}, wa::Nodes{{"token", {{"type", "trusted_contact"}, {"t", "1"}}, wa::ToBytes(piece)}}}}});
      return;
    case 5:
      (void)world.Send(wa::testing::At(kFrom[piece.size() % 3]), "x" + text, static_cast<int>(piece.size() % 3));
      return;
    case 6:
      // An answer to the oldest question, as it likes.
      if (!world.questions.empty()) {
        wa::Node result{"iq", {{"type", "result"}, {"id", world.questions.front().Attr("id")}}, {}};
        if (const auto node = wa::DecodeNode(piece); node.ok()) result.content = wa::Nodes{*node};
        world.questions.erase(world.questions.begin());
        world.Receive(result);
      }
      return;
    case 7:
      world.Advance(std::chrono::seconds(piece.empty() ? 1 : piece[0]));
      return;
    case 8:
      world.Disconnect();
      world.Connect();
      return;
    default:
      world.answer = piece.size() % 2 == 0;
      world.Ack(text, {{"error", text}});
      return;
  }
}

}  // namespace

// What the world expects counts here, too.
extern "C" int LLVMFuzzerInitialize(int*, char***) {
  GTEST_FLAG_SET(break_on_failure, true);
  return 0;
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  wa::testing::MessageWorld world;
  wa::ByteView rest(data, size);
  for (int steps = 0; rest.size() >= 2 && steps < 40; ++steps) {
    const std::uint8_t which = rest[0];
    const std::size_t length = std::min<std::size_t>(rest[1], rest.size() - 2);
    Play(world, which, rest.subspan(2, length));
    rest = rest.subspan(2 + length);
  }
  return 0;
}
