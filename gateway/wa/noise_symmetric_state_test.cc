#include "gateway/wa/noise_symmetric_state.h"

#include <gtest/gtest.h>

#include <map>

#include "gateway/wa/noise_cipher.h"
#include "gateway/wa/testing/vectors.h"

namespace medidesk::gateway::wa {
namespace {

using testing::Hex;
using testing::HexMember;
using testing::PairMember;
using testing::ReadVectors;
using testing::Text;

constexpr std::string_view kName = "Noise_XX_25519_AESGCM_SHA256";

// The hash after each MixHash of the trace comes from what is named here; the one after a ciphertext is made by the
// step before it.
std::map<std::string, Bytes> MixedInTheOpen(const boost::json::value& file) {
  const auto& keys = file.at("keys");
  return {{"prologue", HexMember(file, "prologue")},
          {"client ephemeral", HexMember(keys.at("client_ephemeral"), "public")},
          {"server ephemeral", HexMember(keys.at("server_ephemeral"), "public")}};
}

Bytes PlaintextOf(const boost::json::value& file, const std::string& what) {
  if (what == "server static public key") return HexMember(file.at("keys").at("server_static"), "public");
  if (what == "certificate chain") return HexMember(file.at("cert"), "chain");
  if (what == "client static public key") return HexMember(file.at("keys").at("client_static"), "public");
  EXPECT_EQ(what, "client payload");
  return HexMember(file, "client_payload");
}

Key32 SecretOf(const boost::json::value& file, const std::string& what, bool server) {
  const auto& keys = file.at("keys");
  const bool static_client = what.starts_with("se");
  const bool static_server = what.starts_with("es");
  EXPECT_TRUE(static_client || static_server || what.starts_with("ee")) << what;
  const KeyPair client = PairMember(keys, static_client ? "client_static" : "client_ephemeral");
  const KeyPair other = PairMember(keys, static_server ? "server_static" : "server_ephemeral");
  return server ? Agree(other.private_key, client.public_key).value()
                : Agree(client.private_key, other.public_key).value();
}

// Both sides go through the trace step by step, every value compared.
TEST(NoiseSymmetricState, ComputesEveryValueOfTheTrace) {
  const auto file = ReadVectors("noise.json");
  NoiseSymmetricState client(kName);
  NoiseSymmetricState server(kName);
  EXPECT_EQ(Hex(client.hash()), Text(file, "protocol_name_hex"));
  int steps = 0;
  for (const auto& step : file.at("trace").as_array()) {
    const std::string op = Text(step, "op");
    const std::string what = Text(step, "what");
    SCOPED_TRACE(op + " " + what);
    ++steps;
    for (NoiseSymmetricState* side : {&client, &server}) {
      if (op == "MixHash") {
        if (!what.ends_with("ciphertext")) side->MixHash(MixedInTheOpen(file).at(what));
        EXPECT_EQ(Hex(side->hash()), Text(step, "h"));
      } else if (op == "MixKey") {
        const Key32 secret = SecretOf(file, what, side == &server);
        EXPECT_EQ(Hex(secret), Text(step, "dh"));
        side->MixKey(secret);
        EXPECT_EQ(Hex(side->chaining_key()), Text(step, "ck"));
        EXPECT_EQ(Hex(side->key()), Text(step, "k"));
        EXPECT_EQ(side->counter(), 0u);
      } else {
        // The trace is the server's: what it encrypts the client decrypts, and the other way round.
        ASSERT_TRUE(op == "EncryptAndHash" || op == "DecryptAndHash");
        EXPECT_EQ(side->counter(), step.at("n").to_number<std::uint64_t>());
        EXPECT_EQ(Hex(side->hash()), Text(step, "aad"));
        const Bytes plaintext = PlaintextOf(file, what);
        const Bytes ciphertext = HexMember(step, "ct");
        if ((op == "EncryptAndHash") == (side == &server)) {
          EXPECT_EQ(Hex(side->EncryptAndHash(plaintext)), Hex(ciphertext));
        } else {
          EXPECT_EQ(*side->DecryptAndHash(ciphertext), plaintext);
        }
      }
    }
  }
  EXPECT_EQ(steps, 14);
  for (const NoiseSymmetricState* side : {&client, &server}) {
    EXPECT_EQ(Hex(side->hash()), Text(file.at("final"), "h"));
    EXPECT_EQ(Hex(side->chaining_key()), Text(file.at("final"), "ck"));
    EXPECT_EQ(Hex(side->Split().first), Text(file.at("final"), "client_write_key"));
    EXPECT_EQ(Hex(side->Split().second), Text(file.at("final"), "client_read_key"));
  }
}

TEST(NoiseSymmetricState, LeavesItsStateAloneWhenAMessageIsRefused) {
  NoiseSymmetricState side(kName);
  side.MixKey({1});
  const Key32 hash = side.hash();
  EXPECT_EQ(side.DecryptAndHash(Bytes(40)).status().code(), absl::StatusCode::kUnauthenticated);
  EXPECT_EQ(side.DecryptAndHash(Bytes(3)).status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(side.hash(), hash);
  EXPECT_EQ(side.counter(), 0u);
}

}  // namespace
}  // namespace medidesk::gateway::wa
