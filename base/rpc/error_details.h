// Typed details of an error (google.rpc.ErrorInfo, BadRequest, RetryInfo), kept as payloads of an
// absl::Status, and the crossings to grpc::Status that carry them over the wire.
//
//   return WithReason(Error(kFailedPrecondition, "the lease is gone: stop and reload"), "LEASE_LOST");
//
// Texts and metadata reach outside callers and logs: ids, codes and names of our own only.
#pragma once

#include <grpcpp/support/status.h>

#include <chrono>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "base/status.h"

namespace medidesk::rpc {

// Adds or replaces a detail. An OK status is returned as it is.
absl::Status WithReason(absl::Status status, std::string_view reason,
                        const std::map<std::string, std::string>& metadata = {});
absl::Status WithRetryDelay(absl::Status status, std::chrono::milliseconds delay);
// INVALID_ARGUMENT with the text "field: description" and a BadRequest that says the same.
absl::Status InvalidField(std::string_view field, std::string_view description);

// Reads them back; empty or nullopt when there is none.
std::string Reason(const absl::Status& status);
std::map<std::string, std::string> ReasonMetadata(const absl::Status& status);
std::optional<std::chrono::milliseconds> RetryDelay(const absl::Status& status);
// The field of the first violation.
std::string InvalidFieldName(const absl::Status& status);

// Payloads travel as google.rpc.Status in grpc-status-details-bin. Texts are cut at 1 KiB and details
// beyond 4 KiB dropped, because clients refuse more than 8 KiB of metadata.
grpc::Status ToGrpc(const absl::Status& status);
absl::Status FromGrpc(const grpc::Status& status);

}  // namespace medidesk::rpc
