#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <string>
#include <utility>

#include "base/status.h"
#include "gateway/wa/byte_reader.h"
#include "gateway/wa/inflate.h"
#include "gateway/wa/node_codec.h"
#include "gateway/wa/node_tags.h"
#include "gateway/wa/token_dictionary.h"
#include "gateway/wa/utf8.h"

namespace medidesk::gateway::wa {
namespace {

constexpr std::uint8_t kCompressed = 0x02;
constexpr std::size_t kLeastNode = 2;  // bytes: a list's size and a tag, or the size alone of an empty list

bool IsList(std::uint8_t tag) { return tag == tags::kListEmpty || tag == tags::kList8 || tag == tags::kList16; }

bool IsBinary(std::uint8_t tag) { return tag == tags::kBinary8 || tag == tags::kBinary20 || tag == tags::kBinary32; }

// Like its reader it fails once and stays failed; whoever calls a member looks at ok() before trusting the result, or
// lets the error come out at the end.
class Decoder {
 public:
  explicit Decoder(ByteReader in) : in_(in) {}

  absl::StatusOr<Node> Root() {
    Node root;
    if (!IsList(Peek())) {
      Fail("a root that is no node");
    } else {
      Element(root, 1);
    }
    if (problem_ != nullptr) {
      return Error(exhausted_ ? absl::StatusCode::kResourceExhausted : absl::StatusCode::kInvalidArgument,
                   fmt::format("node codec: {} at byte {}", problem_, problem_at_));
    }
    if (in_.failed()) {
      return Error(absl::StatusCode::kInvalidArgument, fmt::format("node codec: cut short at byte {}", in_.offset()));
    }
    return root;
  }

 private:
  bool ok() const { return !in_.failed() && problem_ == nullptr; }

  // `problem` is about the value that began at `value_at_`.
  void Fail(const char* problem, bool exhausted = false) {
    if (!ok()) return;
    problem_ = problem;
    problem_at_ = value_at_;
    exhausted_ = exhausted;
  }

  // The first byte of the next value, without reading it; a failure when there is none.
  std::uint8_t Peek() const {
    ByteReader ahead = in_;
    return ahead.U8();
  }

  std::uint8_t Tag() {
    value_at_ = in_.offset();
    return in_.U8();
  }

  // Takes `count` items, of which each needs `least` bytes, out of what the stanza may still have. Only after this is
  // memory reserved for them.
  bool Claim(std::size_t count, std::size_t least) {
    if (!ok()) return false;
    if (count > in_.remaining() / least) {
      in_.Take(in_.remaining() + 1);
      return false;
    }
    if (count > items_left_) {
      Fail("too many nodes and attributes", /*exhausted=*/true);
      return false;
    }
    items_left_ -= count;
    return true;
  }

  std::size_t ListSize() {
    switch (Tag()) {
      case tags::kListEmpty:
        return 0;
      case tags::kList8:
        return in_.U8();
      case tags::kList16:
        return in_.U16();
      default:
        Fail("a list expected");
        return 0;
    }
  }

  void Element(Node& node, int depth) {
    if (depth > kMaxNodeDepth) return Fail("nested too deep", /*exhausted=*/true);
    const std::size_t size = ListSize();
    if (size == 0) return Fail("a node without a tag");
    node.tag = Text();
    if (node.tag.empty()) Fail("an empty tag");
    const std::size_t attributes = (size - 1) / 2;
    if (!Claim(attributes, 2)) return;
    node.attributes.reserve(attributes);
    for (std::size_t i = 0; i < attributes && ok(); ++i) {
      Attribute& attribute = node.attributes.emplace_back(std::string_view(), std::string_view());
      attribute.key = Text();
      if (auto jid = Address()) {
        attribute.value = jid->ToString();
        attribute.is_jid = true;
      } else {
        attribute.value = Text();
      }
    }
    if (size % 2 == 0 && ok()) Content(node, depth);
  }

  void Content(Node& node, int depth) {
    const std::uint8_t tag = Peek();
    if (IsList(tag)) {
      const std::size_t count = ListSize();
      if (!Claim(count, kLeastNode)) return;
      Nodes& children = node.content.emplace<Nodes>();
      children.reserve(count);
      for (std::size_t i = 0; i < count && ok(); ++i) Element(children.emplace_back(), depth + 1);
    } else if (IsBinary(tag)) {
      node.content = ToBytes(Binary(Tag()));
    } else if (auto jid = Address()) {
      node.content = jid->ToString();
    } else {
      node.content = Text();
    }
  }

  // A text that is no address.
  std::string Text() {
    const std::uint8_t tag = Tag();
    if (tag == tags::kListEmpty || !ok()) return {};
    if (tag <= tags::kLastSingle) return std::string(SingleToken(tag));
    if (tag <= tags::kDictionary3) return std::string(DoubleToken(tag, in_.U8()));
    if (tag == tags::kNibble8) return Packed(tags::kNibbleDigits);
    if (tag == tags::kHex8) return Packed(tags::kHexDigits);
    if (IsBinary(tag)) return ReplaceInvalidUtf8(Binary(tag));
    if (IsList(tag)) {
      Fail("a list where a text belongs");
    } else if (tag >= tags::kInteropJid) {
      Fail("an address where a text belongs");
    } else {
      Fail("an unassigned tag");
    }
    return {};
  }

  ByteView Binary(std::uint8_t tag) {
    std::size_t size = 0;
    if (tag == tags::kBinary8) {
      size = in_.U8();
    } else if (tag == tags::kBinary20) {
      size = in_.U24() & 0x0FFFFF;
    } else {
      size = in_.U32();
    }
    return in_.Take(size);
  }

  std::string Packed(std::string_view digits) {
    const std::uint8_t head = in_.U8();
    const bool odd = (head & tags::kOdd) != 0;
    const ByteView bytes = in_.Take(head & ~tags::kOdd & 0xFF);
    if (odd && bytes.empty()) {
      Fail("a packed text of half a byte");
      return {};
    }
    std::string text(bytes.size() * 2, '\0');
    for (std::size_t i = 0; i < bytes.size(); ++i) {
      text[2 * i] = digits[bytes[i] >> 4];
      text[2 * i + 1] = digits[bytes[i] & 0x0F];
    }
    if (odd) text.pop_back();
    if (text.find('\0') != std::string::npos) Fail("a packed text with a character that is none");
    return text;
  }

  // The address that comes next; nullopt, and nothing read, when something else does.
  std::optional<Jid> Address() {
    const std::uint8_t tag = Peek();
    if (!ok() ||
        (tag != tags::kJidPair && tag != tags::kDeviceJid && tag != tags::kMessengerJid && tag != tags::kInteropJid)) {
      return std::nullopt;
    }
    const std::size_t at = in_.offset();
    Tag();
    Jid jid;
    if (tag == tags::kDeviceJid) {
      const std::uint8_t domain = in_.U8();
      jid.device = in_.U8();
      jid.user = Text();
      const auto* known = std::find_if(tags::kDomains.begin(), tags::kDomains.end(),
                                       [domain](const tags::Domain& d) { return d.number == domain; });
      jid.server = known == tags::kDomains.end() ? kUserServer : known->server;
      if (known == tags::kDomains.end()) jid.agent = domain;
    } else {
      jid.user = Text();
      if (tag != tags::kJidPair) jid.device = in_.U16();
      if (tag == tags::kInteropJid) jid.user = fmt::format("{}-{}", in_.U16(), jid.user);
      jid.server = Text();
    }
    value_at_ = at;
    if (jid.server.empty()) Fail("an address without a server");
    // Such a text would be read back as another address.
    if (jid.user.find('@') != std::string::npos) Fail("an address with two servers");
    if (tag == tags::kMessengerJid && jid.server != kMessengerServer) Fail("a Messenger address elsewhere");
    if (tag == tags::kInteropJid && jid.server != kInteropServer) Fail("an interop address elsewhere");
    return jid;
  }

  ByteReader in_;
  std::size_t items_left_ = kMaxNodeItems;
  std::size_t value_at_ = 0;
  const char* problem_ = nullptr;
  std::size_t problem_at_ = 0;
  bool exhausted_ = false;
};

}  // namespace

absl::StatusOr<Node> DecodeNode(ByteView plaintext) {
  ByteReader in(plaintext);
  const std::uint8_t flags = in.U8();
  if (in.failed()) return Error(absl::StatusCode::kInvalidArgument, "node codec: cut short at byte 0");
  if ((flags & kCompressed) == 0) return Decoder(in).Root();
  auto inflated = Inflate(plaintext.subspan(1), kMaxInflated);
  if (!inflated.ok()) {
    return Error(inflated.status().code(), fmt::format("node codec: {}", Text(inflated.status())));
  }
  return Decoder(ByteReader(*inflated)).Root();
}

}  // namespace medidesk::gateway::wa
