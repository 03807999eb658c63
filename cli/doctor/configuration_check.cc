#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <numeric>

#include "base/rpc/tls.h"
#include "cli/doctor/checks.h"

namespace medidesk::cli {
namespace {

// Read by no program under these names, but reserved by the design for the site.
constexpr std::string_view kReserved[] = {"MEDIDESK_TIMEZONE", "WHATSAPP_URL", "WHATSAPP_ROOT_KEY", "REDIS_URL",
                                          "SUPABASE_URL"};

bool IsKnown(std::string_view name) {
  const auto names = DocumentedVariables();
  return std::find(names.begin(), names.end(), name) != names.end() ||
         std::find(std::begin(kReserved), std::end(kReserved), name) != std::end(kReserved);
}

std::size_t Distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), 0);
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::size_t diagonal = row[0]++;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t above = row[j];
      row[j] = std::min({above + 1, row[j - 1] + 1, diagonal + (a[i - 1] == b[j - 1] ? 0 : 1)});
      diagonal = above;
    }
  }
  return row[b.size()];
}

// The known name within `limit` edits, or "".
std::string_view Nearest(std::string_view name, std::size_t limit) {
  std::string_view best;
  const auto look = [&](std::string_view known) {
    const std::size_t distance = Distance(name, known);
    if (distance <= limit) {
      best = known;
      limit = distance == 0 ? 0 : distance - 1;
    }
  };
  for (const std::string_view known : DocumentedVariables()) look(known);
  for (const std::string_view known : kReserved) look(known);
  return best;
}

void CheckNames(const Settings& settings, FindingList& findings) {
  for (const std::string& name : settings.file_names()) {
    if (IsKnown(name)) continue;
    const bool ours = name.rfind("MEDIDESK_", 0) == 0;
    const std::string_view nearest = Nearest(name, ours ? 4 : name.size() < 6 ? 0 : 2);
    if (!ours && nearest.empty()) continue;  // somebody else's
    findings.push_back({FindingLevel::kWarning, "configuration", fmt::format("{} in .env is no setting", name),
                        nearest.empty() ? "remove it, or correct it: docs/configuration.md lists the settings"
                                        : fmt::format("did you mean {}? Correct it in .env", nearest)});
  }
}

void CheckFile(const Settings& settings, FindingList& findings) {
  for (const int line : settings.bad_lines()) {
    findings.push_back({FindingLevel::kError, "configuration", fmt::format(".env, line {}: not NAME=VALUE", line),
                        "write it as NAME=VALUE, or put # before it"});
  }
  struct stat status {};
  if (stat(settings.file().c_str(), &status) == 0 && (status.st_mode & 004) != 0 && !settings.file_names().empty()) {
    findings.push_back({FindingLevel::kWarning, "configuration", ".env can be read by every account of this machine",
                        "chmod 600 .env"});
  }
}

bool Is32BytesOfBase64(std::string_view text) {
  constexpr std::string_view kDigits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  // 32 bytes are 43 digits and one =; the last digit's two lowest bits are unused.
  if (text.size() != 44 || text.back() != '=') return false;
  text.remove_suffix(1);
  return text.find_first_not_of(kDigits) == std::string_view::npos && kDigits.find(text.back()) % 4 == 0;
}

void CheckMasterKey(const Settings& settings, FindingList& findings) {
  std::string key = settings.Get("MEDIDESK_MASTER_KEY");
  std::string where = "MEDIDESK_MASTER_KEY";
  if (key.empty()) {
    where = settings.Get("MEDIDESK_VAR", "var") + "/master_key";
    std::ifstream in(where);
    if (!in) {
      std::error_code error;
      if (std::filesystem::exists(where, error)) {
        findings.push_back({FindingLevel::kSkipped, "master key", where + " is not ours to read",
                            "run doctor with the account that runs MediDesk"});
      } else {
        findings.push_back({FindingLevel::kSkipped, "master key", "none is set yet; ./medidesk up makes one", ""});
      }
      return;
    }
    std::getline(in, key);
    struct stat status {};
    if (stat(where.c_str(), &status) == 0 && (status.st_mode & 077) != 0) {
      findings.push_back(
          {FindingLevel::kWarning, "master key", where + " can be read by other accounts", "chmod 600 " + where});
    }
  }
  if (Is32BytesOfBase64(key)) {
    findings.push_back({FindingLevel::kOk, "master key", "32 bytes", ""});
  } else {
    findings.push_back({FindingLevel::kError, "master key", where + " is not 32 bytes in base64",
                        "restore the key from its backup; for a first installation: head -c 32 /dev/urandom | base64"});
  }
}

void CheckTimezone(const Settings& settings, FindingList& findings) {
  const std::string zone = settings.Get("MEDIDESK_TIMEZONE");
  if (zone.empty()) return;
  std::error_code error;
  const bool plain = zone.front() != '/' && zone.find("..") == std::string::npos;
  if (plain && std::filesystem::is_regular_file("/usr/share/zoneinfo/" + zone, error)) {
    findings.push_back({FindingLevel::kOk, "timezone", "known to this machine", ""});
  } else if (!std::filesystem::exists("/usr/share/zoneinfo", error)) {
    findings.push_back({FindingLevel::kError, "timezone", "this machine has no time zones", "install tzdata"});
  } else {
    findings.push_back({FindingLevel::kError, "timezone", "MEDIDESK_TIMEZONE is no time zone",
                        "write an IANA name, e.g. Asia/Kolkata; ls /usr/share/zoneinfo shows them"});
  }
}

void CheckExposure(const Settings& settings, FindingList& findings) {
  const std::string address = settings.Get("HTTP_ADDRESS", "127.0.0.1");
  if (rpc::IsLocalAddress(address.find(':') == std::string::npos ? address + ":0" : "[" + address + "]:0")) return;
  bool keyed = false;
  for (const char* name : {"WEBHOOK_KEY", "SUPABASE_ANON_KEY", "SUPABASE_JWT_SECRET", "SUPABASE_JWKS"}) {
    keyed = keyed || settings.Has(name);
  }
  if (settings.Switch("WEBHOOK_OPEN")) {
    findings.push_back({FindingLevel::kWarning, "webhook", "the webhook is open to everybody who reaches HTTP_ADDRESS",
                        "set WEBHOOK_KEY and remove WEBHOOK_OPEN"});
  } else if (!keyed) {
    findings.push_back({FindingLevel::kError, "webhook", "HTTP listens beyond this machine and the webhook has no key",
                        "set WEBHOOK_KEY, or HTTP_ADDRESS=127.0.0.1; without either MediDesk does not start"});
  }
}

}  // namespace

FindingList CheckConfiguration(const Settings& settings, std::optional<bool> facts_name_emergency_number) {
  FindingList findings;
  CheckFile(settings, findings);
  CheckNames(settings, findings);
  if (findings.empty()) findings.push_back({FindingLevel::kOk, "configuration", "every name is known", ""});
  CheckMasterKey(settings, findings);
  CheckTimezone(settings, findings);
  CheckExposure(settings, findings);
  if (settings.Has("MEDIDESK_EMERGENCY_NUMBER")) return findings;
  if (!facts_name_emergency_number) {
    findings.push_back(
        {FindingLevel::kSkipped, "emergency number", "the facts, which may name it, cannot be read", ""});
  } else if (!*facts_name_emergency_number) {
    findings.push_back({FindingLevel::kWarning, "emergency number",
                        "not known: emergency texts say \"your local emergency number\"",
                        "set MEDIDESK_EMERGENCY_NUMBER, or emergency_number in the hospital's file"});
  }
  return findings;
}

}  // namespace medidesk::cli
