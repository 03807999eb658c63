#include "gateway/wa/messages/device_list.h"

#include "gateway/wa/messages/message_host.h"
#include "gateway/wa/signal_address.h"
#include "whatsapp/message_records.pb.h"

namespace medidesk::gateway::wa {
namespace {

constexpr std::uint32_t kMaxDevice = 255;

RecordName NameOf(const Jid& account) { return {.kind = RecordKind::kDeviceList, .key = SignalAddressName(account)}; }

}  // namespace

DeviceList ReadDeviceList(Workspace& workspace, const Jid& account) {
  const auto record = ReadRecord<whatsapp::DeviceListRecord>(workspace, NameOf(account));
  DeviceList list{.fetched = record.fetched(), .timestamp = record.list_timestamp()};
  for (const auto& device : record.devices()) {
    if (device.id() > kMaxDevice) continue;
    Jid jid = account.WithoutDevice();
    jid.device = static_cast<std::uint16_t>(device.id());
    list.devices.push_back(std::move(jid));
    if (device.key_index() != 0) list.key_indexes.push_back(device.key_index());
  }
  return list;
}

void WriteDeviceList(Workspace& workspace, const Jid& account, const DeviceList& list) {
  whatsapp::DeviceListRecord record;
  record.set_fetched(list.fetched);
  record.set_list_timestamp(list.timestamp);
  std::size_t companion = 0;
  for (const Jid& device : list.devices) {
    auto* added = record.add_devices();
    added->set_id(device.device);
    if (device.device != 0 && companion < list.key_indexes.size()) added->set_key_index(list.key_indexes[companion++]);
  }
  WriteRecord(workspace, NameOf(account), record);
}

void DropDeviceList(Workspace& workspace, const Jid& account) { workspace.Erase(NameOf(account)); }

}  // namespace medidesk::gateway::wa
