// What a well-formed request of DeviceService is. INVALID_ARGUMENT names the field and what it wants, never its value.
#pragma once

#include <string>
#include <string_view>

#include "base/status.h"
#include "medidesk/store/v1/device.pb.h"

namespace medidesk::store {

absl::Status CheckGateway(const std::string& gateway_id, const std::string& instance_id);
absl::Status Check(const v1::HeartbeatRequest& request);
absl::Status Check(const v1::UpsertNumberRequest& request);
absl::Status Check(const v1::LoadDeviceStateRequest& request);
absl::Status Check(const v1::CommitBatchRequest& request);

// "3EB0" and 18 hex digits: the id under which part `part` of a reply travels, always the same.
std::string StanzaId(std::string_view reply_id, int part);

}  // namespace medidesk::store
