#include "cli/certs_command.h"

#include <fmt/format.h>

#include <charconv>
#include <filesystem>

#include "cli/trial_certificates.h"

namespace medidesk::cli {
namespace {

absl::StatusOr<int> Run(Context& context, Arguments& arguments) {
  TrialCertificates wanted;
  MD_ASSIGN_OR_RETURN(wanted.hosts, arguments.Options("--host"));
  MD_ASSIGN_OR_RETURN(const auto days, arguments.Option("--days"));
  if (days) {
    const auto [end, error] = std::from_chars(days->data(), days->data() + days->size(), wanted.days);
    if (error != std::errc() || end != days->data() + days->size() || wanted.days < 1 || wanted.days > 3650) {
      return Error(absl::StatusCode::kInvalidArgument, "--days: expected a whole number from 1 to 3650");
    }
  }
  MD_ASSIGN_OR_RETURN(wanted.folder, arguments.Word("DIR"));
  MD_RETURN_IF_ERROR(arguments.Finish());
  MD_RETURN_IF_ERROR(MakeTrialCertificates(wanted));

  const std::string folder = std::filesystem::absolute(wanted.folder).lexically_normal().string();
  context.out() << "Certificates for " << wanted.days << " days. Each service is started with its own:\n";
  for (const std::string_view name : kCertificateNames) {
    context.out() << fmt::format("  {1:<9} TLS_CA={0}/ca.pem TLS_CERT={0}/{1}.pem TLS_KEY={0}/{1}.key\n", folder, name);
  }
  context.out() << "For trials: who holds ca.key can be any service. Delete it when no more certificates are needed.\n";
  return kDone;
}

}  // namespace

constexpr Command kCertsCommand = {"certs", "a certificate authority and a certificate a service, for trials",
                                   "certs DIR [--host NAME]... [--days N]", &Run};

}  // namespace medidesk::cli
