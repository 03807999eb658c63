// Which scope a token needs for which RPC. A method that is not named here needs `admin`.
#pragma once

#include <string_view>

#include "medidesk/store/v1/access.pb.h"

namespace medidesk::rpc {

// `method` is "Service/Method", without the package.
store::v1::TokenScope ScopeOfMethod(std::string_view method);

}  // namespace medidesk::rpc
