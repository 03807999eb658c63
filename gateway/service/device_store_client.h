// The records of one number's device in the store: sealed on the way there, opened on the way back.
//
//   Load    LoadDeviceState under the lease token, then SealingKeys::Open
//   Commit  one write of the NumberWriter; a new link tells the number's row in the same transaction
//
// Errors of Load: DATA_LOSS for a record that is damaged or not the one it is stored as; FAILED_PRECONDITION for one
// sealed under a master key that is not ours, or LEASE_LOST, which also ends the writer; else the store's. Commit's are
// the writer's; ALREADY_EXISTS when another linked number has this phone. Thread-safe.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/rpc/client.h"
#include "gateway/device/device_restore.h"
#include "gateway/net/device_store.h"
#include "gateway/service/number_layer.h"
#include "gateway/service/number_writer.h"
#include "medidesk/store/v1/device.grpc.pb.h"

namespace medidesk::gateway {

class DeviceStoreClient final : public net::DeviceStore {
 public:
  using Client = rpc::Client<store::v1::DeviceService>;
  // Pre-keys that the session has stored.
  using OnPreKeys = std::function<void(std::vector<wa::Record>)>;
  static constexpr std::chrono::seconds kLimit{5};  // for one call

  DeviceStoreClient(Client client, std::shared_ptr<NumberWriter> writer, std::shared_ptr<const SealingKeys> keys,
                    std::string number_id, std::int64_t lease_token)
      : client_(std::move(client)),
        writer_(std::move(writer)),
        keys_(std::move(keys)),
        number_id_(std::move(number_id)),
        lease_token_(lease_token) {}

  // Before the first commit.
  void Tell(OnPreKeys on_pre_keys) { on_pre_keys_ = std::move(on_pre_keys); }

  boost::asio::awaitable<absl::StatusOr<std::vector<wa::Record>>> Load(
      const std::vector<wa::RecordName>& names) override;
  boost::asio::awaitable<absl::Status> Commit(const net::DeviceCommit& commit) override;

  struct Page {
    std::vector<SealedRecord> records;
    std::string next;  // token of the next page; empty on the last
  };
  // All records of a kind, as sealed.
  boost::asio::awaitable<absl::StatusOr<Page>> LoadPage(wa::RecordKind kind, std::string page_token, int size);
  // The same, opened.
  boost::asio::awaitable<absl::StatusOr<RecordPage>> LoadOpenPage(wa::RecordKind kind, std::string page_token,
                                                                  int size);

 private:
  absl::StatusOr<wa::Record> Open(const SealedName& name, wa::ByteView sealed) const;
  boost::asio::awaitable<absl::Status> LoadSome(const std::vector<wa::RecordName>& names, std::size_t first,
                                                std::size_t count, std::vector<wa::Record>& found);
  boost::asio::awaitable<absl::StatusOr<store::v1::LoadDeviceStateResponse>> Ask(
      store::v1::LoadDeviceStateRequest request);

  const Client client_;
  const std::shared_ptr<NumberWriter> writer_;
  const std::shared_ptr<const SealingKeys> keys_;
  const std::string number_id_;
  const std::int64_t lease_token_;
  OnPreKeys on_pre_keys_ = [](std::vector<wa::Record>) {};
};

// What the number's row learns of a new link.
store::v1::SetNumberStateOperation LinkedState(const wa::LinkedAccount& account);

}  // namespace medidesk::gateway
