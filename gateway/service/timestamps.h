// Times of the protocol's clock as the contracts have them, to the microsecond.
#pragma once

#include <google/protobuf/timestamp.pb.h>

#include <chrono>

#include "gateway/wa/moment.h"

namespace medidesk::gateway {

inline google::protobuf::Timestamp ToTimestamp(wa::WallTime time) {
  const auto micros = std::chrono::floor<std::chrono::microseconds>(time.time_since_epoch());
  const auto seconds = std::chrono::floor<std::chrono::seconds>(micros);
  google::protobuf::Timestamp stamp;
  stamp.set_seconds(seconds.count());
  stamp.set_nanos(static_cast<int>((micros - seconds).count()) * 1'000);
  return stamp;
}

inline wa::WallTime ToWallTime(const google::protobuf::Timestamp& stamp) {
  return wa::WallTime(std::chrono::seconds(stamp.seconds()) +
                      std::chrono::duration_cast<wa::WallTime::duration>(std::chrono::nanoseconds(stamp.nanos())));
}

}  // namespace medidesk::gateway
