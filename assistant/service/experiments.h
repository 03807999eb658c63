// Which variants of running experiments a turn is answered with, and what came of it.
//
// Whether any experiment runs is asked of the store at most every `look` time, so that without one nothing is
// spent on them. Everything fails towards the configured way of answering. What a variant may change is here
// in full: the gate, the fixed texts and the output checks are not.
//
// Thread-safe.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>

#include <atomic>
#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "base/rpc/client.h"
#include "base/trace.h"
#include "medidesk/store/v1/experiment.grpc.pb.h"

namespace medidesk::assistant {

struct Variation {
  std::string prompt_style;  // in place of the hospital's; empty: unchanged
  std::string model;         // id; empty: the configured one
  std::optional<int> max_tokens, history_tokens, facts_tokens;

  bool none() const { return prompt_style.empty() && model.empty() && !max_tokens && !history_tokens && !facts_tokens; }
};
// Unknown parameters and malformed values are left out.
Variation VariationOf(const store::v1::AssignVariantResponse& assigned);

class Experiments {
 public:
  struct Options {
    std::chrono::milliseconds look{15'000};
    std::chrono::milliseconds patience{600};  // with one call
  };
  Experiments(const rpc::Channel& store, Options options) : experiments_(store), options_(options) {}

  struct Exposure {
    Variation variation;
    bool exposed = false;
  };
  boost::asio::awaitable<Exposure> Expose(std::string turn_id, TraceContext trace);
  // Of an exposed turn. Nobody waits for it: the call runs on `executor`, and a failure is only logged.
  void Record(const boost::asio::any_io_executor& executor, std::string turn_id, store::v1::OutcomeKind kind,
              double value, const TraceContext& trace) const;

 private:
  boost::asio::awaitable<bool> AnyRuns(const TraceContext& trace);

  const rpc::Client<store::v1::ExperimentService> experiments_;
  const Options options_;
  std::atomic<std::int64_t> looked_at_{-1};  // ms of the steady clock
  std::atomic<bool> any_{false};
};

}  // namespace medidesk::assistant
