#include "tests/sim/whatsapp/fault.h"

#include <algorithm>
#include <array>
#include <utility>

namespace medidesk::whatsapp_sim {
namespace {

constexpr std::size_t kMaxQueued = 10'000;

template <typename Value>
using Name = std::pair<std::string_view, Value>;

constexpr Name<Fault::Kind> kKinds[] = {
    {"http", Fault::Kind::kHttp},
    {"drop", Fault::Kind::kDrop},
    {"cut", Fault::Kind::kCut},
    {"close", Fault::Kind::kClose},
    {"silence", Fault::Kind::kSilence},
    {"stall", Fault::Kind::kStall},
    {"no_pong", Fault::Kind::kNoPong},
    {"delay", Fault::Kind::kDelay},
    {"split", Fault::Kind::kSplit},
    {"compress", Fault::Kind::kCompress},
    {"chain", Fault::Kind::kChain},
    {"server_hello", Fault::Kind::kServerHello},
    {"failure", Fault::Kind::kFailure},
    {"stream_error", Fault::Kind::kStreamError},
    {"stream_end", Fault::Kind::kStreamEnd},
    {"adv", Fault::Kind::kAdv},
    {"garbage_frame", Fault::Kind::kGarbageFrame},
    {"bad_node", Fault::Kind::kBadNode},
    {"empty_frame", Fault::Kind::kEmptyFrame},
    {"huge_frame", Fault::Kind::kHugeFrame},
    {"iq_error", Fault::Kind::kIqError},
    {"iq_silence", Fault::Kind::kIqSilence},
    {"ack_error", Fault::Kind::kAckError},
    {"ack_silence", Fault::Kind::kAckSilence},
    {"lose_message", Fault::Kind::kLoseMessage},
    {"spoil", Fault::Kind::kSpoil},
    {"twice", Fault::Kind::kTwice},
};

constexpr Name<Fault::At> kTimes[] = {
    {"now", Fault::At::kNow},
    {"upgrade", Fault::At::kUpgrade},
    {"hello", Fault::At::kHello},
    {"login", Fault::At::kLogin},
    {"pair_device", Fault::At::kPairDevice},
    {"pair_success", Fault::At::kPairSuccess},
    {"pair_sign", Fault::At::kPairSign},
    {"success", Fault::At::kSuccess},
    {"active", Fault::At::kActive},
    {"message", Fault::At::kMessage},
    {"iq", Fault::At::kIq},
};

template <typename Value, std::size_t size>
std::optional<Value> Find(const Name<Value> (&names)[size], std::string_view name) {
  const auto* found =
      std::find_if(std::begin(names), std::end(names), [&](const auto& entry) { return entry.first == name; });
  if (found == std::end(names)) return std::nullopt;
  return found->second;
}

bool IsFor(const Fault& fault, const gateway::wa::Node* iq) {
  if (iq == nullptr) return true;
  if (!fault.xmlns.empty() && iq->Attr("xmlns") != fault.xmlns) return false;
  return fault.child.empty() || iq->Child(fault.child) != nullptr;
}

}  // namespace

std::optional<Fault::Kind> FaultKindFrom(std::string_view name) { return Find(kKinds, name); }
std::optional<Fault::At> FaultTimeFrom(std::string_view name) { return Find(kTimes, name); }

Fault::At UsualTime(Fault::Kind kind) {
  switch (kind) {
    case Fault::Kind::kHttp:
      return Fault::At::kUpgrade;
    case Fault::Kind::kChain:
    case Fault::Kind::kServerHello:
      return Fault::At::kHello;
    case Fault::Kind::kFailure:
      return Fault::At::kLogin;
    case Fault::Kind::kAdv:
      return Fault::At::kPairSuccess;
    case Fault::Kind::kIqError:
    case Fault::Kind::kIqSilence:
      return Fault::At::kIq;
    case Fault::Kind::kAckError:
    case Fault::Kind::kAckSilence:
    case Fault::Kind::kLoseMessage:
    case Fault::Kind::kSpoil:
    case Fault::Kind::kTwice:
      return Fault::At::kMessage;
    default:
      return Fault::At::kNow;
  }
}

bool Matches(const Fault& fault, const Suspect& suspect) {
  if (!fault.phone.empty() && fault.phone != suspect.phone) return false;
  if (fault.device != 0 && fault.device != suspect.device) return false;
  return suspect.target.find(fault.target) != std::string_view::npos;
}

bool FaultQueue::Add(Fault fault) {
  if (faults_.size() >= kMaxQueued) return false;
  faults_.push_back(std::move(fault));
  return true;
}

std::vector<Fault> FaultQueue::Take(Fault::At at, const Suspect& suspect, const gateway::wa::Node* iq) {
  std::vector<Fault> taken;
  for (Fault& fault : faults_) {
    if (fault.at != at || !Matches(fault, suspect) || !IsFor(fault, iq)) continue;
    taken.push_back(fault);
    --fault.times;
  }
  std::erase_if(faults_, [](const Fault& fault) { return fault.times <= 0; });
  return taken;
}

}  // namespace medidesk::whatsapp_sim
