// What a session wants done, and what it tells: the answers to every input of Session.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "gateway/wa/bytes.h"
#include "gateway/wa/device_credentials.h"
#include "gateway/wa/device_record.h"
#include "gateway/wa/moment.h"
#include "gateway/wa/node.h"
#include "gateway/wa/reconnect_policy.h"

namespace medidesk::gateway::wa {

// ---- Events: for whoever owns the number --------------------------------------------------------

// A QR code to show instead of the one before. Its text holds the secret of the link.
struct QrCodeShown {
  std::string text;
  int index = 1;  // from 1
  int count = 1;
  WallTime expires;
};

// A code to type into the phone, "ABCD-1234".
struct PairingCodeShown {
  std::string code;
  WallTime expires;
};

// Between the steps that show something. The numbers are those of the gateway's LinkStep.
enum class LinkStep {
  kConnecting = 1,
  kEnableLinkedDevices = 2,  // the phone has linked devices switched off; the QR code stays valid
  kConfirming = 3,
  kWaitingForPhone = 4,
  kLoggingIn = 5,
};
struct LinkProgress {
  LinkStep step;
};

// A browser must make a passkey assertion; Session::SubmitPasskey takes it.
struct PasskeyRequested {
  std::string options_json;
  WallTime expires;
};

// The code both sides derive, "ABCD-1234". Session::ConfirmPasskeyCode is waited for when `must_confirm`.
struct PasskeyCodeShown {
  std::string code;
  bool must_confirm = false;
};

// Linked, stored, logged in: the end of a link attempt. The session goes on as a login.
struct Linked {
  LinkedAccount account;
};

// Why linking ended without a link. The numbers are those of the gateway's LinkFailure.
enum class LinkFailure {
  kExpired = 1,
  kOtherPhone = 3,
  kLinkedElsewhere = 4,
  kBadSignature = 5,
  kUntrustedServer = 6,
  kVersionRefused = 7,
  kRateLimited = 8,
  kPasskey = 9,
  kPhoneSilent = 10,
  kCodeMismatch = 11,
  kDisconnected = 12,
  kStore = 13,
  kServer = 14,
};
struct LinkFailed {
  LinkFailure reason;
  int server_code = 0;                    // 0 when the server gave none
  std::string advice;                     // one line for the operator: what to do now
  std::optional<WallTime> retry_at = {};  // earliest sensible time of another attempt
};

// The connection is in another state. One of these comes for every change.
struct StateChanged {
  ConnectionState state;
  std::string reason;                     // code: "failure.401", "keepalive"; may be empty
  std::optional<WallTime> retry_at = {};  // of the next connect, when one is planned
  bool alarm = false;                     // a person must look at it
  std::string detail = {};                // one line for the log, without anybody's data; may be empty
};

// The server has let us in. Sending is allowed after the state kCatchingUp.
struct LoggedIn {
  std::chrono::milliseconds server_offset;  // WhatsApp's clock minus ours
  Jid own_lid = {};                         // our hidden id as it is known now; empty: not yet
};

// What waited while we were away has all come, or 60 s have passed.
struct CaughtUp {};

// A stanza whose effect is the message layer's: message, receipt, ack, chatstate, presence, call, answers to questions
// that were not the session's, and the notifications devices, account_sync, privacy_token, mex and encrypt about a
// person's identity.
struct StanzaReceived {
  Node node;
  bool offline = false;    // it waited while we were away
  bool needs_ack = false;  // Send(AckOf(node)), or for a message its receipt, once the effect is durable
};

// What the account has set, asked for after each login. Absent where the server did not say.
struct AccountSettings {
  std::optional<std::map<std::string, std::string>> server_props = {};  // config code -> value
  std::optional<std::map<std::string, std::string>> privacy = {};       // category -> value
  std::optional<std::vector<std::string>> blocked = {};                 // addresses
};

// The answer to Session::Logout; the session is over.
struct LoggedOut {
  bool confirmed;  // by the server; else the phone may still list the device
};

using Event = std::variant<QrCodeShown, PairingCodeShown, LinkProgress, PasskeyRequested, PasskeyCodeShown, Linked,
                           LinkFailed, StateChanged, LoggedIn, CaughtUp, StanzaReceived, AccountSettings, LoggedOut>;

// ---- Actions: for the driver, to be done in their order -----------------------------------------

// Open a WebSocket and call OnConnected or OnClosed with this number. There is at most one connection at a time.
struct Connect {
  std::uint64_t connection;
};
// One binary message.
struct SendBytes {
  std::uint64_t connection;
  Bytes bytes;
};
// Close the socket, or stop opening it. Nothing that comes of this connection afterwards counts, OnClosed included.
struct Close {
  std::uint64_t connection;
};
// Call OnTime at this time or later; replaces the one before.
struct WaitUntil {
  Time time;
};
// Answer with OnLoaded: the records that exist, in any order.
struct LoadRecords {
  std::uint64_t request;
  std::vector<RecordName> names;
};
// Store durably, all of it or nothing, in the order of the commits; then OnCommitted. At most 400 changes.
struct Commit {
  std::uint64_t commit;
  RecordChanges changes;
  // Present in the one commit that makes the link: what the number's row learns in the same transaction.
  std::optional<LinkedAccount> linked = {};
};
struct Deliver {
  Event event;
};

using Action = std::variant<Connect, SendBytes, Close, WaitUntil, LoadRecords, Commit, Deliver>;
using Actions = std::vector<Action>;

}  // namespace medidesk::gateway::wa
