#include "gateway/wa/noise_certificate.h"

#include <gtest/gtest.h>

#include "base/status.h"
#include "gateway/wa/testing/noise_server.h"
#include "gateway/wa/testing/vectors.h"

namespace medidesk::gateway::wa {
namespace {

using testing::ChainSpec;
using testing::FixedPair;
using testing::MakeChain;

const Key32 kServerKey = FixedPair(3).public_key;

NoiseTrust TrustAt(std::int64_t unix_seconds, bool ignore_dates = false) {
  return {.root = FixedPair(1).public_key,
          .now = std::chrono::sys_seconds(std::chrono::seconds(unix_seconds)),
          .ignore_dates = ignore_dates};
}

absl::Status Check(const whatsapp::CertChain& chain, const NoiseTrust& trust = TrustAt(3'000)) {
  return VerifyNoiseCertificate(AsBytes(chain.SerializeAsString()), kServerKey, trust).status();
}
absl::Status Check(const ChainSpec& spec, const NoiseTrust& trust = TrustAt(3'000)) {
  return Check(MakeChain(spec), trust);
}

TEST(NoiseCertificate, AcceptsTheChainOfTheVector) {
  const auto file = testing::ReadVectors("noise.json");
  const Bytes chain = testing::HexMember(file.at("cert"), "chain");
  const Key32 server = testing::KeyMember(file.at("keys").at("server_static"), "public");
  const NoiseTrust trust{.root = testing::KeyMember(file.at("keys").at("root"), "public"),
                         .now = std::chrono::sys_seconds(std::chrono::seconds(1'750'000'000))};
  const auto verdict = VerifyNoiseCertificate(chain, server, trust);
  ASSERT_TRUE(verdict.ok()) << verdict.status();
  EXPECT_TRUE(verdict->dates.ok());
  // It is not signed down from the root of the real servers.
  EXPECT_EQ(VerifyNoiseCertificate(chain, server, {.now = trust.now}).status().code(),
            absl::StatusCode::kPermissionDenied);
  for (std::size_t size = 0; size < chain.size(); ++size) {
    EXPECT_FALSE(VerifyNoiseCertificate({chain.data(), size}, server, trust).ok()) << "prefix of " << size;
  }
}

TEST(NoiseCertificate, AcceptsItsOwnSample) { EXPECT_TRUE(Check(ChainSpec()).ok()); }

TEST(NoiseCertificate, RefusesAChainThatSomebodyElseSigned) {
  ChainSpec spec;
  spec.root = FixedPair(8);
  EXPECT_EQ(Text(Check(spec)), "noise certificate: the intermediate's signature is not its issuer's");
  spec = {};
  spec.leaf_signer = FixedPair(8);
  EXPECT_EQ(Text(Check(spec)), "noise certificate: the leaf's signature is not its issuer's");
  EXPECT_EQ(Check(spec).code(), absl::StatusCode::kPermissionDenied);
}

TEST(NoiseCertificate, RefusesAnotherIssuerOrKey) {
  ChainSpec spec;
  spec.intermediate_issuer = 1;
  EXPECT_EQ(Text(Check(spec)), "noise certificate: the intermediate names another issuer than the root");
  spec = {};
  spec.leaf_issuer = 6;
  EXPECT_EQ(Text(Check(spec)), "noise certificate: the leaf names another issuer than the intermediate");
  spec = {};
  spec.leaf_key = ToBytes(ByteView(FixedPair(7).public_key));
  EXPECT_EQ(Text(Check(spec)), "noise certificate: the leaf vouches for another key than the server's");
  EXPECT_EQ(Check(spec).code(), absl::StatusCode::kPermissionDenied);
}

TEST(NoiseCertificate, RefusesAChainOutsideItsDates) {
  EXPECT_TRUE(Check(ChainSpec(), TrustAt(2'000)).ok());
  EXPECT_TRUE(Check(ChainSpec(), TrustAt(4'000)).ok());
  for (const std::int64_t now : {-1, 0, 999, 1'999, 4'001, 5'001}) {
    EXPECT_EQ(Check(ChainSpec(), TrustAt(now)).code(), absl::StatusCode::kFailedPrecondition) << now;
  }
  ChainSpec spec;
  spec.intermediate_not_after = 2'500;
  EXPECT_EQ(Check(spec).code(), absl::StatusCode::kFailedPrecondition);
  spec.intermediate_not_before = 1'700'000'000;
  spec.intermediate_not_after = ~std::uint64_t{0};
  EXPECT_EQ(Text(Check(spec)),
            "noise certificate: the intermediate is valid from 2023-11-14 to after 9999, this machine's clock says "
            "1970-01-01: set the clock, or do not trust this server");
}

TEST(NoiseCertificate, IgnoresTheDatesAloneWhenToldTo) {
  const std::string chain = MakeChain(ChainSpec()).SerializeAsString();
  const auto verdict = VerifyNoiseCertificate(AsBytes(chain), kServerKey, TrustAt(9'999, /*ignore_dates=*/true));
  ASSERT_TRUE(verdict.ok());
  EXPECT_EQ(verdict->dates.code(), absl::StatusCode::kFailedPrecondition);
  ChainSpec spec;
  spec.leaf_issuer = 6;
  EXPECT_EQ(Check(spec, TrustAt(9'999, true)).code(), absl::StatusCode::kPermissionDenied);
}

TEST(NoiseCertificate, RefusesWhatLacksAPart) {
  whatsapp::CertChain chain;
  EXPECT_EQ(Check(chain).code(), absl::StatusCode::kInvalidArgument);
  chain = MakeChain({});
  chain.clear_leaf();
  EXPECT_EQ(Check(chain).code(), absl::StatusCode::kInvalidArgument);
  chain = MakeChain({});
  chain.mutable_intermediate()->clear_details();
  EXPECT_EQ(Check(chain).code(), absl::StatusCode::kInvalidArgument);
  chain = MakeChain({});
  chain.mutable_leaf()->mutable_signature()->push_back('x');
  EXPECT_EQ(Check(chain).code(), absl::StatusCode::kInvalidArgument);
  ChainSpec spec;
  spec.intermediate_key.pop_back();
  EXPECT_EQ(Check(spec).code(), absl::StatusCode::kInvalidArgument);
  spec = {};
  spec.leaf_key.clear();
  EXPECT_EQ(Check(spec).code(), absl::StatusCode::kInvalidArgument);
}

TEST(NoiseCertificate, RefusesEveryFlippedBitOfAnIntermediate) {
  const whatsapp::CertChain good = MakeChain({});
  for (std::size_t bit = 0; bit < good.intermediate().details().size() * 8; ++bit) {
    whatsapp::CertChain chain = good;
    (*chain.mutable_intermediate()->mutable_details())[bit / 8] ^= static_cast<char>(1u << bit % 8);
    EXPECT_EQ(Check(chain).code(), absl::StatusCode::kPermissionDenied) << bit;
  }
}

}  // namespace
}  // namespace medidesk::gateway::wa
