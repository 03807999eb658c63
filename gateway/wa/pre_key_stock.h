// Keeps the server supplied with one-time pre-keys: makes them, stores them, uploads them, in this order.
//
// One upload at a time. Keys that were stored and perhaps not uploaded are loaded and uploaded again rather than made
// anew. What fails is tried again after 60 s, doubling up to an hour.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

#include "gateway/wa/device_credentials.h"
#include "gateway/wa/device_settings.h"
#include "gateway/wa/pre_keys.h"
#include "gateway/wa/session_host.h"

namespace medidesk::gateway::wa {

class PreKeyStock {
 public:
  static constexpr std::size_t kMaxChangesPerCommit = 400;
  static constexpr std::chrono::seconds kLimit{30};
  static constexpr std::chrono::seconds kFirstRetry{60};
  static constexpr std::chrono::seconds kMaxRetry{3600};

  // The credentials and settings are the session's and outlive this.
  PreKeyStock(SessionHost& host, const DeviceCredentials& credentials, DeviceSettings& settings)
      : host_(host), credentials_(credentials), settings_(settings) {}

  // A new connection: what ran on the one before is forgotten.
  void Reset();
  // Asks the server's count and uploads what is wanted. `then` is called once, when that is done or has failed.
  void Check(std::function<void()> then);
  // The server says that it has `count` keys left.
  void OnServerCount(std::uint64_t count);

  void OnTime();
  std::optional<Time> next_time() const { return retry_at_; }

 private:
  void Upload(std::uint32_t wanted);
  void Make(std::uint32_t wanted);
  void LoadStored();
  void Send(std::vector<PreKey> keys);
  void Finish(bool ok);
  // Wraps a callback so that it does nothing after Reset.
  template <class Function>
  auto Current(Function function) {
    return [this, epoch = epoch_, function = std::move(function)](auto&&... arguments) {
      if (epoch == epoch_) function(std::forward<decltype(arguments)>(arguments)...);
    };
  }

  SessionHost& host_;
  const DeviceCredentials& credentials_;
  DeviceSettings& settings_;
  std::uint64_t epoch_ = 0;
  bool busy_ = false;
  std::function<void()> then_;
  std::optional<Time> retry_at_;
  std::chrono::seconds retry_delay_ = kFirstRetry;
};

}  // namespace medidesk::gateway::wa
