#include "gateway/build.h"

#include <algorithm>
#include <filesystem>
#include <optional>
#include <utility>

#include "base/log.h"
#include "base/status.h"
#include "gateway/device/sealing_keys.h"

namespace medidesk::gateway {
namespace {

constexpr char kVersion[] = "0.1.0";

std::optional<wa::Key32> KeyFromHex(const std::string& hex) {
  wa::Key32 key{};
  if (hex.size() != 2 * key.size()) return std::nullopt;
  const auto digit = [](char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
  };
  for (std::size_t i = 0; i < key.size(); ++i) {
    const int high = digit(hex[2 * i]), low = digit(hex[2 * i + 1]);
    if (high < 0 || low < 0) return std::nullopt;
    key[i] = static_cast<std::uint8_t>(high << 4 | low);
  }
  return key;
}

// Only under the lock: another process may write in the same folder otherwise.
absl::StatusOr<std::string> JournalFolder(const std::string& var, const GatewayIdentity& identity) {
  if (!identity.lock_held()) {
    log::Warning("gateway.no_journal", {{"reason", log::Public(var.empty() ? "MEDIDESK_VAR is empty" : "not locked")}});
    return std::string();
  }
  const std::filesystem::path folder = std::filesystem::path(var) / "journal";
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  if (!error) std::filesystem::permissions(folder, std::filesystem::perms::owner_all, error);
  if (error) {
    return Error(absl::StatusCode::kFailedPrecondition,
                 "MEDIDESK_VAR: the gateway's journal cannot be kept there; name a folder that it may write to");
  }
  return folder.string();
}

}  // namespace

void GatewayConfig::Register(FlagSet& flags) {
  flags.Add("whatsapp_url", &whatsapp_url, "WebSocket endpoint of WhatsApp, ws:// or wss://");
  flags.Add("whatsapp_root_key", &whatsapp_root_key,
            "32 bytes in hex that the server's certificate must come from; empty: WhatsApp's own");
  flags.Add("whatsapp_ca", &whatsapp_ca, "PEM file of those to trust for wss:// instead of the system's");
  flags.Add(
      "gateway_id", &gateway_id,
      "id of this gateway among others, the same after a restart; empty: one is made and kept under MEDIDESK_VAR");
  flags.Add("gateway_public_address", &gateway_public_address,
            "host:port where other services reach this gateway; empty: where it listens");
  flags.Add("gateway_numbers", &gateway_numbers, "WhatsApp numbers that this gateway takes at most",
            {.min = 1, .max = 10'000});
  flags.Add("master_key", &master_key,
            "32 bytes in base64 that seal device keys; NEW,OLD rotates; empty: no number is taken or linked");
  flags.Twin("master_key", "MEDIDESK_MASTER_KEY");
  flags.Add("var", &var,
            "folder for the gateway's id, lock and journal; empty: a fresh id with every start, and nothing leaves "
            "without the store");
  flags.Twin("var", "MEDIDESK_VAR");
  flags.Add("burst_quiet", &burst_quiet, "a patient's turn ends after so long without a message or typing");
  flags.Add("burst_limit", &burst_limit, "and at the latest so long after its first message");
  flags.Add("typing", &typing, "show the patient that an answer is being written");
  flags.Add("send_governor", &send_governor,
            "limit how fast and to whom numbers write; off: WhatsApp may restrict or ban them");
  flags.Add("send_gap_min", &send_gap_min, "shortest pause between two messages to one patient");
  flags.Add("send_gap_max", &send_gap_max, "longest such pause; one is drawn each time");
}

void GatewayConfig::RegisterSite(FlagSet& flags) {
  flags.Add("emergency_number", &emergency_number, "of the site, where the hospital's file has none");
  flags.Twin("emergency_number", "MEDIDESK_EMERGENCY_NUMBER");
  flags.Add("crisis_line", &crisis_line, "of the site, where the hospital's file has none");
  flags.Twin("crisis_line", "MEDIDESK_CRISIS_LINE");
}

absl::Status GatewayConfig::Check() const {
  MD_RETURN_IF_ERROR(net::WhatsAppServer::Make(whatsapp_url, whatsapp_ca).status());
  if (!whatsapp_root_key.empty() && !KeyFromHex(whatsapp_root_key)) {
    return Error(absl::StatusCode::kInvalidArgument, "whatsapp_root_key: expected 64 hex digits");
  }
  if (burst_limit < burst_quiet) {
    return Error(absl::StatusCode::kInvalidArgument, "burst_limit: must not be shorter than burst_quiet");
  }
  if (send_gap_max < send_gap_min) {
    return Error(absl::StatusCode::kInvalidArgument, "send_gap_max: must not be shorter than send_gap_min");
  }
  if (!master_key.empty()) MD_RETURN_IF_ERROR(SealingKeys::Parse(master_key, SystemEntropy()).status());
  return absl::OkStatus();
}

Gateway::Gateway(rpc::Dispatcher::Executor executor, prometheus::Registry& registry, const rpc::Channel& store)
    : metrics_(registry),
      dispatcher_(executor, registry, {.service = "gateway"}),
      tokens_(rpc::TokenCheck::AskStore(store)),
      guard_(&tokens_, {}) {
  dispatcher_.SetGuard(&guard_);
}

absl::StatusOr<std::unique_ptr<Gateway>> Gateway::Create(const GatewayConfig& config,
                                                         rpc::Dispatcher::Executor executor,
                                                         prometheus::Registry& registry, const rpc::Channel& store,
                                                         const rpc::Channel& assistant, const std::string& address) {
  std::unique_ptr<Gateway> gateway(new Gateway(executor, registry, store));
  absl::Status no_fleet;
  if (config.master_key.empty()) {
    no_fleet = Error(absl::StatusCode::kFailedPrecondition,
                     "this gateway has no MEDIDESK_MASTER_KEY to seal device keys under; set it and start it again");
  } else {
    NumberFleet::Options options;
    MD_ASSIGN_OR_RETURN(options.server, net::WhatsAppServer::Make(config.whatsapp_url, config.whatsapp_ca));
    if (!config.whatsapp_root_key.empty()) {
      const auto key = KeyFromHex(config.whatsapp_root_key);
      if (!key) return Error(absl::StatusCode::kInvalidArgument, "whatsapp_root_key: expected 64 hex digits");
      options.session.root_key = *key;
    }
    MD_ASSIGN_OR_RETURN(SealingKeys keys, SealingKeys::Parse(config.master_key, SystemEntropy()));
    options.keys = std::make_shared<const SealingKeys>(std::move(keys));
    options.address = config.gateway_public_address.empty() ? address : config.gateway_public_address;
    options.version = kVersion;
    options.max_numbers = config.gateway_numbers;
    options.store.emplace(store);
    options.metrics = &gateway->metrics_;
    BotHub::Options bots;
    bots.turns.burst_quiet = config.burst_quiet;
    bots.turns.burst_limit = config.burst_limit;
    bots.turns.typing = config.typing;
    bots.limits.enabled = config.send_governor;
    bots.limits.min_gap = config.send_gap_min;
    bots.limits.max_gap = config.send_gap_max;
    bots.contacts.emergency_number = config.emergency_number;
    bots.contacts.crisis_line = config.crisis_line;
    MD_ASSIGN_OR_RETURN(gateway->bots_, BotHub::Make(executor, store, assistant, registry, std::move(bots)));
    options.make_layer = [hub = gateway->bots_](std::shared_ptr<NumberPort> port) {
      return hub->MakeLayer(std::move(port));
    };
    MD_ASSIGN_OR_RETURN(GatewayIdentity identity, GatewayIdentity::Make(config.gateway_id, config.var));
    MD_ASSIGN_OR_RETURN(options.journal_folder, JournalFolder(config.var, identity));
    gateway->fleet_ = NumberFleet::Make(executor, std::move(identity), std::move(options));
  }
  gateway->service_ =
      std::make_unique<GatewayService>(gateway->dispatcher_, store, gateway->fleet_, std::move(no_fleet));
  return gateway;
}

Gateway::~Gateway() { Stop(); }

void Gateway::Start() {
  if (bots_) bots_->Start();
  if (fleet_) return fleet_->Start();
  log::Info("gateway.no_master_key", {{"numbers", "none"}});
}

boost::asio::awaitable<void> Gateway::Drain() {
  if (fleet_) co_await fleet_->Drain();
}

void Gateway::Stop() {
  if (fleet_) fleet_->Stop();
  if (bots_) bots_->Stop();
}

}  // namespace medidesk::gateway
