#include "tests/sim/whatsapp/certificates.h"

#include <gtest/gtest.h>

#include <set>
#include <string>

#include "tests/sim/whatsapp/wire.pb.h"

namespace medidesk::whatsapp_sim {
namespace {

constexpr std::int64_t kNow = 1'790'000'000;

// What is wrong with a chain, by the rules that a client must follow; empty when nothing is.
std::string Flaw(const Bytes& bytes, const Key& root, const Key& server, std::uint64_t now) {
  CertChain chain;
  if (!chain.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) return "no protobuf";
  if (!chain.has_intermediate() || chain.leaf().details().empty()) return "a field is missing";
  CertDetails intermediate, leaf;
  if (!intermediate.ParseFromString(chain.intermediate().details())) return "no details";
  if (!leaf.ParseFromString(chain.leaf().details())) return "no details";
  if (!Verify(root, ViewOf(chain.intermediate().details()), ViewOf(chain.intermediate().signature()))) {
    return "the intermediate's signature";
  }
  if (intermediate.issuer_serial() != 0) return "the intermediate's issuer";
  const auto key = KeyFrom(ViewOf(intermediate.key()));
  if (!key || !Verify(*key, ViewOf(chain.leaf().details()), ViewOf(chain.leaf().signature())))
    return "the leaf's signature";
  if (leaf.issuer_serial() != intermediate.serial()) return "the leaf's issuer";
  if (KeyFrom(ViewOf(leaf.key())) != server) return "the leaf's key";
  if (now < leaf.not_before() || now > leaf.not_after()) return "the leaf's time";
  if (now < intermediate.not_before() || now > intermediate.not_after()) return "the intermediate's time";
  return "";
}

TEST(Certificates, MakesAChainThatHolds) {
  CertificateAuthority authority;
  EXPECT_EQ(
      Flaw(authority.Chain(ChainForgery::kNone, kNow), authority.root_key(), authority.server_key().public_key, kNow),
      "");
}

TEST(Certificates, KeepsAChainForAnHourAndThenMakesAnother) {
  CertificateAuthority authority;
  const Bytes first = authority.Chain(ChainForgery::kNone, kNow);
  EXPECT_EQ(authority.Chain(ChainForgery::kNone, kNow + 3599), first);
  EXPECT_NE(authority.Chain(ChainForgery::kNone, kNow + 3600), first);
}

TEST(Certificates, ForgesEachInItsOwnWay) {
  const std::pair<const char*, const char*> kFlaws[] = {
      {"wrong_root", "the intermediate's signature"},
      {"bad_intermediate_signature", "the intermediate's signature"},
      {"bad_leaf_signature", "the leaf's signature"},
      {"short_signature", "the leaf's signature"},
      {"issuer_not_root", "the intermediate's issuer"},
      {"wrong_issuer_serial", "the leaf's issuer"},
      {"wrong_leaf_key", "the leaf's key"},
      {"expired_leaf", "the leaf's time"},
      {"leaf_not_yet_valid", "the leaf's time"},
      {"expired_intermediate", "the intermediate's time"},
      {"no_intermediate", "a field is missing"},
      {"no_leaf_details", "a field is missing"},
  };
  CertificateAuthority authority;
  std::set<std::string_view> tried{"none", "garbage"};
  for (const auto& [name, flaw] : kFlaws) {
    const Bytes chain = authority.Chain(ChainForgeryFrom(name).value(), kNow);
    EXPECT_EQ(Flaw(chain, authority.root_key(), authority.server_key().public_key, kNow), flaw) << name;
    tried.insert(name);
  }
  EXPECT_NE(Flaw(authority.Chain(ChainForgery::kGarbage, kNow), authority.root_key(), authority.server_key().public_key,
                 kNow),
            "");
  for (const std::string_view name : ChainForgeryNames()) EXPECT_TRUE(tried.contains(name)) << name;
  EXPECT_FALSE(ChainForgeryFrom("no_such"));
}

}  // namespace
}  // namespace medidesk::whatsapp_sim
