#include "gateway/service/device_store_client.h"

#include <algorithm>
#include <utility>

#include "base/rpc/error_details.h"
#include "base/status.h"
#include "gateway/wa/utf8.h"

namespace medidesk::gateway {
namespace {

namespace asio = boost::asio;
namespace v1 = store::v1;

constexpr std::size_t kMaxNames = 1'000;  // of one call

// The phone says what it is; the store takes letters, digits and a few marks.
std::string PlatformWord(const std::string& text) {
  constexpr std::string_view kAllowed = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.- ";
  std::string word;
  for (const char c : text) {
    if (kAllowed.find(c) != std::string_view::npos && word.size() < 64) word += c;
  }
  return word;
}

}  // namespace

v1::SetNumberStateOperation LinkedState(const wa::LinkedAccount& account) {
  v1::SetNumberStateOperation state;
  state.set_linked(true);
  state.set_phone("+" + account.jid.user);
  state.set_device_jid(account.jid.ToString());
  state.set_platform(PlatformWord(account.platform));
  state.set_display_name(wa::ReplaceInvalidUtf8(wa::AsBytes(account.business_name)));
  return state;
}

asio::awaitable<absl::StatusOr<v1::LoadDeviceStateResponse>> DeviceStoreClient::Ask(
    v1::LoadDeviceStateRequest request) {
  request.set_number_id(number_id_);
  request.set_lease_token(lease_token_);
  const rpc::CallOptions options = rpc::Within(kLimit);
  auto loaded = co_await client_.Call(MD_METHOD(LoadDeviceState), std::move(request), options);
  if (rpc::Reason(loaded.status()) == "LEASE_LOST") writer_->Lose(loaded.status());
  co_return loaded;
}

asio::awaitable<absl::StatusOr<std::vector<wa::Record>>> DeviceStoreClient::Load(
    const std::vector<wa::RecordName>& names) {
  std::vector<wa::Record> found;
  for (std::size_t first = 0; first < names.size(); first += kMaxNames) {
    const std::size_t count = std::min(kMaxNames, names.size() - first);
    MD_CO_RETURN_IF_ERROR(co_await LoadSome(names, first, count, found));
  }
  co_return found;
}

asio::awaitable<absl::Status> DeviceStoreClient::LoadSome(const std::vector<wa::RecordName>& names, std::size_t first,
                                                          std::size_t count, std::vector<wa::Record>& found) {
  v1::LoadDeviceStateRequest request;
  for (std::size_t i = first; i < first + count; ++i) {
    v1::DeviceRecordName* name = request.add_names();
    name->set_kind(static_cast<v1::DeviceStateKind>(names[i].kind));
    name->set_key(names[i].key);
  }
  auto loaded = co_await Ask(std::move(request));
  if (loaded.status().code() == absl::StatusCode::kOutOfRange && count > 1) {
    const std::size_t half = count / 2;
    MD_CO_RETURN_IF_ERROR(co_await LoadSome(names, first, half, found));
    co_return co_await LoadSome(names, first + half, count - half, found);
  }
  if (!loaded.ok()) co_return loaded.status();
  for (const v1::DeviceRecord& record : loaded->records()) {
    const SealedName name{.number_id = number_id_,
                          .record = {.kind = static_cast<wa::RecordKind>(record.kind()), .key = record.key()},
                          .revision = record.revision()};
    MD_ASSIGN_OR_CO_RETURN(wa::Record opened, Open(name, wa::AsBytes(record.sealed())));
    found.push_back(std::move(opened));
  }
  co_return absl::OkStatus();
}

absl::StatusOr<wa::Record> DeviceStoreClient::Open(const SealedName& name, wa::ByteView sealed) const {
  auto plain = keys_->Open(name, sealed);
  if (plain.ok()) return wa::Record{.name = name.record, .value = *std::move(plain)};
  const bool damaged = plain.status().code() == absl::StatusCode::kInvalidArgument;
  return Error(damaged ? absl::StatusCode::kDataLoss : plain.status().code(), Text(plain.status()));
}

asio::awaitable<absl::StatusOr<RecordPage>> DeviceStoreClient::LoadOpenPage(wa::RecordKind kind, std::string page_token,
                                                                            int size) {
  MD_ASSIGN_OR_CO_RETURN(Page sealed, co_await LoadPage(kind, std::move(page_token), size));
  RecordPage page;
  page.next = std::move(sealed.next);
  for (const SealedRecord& record : sealed.records) {
    MD_ASSIGN_OR_CO_RETURN(wa::Record opened, Open(record.name, record.sealed));
    page.records.push_back(std::move(opened));
  }
  co_return page;
}

asio::awaitable<absl::StatusOr<DeviceStoreClient::Page>> DeviceStoreClient::LoadPage(wa::RecordKind kind,
                                                                                     std::string page_token, int size) {
  v1::LoadDeviceStateRequest request;
  request.set_kind(static_cast<v1::DeviceStateKind>(kind));
  request.set_page_token(std::move(page_token));
  request.set_page_size(size);
  MD_ASSIGN_OR_CO_RETURN(const v1::LoadDeviceStateResponse loaded, co_await Ask(std::move(request)));
  Page page;
  page.next = loaded.next_page_token();
  for (const v1::DeviceRecord& record : loaded.records()) {
    SealedRecord sealed{.name = {.number_id = number_id_,
                                 .record = {.kind = static_cast<wa::RecordKind>(record.kind()), .key = record.key()},
                                 .revision = record.revision()},
                        .sealed = wa::ToBytes(wa::AsBytes(record.sealed()))};
    page.records.push_back(std::move(sealed));
  }
  co_return page;
}

asio::awaitable<absl::Status> DeviceStoreClient::Commit(const net::DeviceCommit& commit) {
  NumberWrite write;
  write.changes = commit.changes;
  if (commit.linked) {
    v1::Operation& operation = write.operations.emplace_back();
    *operation.mutable_set_number_state() = LinkedState(*commit.linked);
  }
  const absl::Status status = (co_await writer_->Commit(std::move(write))).status();
  std::vector<wa::Record> pre_keys;
  for (const wa::Record& record : commit.changes.puts) {
    const wa::RecordKind kind = record.name.kind;
    if (kind == wa::RecordKind::kPreKey || kind == wa::RecordKind::kSignedPreKey) pre_keys.push_back(record);
  }
  if (status.ok() && !pre_keys.empty()) on_pre_keys_(std::move(pre_keys));
  if (rpc::Reason(status) == "PHONE_IN_USE") co_return Error(absl::StatusCode::kAlreadyExists, Text(status));
  // The writer has tried it often enough: definite, and no longer the store's code for "ask again".
  if (absl::IsInternal(status)) co_return Error(absl::StatusCode::kAborted, "the store cannot apply a write");
  co_return status;
}

}  // namespace medidesk::gateway
