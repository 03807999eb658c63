// Where the message layer of a number plugs in: what it is given, and what it is told.
#pragma once

#include <boost/asio/awaitable.hpp>

#include <functional>
#include <memory>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#include "gateway/net/session_driver.h"
#include "gateway/service/number_writer.h"
#include "medidesk/store/v1/number.pb.h"

namespace medidesk::gateway {

struct RecordPage {
  std::vector<wa::Record> records;
  std::string next;  // token of the next page; empty on the last
};

// One number in our hands, for as long as the lease is. Thread-safe; coroutines resume on their caller's executor.
class NumberPort {
 public:
  virtual ~NumberPort() = default;

  // As it was when the lease was taken.
  virtual const store::v1::Number& number() const = 0;
  // A stanza to WhatsApp. UNAVAILABLE while not logged in.
  virtual boost::asio::awaitable<absl::Status> Send(wa::Node stanza) = 0;
  // NumberWriter::Commit: Accept, CommitOutbound and MarkDelivery with the records that they rest on, in one batch.
  virtual boost::asio::awaitable<absl::StatusOr<NumberWriter::Results>> Commit(NumberWrite write) = 0;
  // Records that exist, open, in any order; see DeviceStoreClient.
  virtual boost::asio::awaitable<absl::StatusOr<std::vector<wa::Record>>> Load(std::vector<wa::RecordName> names) = 0;
  // All records of a kind, page by page, open; OUT_OF_RANGE where one of this size is too large.
  virtual boost::asio::awaitable<absl::StatusOr<RecordPage>> LoadPage(wa::RecordKind kind, std::string token,
                                                                      int size) = 0;
  // SessionDriver::PauseReading: WhatsApp waits until what it has sent is stored.
  virtual void PauseReading(bool on) = 0;
  // What is in memory and what is stored may differ: the number is taken up anew, with another layer.
  virtual void Reload() = 0;
};

// The message layer of one number. OnEvent and OnStanza as in EventListener; both come from the number's first
// connection on, in order.
class NumberLayer : public net::EventListener {
 public:
  // The session has stored new pre-keys. From any thread.
  virtual void OnPreKeys(std::vector<wa::Record> records) = 0;
  // Commits what it holds. Events may still come meanwhile, none afterwards. Not called when the lease is lost.
  virtual boost::asio::awaitable<void> Drain() = 0;
  // Nothing more is begun, nothing that is under way goes on. Called at every end, after Drain where that is called.
  virtual void Abandon() = 0;
};

// Makes the layer of a number that is being started; null: nobody wants its stanzas.
using MakeNumberLayer = std::function<std::shared_ptr<NumberLayer>(std::shared_ptr<NumberPort>)>;

}  // namespace medidesk::gateway
