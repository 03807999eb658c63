// The first byte chooses how the stream is cut; the rest is what a client sends.
#include <algorithm>
#include <cstdint>
#include <cstring>

#include "admin/http/request_reader.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  std::atomic<std::int64_t> budget{3000};
  {
    medidesk::http::RequestReader reader({.max_head = 512, .max_headers = 10, .max_body = 1000, .max_drain = 1000},
                                         &budget);
    const std::size_t step = data[0] + 1u;
    std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
    for (;;) {
      const auto event = reader.Next();
      if (event == medidesk::http::RequestReader::Event::kNeedMore) {
        if (bytes.empty()) break;
        const std::span<char> room = reader.Prepare();
        const std::size_t taken = std::min({room.size(), bytes.size(), step});
        if (taken == 0) __builtin_trap();
        std::memcpy(room.data(), bytes.data(), taken);
        reader.Commit(taken);
        bytes.remove_prefix(taken);
      } else if (event != medidesk::http::RequestReader::Event::kExpectsContinue) {
        if (reader.request().body.size() > 1000 || reader.request().headers.size() > 10) __builtin_trap();
        if (event == medidesk::http::RequestReader::Event::kRefused && !reader.keep_alive()) break;
        reader.Reset();
      }
    }
  }
  if (budget != 3000) __builtin_trap();
  return 0;
}
