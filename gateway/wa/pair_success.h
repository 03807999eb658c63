// The phone has answered: is it the phone that was asked, and does its account vouch for this device?
//
//   <iq type="set" id=Y><pair-success>                         <iq type="result" id=Y><pair-device-sign>
//     <device-identity> HMAC { account signature { ... } }  ->    <device-identity key-index="3"> our signature
//     <device jid lid/> <platform name/> <biz name/>
//
// Every MAC and signature is checked over the bytes as they came. Nothing is changed here: the caller stores
// `credentials` durably and only then sends `reply`, for after the reply the server considers the device linked.
#pragma once

#include <string_view>
#include <variant>

#include "gateway/wa/device_credentials.h"
#include "gateway/wa/device_record.h"
#include "gateway/wa/node.h"

namespace medidesk::gateway::wa {

struct PairAccepted {
  DeviceCredentials credentials;  // the given ones with their account
  Record primary_identity;        // the account's key as the identity of its phone, for Signal's store
  Node reply;
};

struct PairRefused {
  enum class Reason {
    kMalformed,     // no pair-success of a linked device's shape
    kBadMac,        // not made with the secret that our code showed
    kBadSignature,  // the account's key has not signed this device
    kOtherPhone,    // another account than the one expected
  };
  Reason reason;
  Node reply;  // tells the server; close the connection afterwards
};

// `expected_phone` are the digits of the number that may link, or empty for any.
std::variant<PairAccepted, PairRefused> CheckPairSuccess(const Node& iq, const DeviceCredentials& credentials,
                                                         std::string_view expected_phone, const Entropy& entropy);

// The reply that refuses for a reason of ours: the keys could not be stored.
Node RefusePairSuccess(const Node& iq, int code, std::string_view text);

}  // namespace medidesk::gateway::wa
