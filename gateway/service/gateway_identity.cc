#include "gateway/service/gateway_identity.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <openssl/rand.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <utility>

#include "base/log.h"
#include "base/status.h"
#include "base/uuid.h"

namespace medidesk::gateway {
namespace {

namespace fs = std::filesystem;

bool IsGatewayId(const std::string& id) {
  return !id.empty() && id.size() <= 64 && std::all_of(id.begin(), id.end(), [](unsigned char c) {
    return c < 128 && (std::isalnum(c) != 0 || c == '.' || c == '_' || c == '-');
  });
}

std::string FreshId() {
  std::array<unsigned char, 6> bytes{};
  if (RAND_bytes(bytes.data(), static_cast<int>(bytes.size())) != 1) std::abort();
  std::string id = "gateway-";
  for (const unsigned char byte : bytes) id += fmt::format("{:02x}", byte);
  return id;
}

absl::Status CannotWrite() {
  return Error(absl::StatusCode::kFailedPrecondition,
               "MEDIDESK_VAR: the gateway's id and lock cannot be kept there; name a folder that it may write to");
}

absl::StatusOr<std::string> KeptId(const fs::path& file) {
  std::ifstream in(file);
  std::string id;
  if (in && std::getline(in, id) && IsGatewayId(id)) return id;
  id = FreshId();
  std::ofstream out(file, std::ios::trunc);
  out << id << '\n';
  out.close();
  if (!out) return CannotWrite();
  return id;
}

}  // namespace

absl::StatusOr<GatewayIdentity> GatewayIdentity::Make(const std::string& id, const std::string& folder) {
  if (!id.empty() && !IsGatewayId(id)) {
    return Error(absl::StatusCode::kInvalidArgument, "gateway_id: expected 1 to 64 letters, digits and . _ -");
  }
  GatewayIdentity identity;
  identity.instance_id_ = NewUuid();
  identity.gateway_id_ = id.empty() ? FreshId() : id;
  if (folder.empty()) return identity;

  std::error_code error;
  fs::create_directories(folder, error);
  const fs::path path = fs::path(folder) / "gateway.lock";
  identity.lock_ = open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (identity.lock_ < 0) return CannotWrite();
  if (flock(identity.lock_, LOCK_EX | LOCK_NB) != 0) {
    close(std::exchange(identity.lock_, -1));
    // Of two gateways with one folder the second is a standby like one on another machine.
    if (id.empty()) log::Warning("gateway.lock_taken", {{"gateway", log::Public(identity.gateway_id_)}});
    return identity;
  }
  if (id.empty()) {
    MD_ASSIGN_OR_RETURN(identity.gateway_id_, KeptId(fs::path(folder) / "gateway_id"));
  }
  return identity;
}

GatewayIdentity::GatewayIdentity(GatewayIdentity&& other) noexcept
    : gateway_id_(std::move(other.gateway_id_)),
      instance_id_(std::move(other.instance_id_)),
      lock_(std::exchange(other.lock_, -1)) {}

GatewayIdentity::~GatewayIdentity() {
  if (lock_ >= 0) close(lock_);
}

}  // namespace medidesk::gateway
