// Protected health information that cannot be printed by accident (design invariant I7).
//
// Phi<T> holds a value that must not reach a log line, a metric label, a trace or an error text:
// a message's text, a name, a phone number. It has no operator<<, no conversion and no fmt
// formatter, so printing it does not compile. The one way out is Expose(), which is easy to
// search for in a review.
#pragma once

#include <iosfwd>
#include <utility>

namespace medidesk {

template <class T>
class Phi {
 public:
  Phi() = default;
  explicit Phi(T value) : value_(std::move(value)) {}

  // For the database, the wire and the model only.
  const T& Expose() const& { return value_; }
  T&& Expose() && { return std::move(value_); }

  friend bool operator==(const Phi& a, const Phi& b) { return a.value_ == b.value_; }
  friend std::ostream& operator<<(std::ostream&, const Phi&) = delete;

 private:
  T value_{};
};

}  // namespace medidesk
