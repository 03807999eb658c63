// The OpenAPI 3.1 document of /v1, from the route table and the contracts with their comments.
#pragma once

#include <google/protobuf/descriptor.pb.h>

#include <string>

#include "base/status.h"

namespace medidesk::admin::rest {

// `contracts`: what `protoc --include_source_info --include_imports --descriptor_set_out` wrote of the
// files that the routes name. INVALID_ARGUMENT when a file or an RPC is missing in it.
absl::StatusOr<std::string> OpenApi(const google::protobuf::FileDescriptorSet& contracts);

}  // namespace medidesk::admin::rest
