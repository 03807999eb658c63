#include "cli/doctor/doctor_command.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>

#include "cli/doctor/checks.h"

namespace medidesk::cli {
namespace {

// The same line from two programs counts once.
void Append(FindingList& all, FindingList more) {
  for (Finding& finding : more) {
    const bool known = std::any_of(all.begin(), all.end(), [&](const Finding& one) {
      return one.check == finding.check && one.what == finding.what;
    });
    if (!known) all.push_back(std::move(finding));
  }
}

FindingList CheckAll(const Settings& settings) {
  const FindingList database = CheckDatabase(settings);
  std::optional<bool> facts;
  for (const Finding& finding : database) {
    if (finding.check == "hospital" && finding.level != FindingLevel::kSkipped) {
      facts = facts.value_or(true) && finding.level == FindingLevel::kOk;
    }
  }
  FindingList all = CheckConfiguration(settings, facts);
  Append(all, database);
  Append(all, CheckClaude(settings));
  Append(all, CheckCertificates(settings));
  Append(all, CheckPorts(settings));
  Append(all, CheckDisk(settings));
  Append(all, CheckWhatsApp(settings));
  return all;
}

absl::StatusOr<int> Run(Context& context, Arguments& arguments) {
  const bool as_json = arguments.Switch("--json");
  MD_ASSIGN_OR_RETURN(const auto env_file, arguments.Option("--env"));
  MD_ASSIGN_OR_RETURN(const auto webhook, arguments.Option("--webhook"));
  MD_ASSIGN_OR_RETURN(const auto key, arguments.Option("--key"));
  MD_RETURN_IF_ERROR(arguments.Finish());
  if (key && !webhook) return Error(absl::StatusCode::kInvalidArgument, "--key: only with --webhook");

  const Settings settings = Settings::Read(env_file.value_or(".env"), environ);
  const std::string known_key = settings.Get("WEBHOOK_KEY");
  const FindingList findings =
      webhook ? CheckWebhook(*webhook, key.value_or(known_key.substr(0, known_key.find(',')))) : CheckAll(settings);

  std::array<int, 4> counts{};
  std::string lines;
  for (const Finding& finding : findings) {
    ++counts[static_cast<std::size_t>(finding.level)];
    if (as_json) {
      lines += (lines.empty() ? "" : ",") + ToJson(finding);
      continue;
    }
    lines += fmt::format("{:<8} {}: {}\n", Name(finding.level), finding.check, finding.what);
    if (!finding.cure.empty()) lines += fmt::format("{:<8} do: {}\n", "", finding.cure);
  }
  const auto [ok, skipped, warnings, errors] = counts;
  if (as_json) {
    context.out() << fmt::format(R"({{"findings":[{}],"ok":{},"skipped":{},"warnings":{},"errors":{}}})", lines, ok,
                                 skipped, warnings, errors)
                  << '\n';
  } else {
    context.out() << lines
                  << fmt::format("errors: {}, warnings: {}, ok: {}, skipped: {}\n", errors, warnings, ok, skipped);
  }
  return errors == 0 ? kDone : kRefused;
}

}  // namespace

constexpr Command kDoctorCommand = {"doctor", "checks the installation and says what to do",
                                    "doctor [--json] [--env FILE]\ndoctor --webhook URL [--key KEY] [--json]", &Run};

}  // namespace medidesk::cli
