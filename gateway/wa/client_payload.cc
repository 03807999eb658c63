#include "gateway/wa/client_payload.h"

#include <array>
#include <charconv>

#include "base/status.h"
#include "gateway/wa/big_endian.h"
#include "gateway/wa/key_derivation.h"
#include "whatsapp/client_payload.pb.h"

namespace medidesk::gateway::wa {
namespace {

constexpr int kWebPlatform = 14;
constexpr int kReleaseChannel = 0;
constexpr int kWebBrowser = 0;
constexpr int kWifiUnknown = 1;
constexpr int kUserActivated = 1;
constexpr std::uint32_t kHistoryQuotaMb = 10240;

void SetVersion(const ClientVersion& from, whatsapp::AppVersion& to) {
  to.set_primary(from.primary);
  to.set_secondary(from.secondary);
  to.set_tertiary(from.tertiary);
}

whatsapp::ClientPayload CommonPayload(const ClientProfile& profile, bool login) {
  whatsapp::ClientPayload payload;
  payload.set_passive(login);
  payload.set_pull(login);
  whatsapp::UserAgent& agent = *payload.mutable_user_agent();
  agent.set_platform(kWebPlatform);
  SetVersion(profile.version, *agent.mutable_app_version());
  agent.set_mcc("000");
  agent.set_mnc("000");
  agent.set_os_version("0.1");
  agent.set_device("Desktop");
  agent.set_os_build_number("0.1");
  agent.set_release_channel(kReleaseChannel);
  agent.set_locale_language("en");
  agent.set_locale_country("US");
  payload.mutable_web_info()->set_web_sub_platform(kWebBrowser);
  payload.set_connect_type(kWifiUnknown);
  payload.set_connect_reason(kUserActivated);
  return payload;
}

// History is not asked for: answers rest on what patients write from now on.
std::string DeviceProps(const ClientProfile& profile) {
  whatsapp::DeviceProps props;
  props.set_os(profile.device_name);
  SetVersion(profile.device_version, *props.mutable_version());
  props.set_platform_type(static_cast<int>(profile.platform));
  props.set_require_full_sync(false);
  whatsapp::HistorySyncConfig& history = *props.mutable_history_sync_config();
  history.set_storage_quota_mb(kHistoryQuotaMb);
  history.set_inline_initial_payload(true);
  history.set_support_call_log_history(false);
  history.set_support_bot_user_agent_chat_history(true);
  history.set_support_cag_reactions_and_polls(true);
  history.set_support_biz_hosted_msg(true);
  history.set_support_recent_sync_chunk_message_count_tuning(true);
  history.set_support_hosted_group_msg(true);
  history.set_support_fbid_bot_chat_history(true);
  history.set_support_message_association(true);
  history.set_support_group_history(false);
  return props.SerializeAsString();
}

}  // namespace

std::string ClientVersion::ToString() const {
  return std::to_string(primary) + "." + std::to_string(secondary) + "." + std::to_string(tertiary);
}

absl::StatusOr<ClientVersion> ClientVersion::Parse(std::string_view text) {
  const absl::Status bad = Error(absl::StatusCode::kInvalidArgument, "a client version looks like 2.3000.1045649367");
  std::array<std::uint32_t, 3> parts{};
  const char* at = text.data();
  const char* end = text.data() + text.size();
  for (std::size_t i = 0; i < parts.size(); ++i) {
    if (i > 0 && (at == end || *at++ != '.')) return bad;
    const auto [next, error] = std::from_chars(at, end, parts[i]);
    if (error != std::errc()) return bad;
    at = next;
  }
  if (at != end) return bad;
  return ClientVersion{parts[0], parts[1], parts[2]};
}

char PlatformId(DevicePlatform platform) {
  switch (platform) {
    case DevicePlatform::kChrome:
      return '1';
    case DevicePlatform::kDesktop:
      return '7';
  }
  return '1';
}

Bytes RegistrationPayload(const ClientProfile& profile, const DeviceCredentials& credentials) {
  whatsapp::ClientPayload payload = CommonPayload(profile, /*login=*/false);
  const SignedPreKey& pre_key = credentials.signed_pre_key;
  whatsapp::DevicePairingData& pairing = *payload.mutable_device_pairing_data();
  pairing.set_registration_id(ToString(BigEndian32(credentials.registration_id)));
  pairing.set_key_type(std::string(1, static_cast<char>(kKeyType)));
  pairing.set_identity(ToString(credentials.identity.public_key));
  pairing.set_signed_pre_key_id(ToString(BigEndian24(pre_key.id)));
  pairing.set_signed_pre_key(ToString(pre_key.pair.public_key));
  pairing.set_signed_pre_key_signature(ToString(pre_key.signature));
  pairing.set_build_hash(ToString(Md5(AsBytes(profile.version.ToString()))));
  pairing.set_device_props(DeviceProps(profile));
  return ToBytes(payload.SerializeAsString());
}

absl::StatusOr<Bytes> LoginPayload(const ClientProfile& profile, const DeviceCredentials& credentials) {
  if (!credentials.linked()) {
    return Error(absl::StatusCode::kFailedPrecondition, "the device is not linked: link it first");
  }
  const Jid& jid = credentials.account->jid;
  std::uint64_t username = 0;
  const auto [end, error] = std::from_chars(jid.user.data(), jid.user.data() + jid.user.size(), username);
  if (error != std::errc() || end != jid.user.data() + jid.user.size()) {
    return Error(absl::StatusCode::kFailedPrecondition, "the device's own address is no phone number: link it again");
  }
  whatsapp::ClientPayload payload = CommonPayload(profile, /*login=*/true);
  payload.set_username(username);
  payload.set_device(jid.device);
  payload.set_lid_db_migrated(profile.lid_first);
  return ToBytes(payload.SerializeAsString());
}

}  // namespace medidesk::gateway::wa
