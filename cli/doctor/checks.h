// The checks of `./medidesk doctor`. Each gives what it found, "ok" included; one that cannot run says why.
// Whatever waits for somebody else does so for at most 5 s. They change nothing, but for CheckWebhook(),
// which asks the webhook as a patient would.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/finding.h"
#include "cli/doctor/settings.h"

namespace medidesk::cli {

using FindingList = std::vector<Finding>;

// The variables that docs/configuration.md names; made from it at build time.
std::span<const std::string_view> DocumentedVariables();

// .env, unknown names, master key, timezone, an open webhook. `facts_name_emergency_number`: as the database
// check found; nullopt when the facts could not be read.
FindingList CheckConfiguration(const Settings& settings, std::optional<bool> facts_name_emergency_number);
// TLS_CA, TLS_CERT, TLS_KEY, HTTP_TLS_CERT, HTTP_TLS_KEY.
FindingList CheckCertificates(const Settings& settings);
// The ports that MediDesk listens on: free, or ours already.
FindingList CheckPorts(const Settings& settings);
// Room under MEDIDESK_VAR and where the private database lives.
FindingList CheckDisk(const Settings& settings);
// The address of WHATSAPP_URL: name, TCP, TLS.
FindingList CheckWhatsApp(const Settings& settings);
// Runs `<folder of this program>/<program> --check` and takes its findings; `check` names its own trouble.
FindingList RunProgramCheck(const std::string& program, const std::string& check, const Settings& settings);
// The database through medidesk-store, Claude through medidesk-assistant.
FindingList CheckDatabase(const Settings& settings);
FindingList CheckClaude(const Settings& settings);
// The four questions of the original's tester, with a phone number that is nobody's. They are stored there.
FindingList CheckWebhook(const std::string& url, const std::string& key);

}  // namespace medidesk::cli
