// Faults that a test orders: what goes wrong, when, and for whom.
//
//   {"kind":"failure","code":503,"phone":"15550001111"}        the next login of that phone's devices is refused
//   {"kind":"drop"}                                            every connection is reset now
//   {"kind":"drop","at":"success","times":3}                   the next three logins are reset right after success
//
// A fault without `at` strikes where its kind belongs: `http` at the upgrade, `chain` and `server_hello` in the
// handshake, `failure` at the login, `adv` at pair-success, `iq_error` and `iq_silence` at an IQ, `ack_error`,
// `ack_silence`, `lose_message`, `spoil` and `twice` at a message; all others at once.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "gateway/wa/node.h"

namespace medidesk::whatsapp_sim {

struct Fault {
  enum class At {
    kNow,          // at the connections that are open
    kUpgrade,      // instead of the answer to the WebSocket's upgrade
    kHello,        // instead of ServerHello
    kLogin,        // when the client has said who it is
    kPairDevice,   // before the refs go out
    kPairSuccess,  // before pair-success goes out
    kPairSign,     // when the client has signed, before the restart
    kSuccess,      // after success went out
    kActive,       // after the client became active
    kMessage,      // at a message that a device sends
    kIq,           // at an IQ of `xmlns` (and with the child `child`, when given)
  };
  enum class Kind {
    kHttp,          // the upgrade is answered with the HTTP status `code`
    kDrop,          // TCP reset
    kCut,           // TCP closed, without a WebSocket close frame
    kClose,         // WebSocket close frame with status `code`
    kSilence,       // nothing is sent any more; what comes is read and dropped
    kStall,         // nothing is read any more
    kNoPong,        // the client's pings are not answered
    kDelay,         // every frame from now on is `ms` late; 0 ends it
    kSplit,         // every frame from now on goes out in WebSocket messages of `ms` bytes; 0 ends it
    kCompress,      // every node from now on is compressed
    kChain,         // certificate chain `how`, a ChainForgery
    kServerHello,   // `how`: truncated, short_static, short_ephemeral, bad_payload, garbage
    kFailure,       // <failure reason=`code`/> with `attributes`, then a close
    kStreamError,   // <stream:error code=`code`/>, `how` the type of a conflict child; then a close
    kStreamEnd,     // <xmlstreamend/>, then a close
    kAdv,           // `how`, an AdvForgery
    kGarbageFrame,  // a frame that does not decrypt
    kBadNode,       // a frame that decrypts to `bytes`, which are no node
    kEmptyFrame,    // length 0
    kHugeFrame,     // a frame that announces 2^24 - 1 bytes and stays unfinished
    kIqError,       // an error with `code` instead of the IQ's result
    kIqSilence,     // no result
    kAckError,      // a message is refused with `code`
    kAckSilence,    // a message is delivered and not acknowledged
    kLoseMessage,   // a message is neither
    kSpoil,         // what other accounts get of a message does not decrypt
    kTwice,         // a message is delivered twice
  };

  Kind kind = Kind::kDrop;
  At at = At::kNow;
  std::int64_t times = 1;
  std::string phone;        // digits; empty: any, and those that have not said yet who they are
  std::int64_t device = 0;  // 0: any
  std::string target;       // a part of the WebSocket request's path; empty: any
  std::int64_t code = 0;
  std::int64_t ms = 0;
  std::string how;
  std::string xmlns, child;
  std::vector<gateway::wa::Attribute> attributes;
  std::vector<std::uint8_t> bytes;
};

// Whom a fault may meet.
struct Suspect {
  std::string_view phone;  // empty when not known yet
  int device = 0;
  std::string_view target;
};

std::optional<Fault::Kind> FaultKindFrom(std::string_view name);  // snake case: "stream_error"
std::optional<Fault::At> FaultTimeFrom(std::string_view name);
Fault::At UsualTime(Fault::Kind kind);

// Faults that wait for their moment. Bounded: at most 10,000; Add() says false beyond.
class FaultQueue {
 public:
  bool Add(Fault fault);
  void Clear() { faults_.clear(); }
  std::size_t size() const { return faults_.size(); }

  // Uses up one of the times of each fault that is meant for this moment. At kIq: `iq` is the request.
  std::vector<Fault> Take(Fault::At at, const Suspect& suspect, const gateway::wa::Node* iq = nullptr);

 private:
  std::deque<Fault> faults_;
};

bool Matches(const Fault& fault, const Suspect& suspect);

}  // namespace medidesk::whatsapp_sim
