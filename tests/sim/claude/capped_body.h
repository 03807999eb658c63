// A Beast body that keeps at most kMaxBody bytes. What comes above is read and dropped, so that the
// client hears 413 in place of a reset connection.
#pragma once

#include <boost/beast/core/buffers_range.hpp>
#include <boost/beast/http/message.hpp>
#include <boost/optional.hpp>

#include <algorithm>
#include <cstdint>
#include <string>

#include "tests/sim/claude/types.h"

namespace medidesk::claude_stub {

struct CappedBody {
  struct value_type {
    std::string text;
    bool too_large = false;
  };

  class reader {
   public:
    template <bool kIsRequest, class Fields>
    reader(boost::beast::http::header<kIsRequest, Fields>&, value_type& body) : body_(body) {}

    void init(const boost::optional<std::uint64_t>& length, boost::beast::error_code& error) {
      error = {};
      if (!length) return;
      body_.too_large = *length > kMaxBody;
      // Only what has come is held: a length that is merely announced reserves little.
      if (!body_.too_large) body_.text.reserve(static_cast<std::size_t>(std::min(*length, kReserved)));
    }

    template <class Buffers>
    std::size_t put(const Buffers& buffers, boost::beast::error_code& error) {
      error = {};
      std::size_t taken = 0;
      for (const boost::asio::const_buffer buffer : boost::beast::buffers_range_ref(buffers)) {
        taken += buffer.size();
        if (body_.too_large || body_.text.size() + buffer.size() > kMaxBody) {
          body_.too_large = true;
          std::string().swap(body_.text);
        } else {
          body_.text.append(static_cast<const char*>(buffer.data()), buffer.size());
        }
      }
      return taken;
    }

    void finish(boost::beast::error_code& error) { error = {}; }

   private:
    static constexpr std::uint64_t kReserved = 64 * 1024;  // bytes
    value_type& body_;
  };
};

}  // namespace medidesk::claude_stub
