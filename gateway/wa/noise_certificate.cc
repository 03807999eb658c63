#include "gateway/wa/noise_certificate.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/status.h"
#include "whatsapp/cert.pb.h"

namespace medidesk::gateway::wa {
namespace {

constexpr std::uint32_t kRootSerial = 0;
constexpr std::size_t kSignatureSize = 64;  // bytes
constexpr std::size_t kKeySize = 32;        // bytes

absl::Status Malformed(std::string_view what) {
  return Error(absl::StatusCode::kInvalidArgument, fmt::format("noise certificate: {}", what));
}

absl::Status Forged(std::string_view what) {
  return Error(absl::StatusCode::kPermissionDenied, fmt::format("noise certificate: {}", what));
}

// The details of a certificate whose signature by `issuer` holds. The signature is over the bytes as they came.
absl::StatusOr<whatsapp::NoiseCertificateDetails> Signed(const whatsapp::NoiseCertificate& certificate, ByteView issuer,
                                                         std::string_view name) {
  if (!certificate.has_details() || certificate.signature().size() != kSignatureSize) {
    return Malformed(fmt::format("the {} lacks its details or a signature of 64 bytes", name));
  }
  if (!Verify(issuer, AsBytes(certificate.details()), AsBytes(certificate.signature()))) {
    return Forged(fmt::format("the {}'s signature is not its issuer's", name));
  }
  whatsapp::NoiseCertificateDetails details;
  if (!details.ParseFromString(certificate.details()) || details.key().size() != kKeySize) {
    return Malformed(fmt::format("the {}'s details are no message with a key of 32 bytes", name));
  }
  return details;
}

std::string Date(std::uint64_t unix_seconds) {
  constexpr std::uint64_t kYear10000 = 253'402'300'800;
  if (unix_seconds >= kYear10000) return "after 9999";
  using std::chrono::floor;
  const std::chrono::sys_seconds time{std::chrono::seconds(static_cast<std::int64_t>(unix_seconds))};
  const std::chrono::year_month_day day{floor<std::chrono::days>(time)};
  return fmt::format("{:04}-{:02}-{:02}", static_cast<int>(day.year()), static_cast<unsigned>(day.month()),
                     static_cast<unsigned>(day.day()));
}

absl::Status CheckDates(const whatsapp::NoiseCertificateDetails& details, std::chrono::sys_seconds now,
                        std::string_view name) {
  const auto seconds = static_cast<std::uint64_t>(std::max<std::int64_t>(now.time_since_epoch().count(), 0));
  if (seconds >= details.not_before() && seconds <= details.not_after()) return absl::OkStatus();
  return Error(
      absl::StatusCode::kFailedPrecondition,
      fmt::format("noise certificate: the {} is valid from {} to {}, this machine's clock says {}: set the clock, "
                  "or do not trust this server",
                  name, Date(details.not_before()), Date(details.not_after()), Date(seconds)));
}

}  // namespace

absl::StatusOr<NoiseVerdict> VerifyNoiseCertificate(ByteView chain, const Key32& server_key, const NoiseTrust& trust) {
  whatsapp::CertChain certificates;
  if (!certificates.ParseFromArray(chain.data(), static_cast<int>(chain.size()))) return Malformed("no chain");
  MD_ASSIGN_OR_RETURN(const auto intermediate, Signed(certificates.intermediate(), trust.root, "intermediate"));
  if (intermediate.issuer_serial() != kRootSerial) return Forged("the intermediate names another issuer than the root");
  MD_ASSIGN_OR_RETURN(const auto leaf, Signed(certificates.leaf(), AsBytes(intermediate.key()), "leaf"));
  if (leaf.issuer_serial() != intermediate.serial())
    return Forged("the leaf names another issuer than the intermediate");
  if (!std::equal(server_key.begin(), server_key.end(), AsBytes(leaf.key()).begin())) {
    return Forged("the leaf vouches for another key than the server's");
  }
  absl::Status dates = CheckDates(intermediate, trust.now, "intermediate");
  dates.Update(CheckDates(leaf, trust.now, "leaf"));
  if (!dates.ok() && !trust.ignore_dates) return dates;
  return NoiseVerdict{.dates = std::move(dates)};
}

}  // namespace medidesk::gateway::wa
