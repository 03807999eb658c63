// The records that a device keeps between connections, as the session names them. The driver seals and stores them;
// the numbers are those of the store's DeviceStateKind, so a driver converts with a cast.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "gateway/wa/bytes.h"

namespace medidesk::gateway::wa {

enum class RecordKind {
  kCredentials = 1,
  kSession = 2,
  kIdentity = 3,
  kPreKey = 4,
  kSignedPreKey = 5,
  kSenderKey = 6,
  kDeviceList = 7,
  kContactToken = 8,
  kChatSetting = 9,
  kRetry = 10,
  kSentContent = 11,
  kGovernor = 12,
  kAppState = 13,
  kSetting = 14,
  kLidMap = 15,
};

// kCredentials: what the device is. One "self"; while a phone-code link is under way its keys lie beside it.
inline constexpr std::string_view kSelfKey = "self";
inline constexpr std::string_view kLinkingKey = "linking";
// kSetting: the one record of DeviceSettings.
inline constexpr std::string_view kSettingsKey = "connection";

struct RecordName {
  RecordKind kind;
  std::string key;  // 1 to 200 bytes

  friend bool operator==(const RecordName&, const RecordName&) = default;
};

struct Record {
  RecordName name;
  Bytes value;  // open; sealed by the driver

  friend bool operator==(const Record&, const Record&) = default;
};

// What one commit changes, all of it or nothing, in this order. A put replaces; deleting what is not there is no error.
struct RecordChanges {
  std::vector<RecordKind> wipes = {};  // every record of these kinds
  std::vector<RecordName> deletes = {};
  std::vector<Record> puts = {};
};

}  // namespace medidesk::gateway::wa
