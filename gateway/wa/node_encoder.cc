#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <limits>
#include <string_view>

#include "base/status.h"
#include "gateway/wa/byte_writer.h"
#include "gateway/wa/frame_codec.h"
#include "gateway/wa/node_codec.h"
#include "gateway/wa/node_tags.h"
#include "gateway/wa/token_dictionary.h"

namespace medidesk::gateway::wa {
namespace {

constexpr std::size_t kMaxList = 0xFFFF;
constexpr std::size_t kGcmTag = 16;  // bytes that sealing adds
constexpr std::size_t kMaxPlaintext = kMaxFramePayload - kGcmTag;

absl::Status Refused(std::string_view what) {
  return Error(absl::StatusCode::kInvalidArgument, fmt::format("node codec: cannot encode {}", what));
}

class Encoder {
 public:
  explicit Encoder(Bytes& out) : out_(out), writer_(out) {}

  absl::Status Element(const Node& node, int depth) {
    if (depth > kMaxNodeDepth) return Refused("a node nested too deep");
    if (node.tag.empty()) return Refused("a node without a tag");
    const auto attributes = static_cast<std::size_t>(std::count_if(
        node.attributes.begin(), node.attributes.end(), [](const Attribute& a) { return !a.value.empty(); }));
    const bool has_content = !std::holds_alternative<std::monostate>(node.content);
    MD_RETURN_IF_ERROR(List(1 + 2 * attributes + (has_content ? 1 : 0)));
    Text(node.tag);
    for (const Attribute& attribute : node.attributes) {
      if (attribute.value.empty()) continue;
      Text(attribute.key);
      if (attribute.is_jid) {
        MD_RETURN_IF_ERROR(Address(attribute.value));
      } else {
        Text(attribute.value);
      }
    }
    if (const Nodes* children = std::get_if<Nodes>(&node.content)) {
      MD_RETURN_IF_ERROR(List(children->size()));
      for (const Node& child : *children) MD_RETURN_IF_ERROR(Element(child, depth + 1));
    } else if (const Bytes* bytes = std::get_if<Bytes>(&node.content)) {
      Binary(*bytes);
    } else if (const std::string* text = std::get_if<std::string>(&node.content)) {
      Text(*text);
    }
    if (out_.size() > kMaxPlaintext) return Refused("a node that fits into no frame");
    return absl::OkStatus();
  }

 private:
  absl::Status List(std::size_t size) {
    if (size > kMaxList) return Refused("a list of more than 65535 members");
    if (size == 0) {
      writer_.U8(tags::kListEmpty);
    } else if (size <= std::numeric_limits<std::uint8_t>::max()) {
      writer_.U8(tags::kList8);
      writer_.U8(static_cast<std::uint8_t>(size));
    } else {
      writer_.U8(tags::kList16);
      writer_.U16(static_cast<std::uint16_t>(size));
    }
    return absl::OkStatus();
  }

  // The shortest form: a word, packed digits, or the bytes.
  void Text(std::string_view text) {
    if (const auto token = FindToken(text)) {
      writer_.U8(token->first);
      if (token->two_bytes()) writer_.U8(token->second);
      return;
    }
    if (Packed(tags::kNibble8, tags::kNibbleDigits, text) || Packed(tags::kHex8, tags::kHexDigits, text)) return;
    Binary(AsBytes(text));
  }

  bool Packed(std::uint8_t tag, std::string_view digits, std::string_view text) {
    if (text.empty() || text.size() > tags::kMaxPacked) return false;
    const auto value = [digits](char c) { return c == '\0' ? std::string_view::npos : digits.find(c); };
    if (!std::all_of(text.begin(), text.end(), [&](char c) { return value(c) != std::string_view::npos; }))
      return false;
    const bool odd = text.size() % 2 != 0;
    writer_.U8(tag);
    writer_.U8(static_cast<std::uint8_t>((text.size() + 1) / 2 | (odd ? tags::kOdd : 0)));
    for (std::size_t i = 0; i < text.size(); i += 2) {
      const std::size_t low = i + 1 < text.size() ? value(text[i + 1]) : 0x0F;
      writer_.U8(static_cast<std::uint8_t>(value(text[i]) << 4 | low));
    }
    return true;
  }

  void Binary(ByteView bytes) {
    if (bytes.size() < 256) {
      writer_.U8(tags::kBinary8);
      writer_.U8(static_cast<std::uint8_t>(bytes.size()));
    } else if (bytes.size() < 1u << 20) {
      writer_.U8(tags::kBinary20);
      writer_.U24(static_cast<std::uint32_t>(bytes.size()));
    } else {
      writer_.U8(tags::kBinary32);
      writer_.U32(static_cast<std::uint32_t>(std::min<std::size_t>(bytes.size(), 0xFFFFFFFFu)));
    }
    writer_.Append(bytes);
  }

  absl::Status Address(std::string_view text) {
    const auto jid = Jid::Parse(text);
    if (!jid) return Refused("an address that is none");
    if (jid->server == kMessengerServer && !jid->user.empty()) {
      writer_.U8(tags::kMessengerJid);
      Text(jid->user);
      writer_.U16(jid->device);
      Text(jid->server);
      return absl::OkStatus();
    }
    if (jid->server == kInteropServer && Interop(*jid)) return absl::OkStatus();
    const auto* domain = std::find_if(tags::kDomains.begin(), tags::kDomains.end(),
                                      [&](const tags::Domain& d) { return d.server == jid->server; });
    if (domain != tags::kDomains.end() && !jid->user.empty()) {
      // The hosted servers have no other form.
      const bool hosted = domain->number >= 128;
      if (jid->device > 0 || jid->agent > 0 || hosted) return DeviceAddress(*jid, domain->number);
    }
    // A device at a server that has none stays part of the user, as it was read.
    writer_.U8(tags::kJidPair);
    const std::string user = jid->device == 0 ? jid->user : fmt::format("{}:{}", jid->user, jid->device);
    if (user.empty()) {
      writer_.U8(tags::kListEmpty);
    } else {
      Text(user);
    }
    Text(jid->server);
    return absl::OkStatus();
  }

  absl::Status DeviceAddress(const Jid& jid, std::uint8_t domain) {
    if (jid.device > std::numeric_limits<std::uint8_t>::max()) return Refused("a device number above 255");
    writer_.U8(tags::kDeviceJid);
    writer_.U8(jid.agent != 0 ? jid.agent : domain);
    writer_.U8(static_cast<std::uint8_t>(jid.device));
    Text(jid.user);
    return absl::OkStatus();
  }

  // Writes "integrator-user"; false, and nothing written, when the user has another shape.
  bool Interop(const Jid& jid) {
    const std::size_t dash = jid.user.find('-');
    if (dash == std::string::npos || jid.user[0] < '0' || jid.user[0] > '9') return false;
    std::uint16_t integrator = 0;
    const auto [end, error] = std::from_chars(jid.user.data(), jid.user.data() + dash, integrator);
    if (error != std::errc() || end != jid.user.data() + dash) return false;
    writer_.U8(tags::kInteropJid);
    Text(std::string_view(jid.user).substr(dash + 1));
    writer_.U16(jid.device);
    writer_.U16(integrator);
    Text(jid.server);
    return true;
  }

  Bytes& out_;
  ByteWriter writer_;
};

}  // namespace

absl::StatusOr<Bytes> EncodeNode(const Node& node) {
  Bytes out;
  out.reserve(256);
  out.push_back(0);  // flags: not compressed
  MD_RETURN_IF_ERROR(Encoder(out).Element(node, 1));
  return out;
}

}  // namespace medidesk::gateway::wa
