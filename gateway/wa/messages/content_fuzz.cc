// Plaintexts of a hostile peer, and texts of answers: whatever comes must end in a value or an error. The first byte
// chooses.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "gateway/wa/messages/message_content.h"
#include "gateway/wa/messages/message_padding.h"
#include "gateway/wa/messages/notices.h"
#include "gateway/wa/messages/text_format.h"
#include "gateway/wa/utf8.h"

namespace wa = medidesk::gateway::wa;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const wa::ByteView rest(data + 1, size - 1);
  switch (data[0] % 4) {
    case 0:
    case 1: {
      const auto message = wa::UnpadMessage(rest);
      const auto content = wa::DecodeMessage(message.value_or(rest), data[0] % 4 == 1);
      if (!content.ok()) break;
      if (wa::ReplaceInvalidUtf8(wa::AsBytes(content->text)) != content->text) std::abort();
      for (const wa::FoundMessage& found : content->found) (void)wa::DecodeMessage(found.message, false);
      break;
    }
    case 2: {
      const std::string text = wa::WhatsAppTextOf(wa::AsText(rest));
      const auto parts = wa::SplitText(text);
      if (parts.empty() || parts.size() > wa::kMaxParts) std::abort();
      break;
    }
    case 3:
      (void)wa::AccountNewsOf("NotificationUserReachoutTimelockUpdate", wa::AsText(rest), {});
      (void)wa::AccountNewsOf("MessageCappingInfoNotification", wa::AsText(rest), {});
      break;
  }
  return 0;
}
