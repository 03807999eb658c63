// A journal that anybody may have written, and one that we have written, cut off or spoilt at any byte.
#include "gateway/journal/journal_file.h"
#include "gateway/wa/byte_writer.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace medidesk::gateway;
  static const SealingKeys keys = SealingKeys::Parse("YWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWE=", [](auto bytes) {
                                    for (auto& byte : bytes) byte = 5;
                                  }).value();
  const wa::ByteView bytes(data, size);
  (void)ReadJournal("n", keys, bytes);

  // The first two bytes say where to cut; the rest is sealed as two records.
  if (size < 2) return 0;
  const wa::ByteView content = bytes.subspan(2);
  const std::vector<wa::Bytes> records = {wa::ToBytes(content.first(content.size() / 2)),
                                          wa::ToBytes(content.subspan(content.size() / 2))};
  wa::Bytes journal = wa::ToBytes("MDJ1gggggggg");
  wa::ByteWriter out(journal);
  for (std::size_t i = 0; i < records.size(); ++i) {
    const SealedName name{.number_id = "n",
                          .record = {.kind = static_cast<wa::RecordKind>(0), .key = "journal gggggggg"},
                          .revision = static_cast<std::int64_t>(i)};
    const wa::Bytes sealed = keys.Seal(name, records[i]);
    out.U32(static_cast<std::uint32_t>(sealed.size()));
    out.Append(sealed);
  }
  const auto whole = ReadJournal("n", keys, journal);
  if (!whole.ok() || *whole != records) __builtin_trap();
  const std::size_t cut = (static_cast<std::size_t>(data[0]) << 8 | data[1]) % journal.size();
  const auto torn = ReadJournal("n", keys, wa::ByteView(journal).first(cut));
  if (!torn.ok() || torn->size() > 1) __builtin_trap();
  journal[cut] ^= 1;
  const auto spoilt = ReadJournal("n", keys, journal);
  if (spoilt.ok() && spoilt->size() == records.size()) __builtin_trap();
  return 0;
}
