#include "gateway/wa/qr_link.h"

#include <algorithm>

#include "gateway/wa/base64.h"

namespace medidesk::gateway::wa {
namespace {

constexpr std::string_view kPrefix = "https://wa.me/settings/linked_devices#";
constexpr std::size_t kMaxRefs = 16;
constexpr std::size_t kMaxRefSize = 1024;  // bytes

}  // namespace

std::string QrText(std::string_view ref, const DeviceCredentials& credentials, char platform_id) {
  std::string text(kPrefix);
  text += ref;
  for (const Key32* key : {&credentials.noise.public_key, &credentials.identity.public_key, &credentials.adv_secret}) {
    text += ',';
    text += ToBase64(*key);
  }
  text += ',';
  text += platform_id;
  return text;
}

std::vector<std::string> RefsOf(const Node& pair_device) {
  std::vector<std::string> refs;
  for (const Node& child : pair_device.Children()) {
    if (refs.size() == kMaxRefs) break;
    const std::string_view ref = child.ContentText();
    if (child.tag == "ref" && !ref.empty() && ref.size() <= kMaxRefSize) refs.emplace_back(ref);
  }
  return refs;
}

std::optional<QrRotation::Code> QrRotation::Next(Time now) {
  if (now < expires_ || shown_ == refs_.size()) return std::nullopt;
  expires_ = now + (shown_ == 0 ? kFirst : kNext);
  const std::size_t index = shown_++;
  return Code{.ref = refs_[index],
              .index = static_cast<int>(index) + 1,
              .count = static_cast<int>(refs_.size()),
              .expires = expires_};
}

}  // namespace medidesk::gateway::wa
