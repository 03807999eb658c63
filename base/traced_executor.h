// An executor whose work runs inside a TraceScope: every log line of a coroutine that is spawned on it, and of
// whatever that awaits, names the trace.
//
//   asio::co_spawn(TracedExecutor(strand, trace), Handle(), asio::detached);
//
// In all else it is the executor within. Copyable, thread-safe.
#pragma once

#include <boost/asio/execution.hpp>
#include <boost/asio/execution_context.hpp>
#include <boost/asio/prefer.hpp>
#include <boost/asio/query.hpp>
#include <boost/asio/require.hpp>

#include <type_traits>
#include <utility>

#include "base/log.h"

namespace medidesk {

template <class Inner>
class TracedExecutor {
  using AsContext = boost::asio::execution::context_as_t<boost::asio::execution_context&>;

 public:
  TracedExecutor(Inner inner, log::TraceId trace) noexcept : inner_(std::move(inner)), trace_(std::move(trace)) {}

  boost::asio::execution_context& query(boost::asio::execution::context_t property) const {
    return boost::asio::query(inner_, property);
  }
  template <class Property, class = std::enable_if_t<boost::asio::can_query<const Inner&, Property>::value &&
                                                     !std::is_same_v<Property, AsContext>>>
  auto query(const Property& property) const {
    return boost::asio::query(inner_, property);
  }
  template <class Property, class = std::enable_if_t<boost::asio::can_require<const Inner&, Property>::value>>
  auto require(const Property& property) const {
    return Wrap(boost::asio::require(inner_, property));
  }
  template <class Property, class = std::enable_if_t<boost::asio::can_prefer<const Inner&, Property>::value>>
  auto prefer(const Property& property) const {
    return Wrap(boost::asio::prefer(inner_, property));
  }
  template <class Function>
  void execute(Function&& function) const {
    inner_.execute([trace = trace_, function = std::decay_t<Function>(std::forward<Function>(function))]() mutable {
      const log::TraceScope scope(std::move(trace));
      std::move(function)();
    });
  }

  friend bool operator==(const TracedExecutor& a, const TracedExecutor& b) noexcept {
    return a.inner_ == b.inner_ && a.trace_ == b.trace_;
  }
  friend bool operator!=(const TracedExecutor& a, const TracedExecutor& b) noexcept { return !(a == b); }

 private:
  template <class Other>
  TracedExecutor<Other> Wrap(Other other) const {
    return TracedExecutor<Other>(std::move(other), trace_);
  }

  Inner inner_;
  log::TraceId trace_;
};

}  // namespace medidesk
