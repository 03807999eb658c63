// One write of a number.
#pragma once

#include <chrono>
#include <functional>
#include <optional>
#include <vector>

#include "gateway/wa/device_record.h"
#include "medidesk/store/v1/device.pb.h"

namespace medidesk::gateway {

// What is applied together: the records first, open (an accepted message or a part to send rests on them), then the
// operations.
struct NumberWrite {
  wa::RecordChanges changes = {};
  std::vector<store::v1::Operation> operations = {};

  // It must take effect although the store is silent: when it has no answer after so long, it goes to the journal with
  // all that comes before it, and `on_journaled` is called, on the writer's strand. Its outcome comes later all the
  // same.
  std::optional<std::chrono::milliseconds> patience = {};
  std::function<void()> on_journaled = {};
};

}  // namespace medidesk::gateway
