// From <success> to an open connection, and what the server asks for while it is open.
//
//   success -> pre-keys counted and uploaded -> active -> open; then settings, presence, a look at the server's keys
//   offline_preview -> the batch is asked for -> ... -> offline: caught up, at the latest after 60 s
//
// A part of the session (session_host.h), used again for each connection.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "gateway/wa/device_credentials.h"
#include "gateway/wa/device_settings.h"
#include "gateway/wa/pre_key_stock.h"
#include "gateway/wa/session_host.h"

namespace medidesk::gateway::wa {

enum class Presence { kNone, kUnavailable, kAvailable };

class Login {
 public:
  static constexpr std::chrono::seconds kStepLimit{30};
  static constexpr std::chrono::seconds kCatchUpLimit{60};

  enum class Stage { kOffline, kSyncing, kCatchingUp, kOpen };

  // The credentials and settings are the session's and outlive this.
  Login(SessionHost& host, DeviceCredentials& credentials, DeviceSettings& settings, Presence presence)
      : host_(host),
        credentials_(credentials),
        settings_(settings),
        presence_(presence),
        stock_(host, credentials, settings) {}

  // The connection is gone.
  void Reset();
  Stage stage() const { return stage_; }
  // WhatsApp's clock minus ours; 0 until the first login.
  std::chrono::milliseconds server_offset() const { return server_offset_; }

  // The first of a connection counts, others are ignored.
  void OnSuccess(const Node& success);
  void OnIb(const Node& ib);
  // <notification type="encrypt"> from the server itself.
  void OnEncryptNotification(const Node& notification);
  void OnServerTime(std::uint64_t unix_seconds);

  void OnTime();
  std::optional<Time> next_time() const;

 private:
  void GoActive();
  void OnActive();
  void CatchUp();
  void AskForSettings();
  void CheckDigest();
  void SendPresence();
  void StoreCredentials();
  void StoreSettings();

  SessionHost& host_;
  DeviceCredentials& credentials_;
  DeviceSettings& settings_;
  Presence presence_;
  PreKeyStock stock_;
  Stage stage_ = Stage::kOffline;
  std::chrono::milliseconds server_offset_{0};
  std::optional<Time> catch_up_by_;
  std::optional<std::uint64_t> low_count_;  // said while catching up
  std::string last_low_id_;
};

}  // namespace medidesk::gateway::wa
