#include "gateway/wa/node_codec.h"

#include <gtest/gtest.h>
#include <zlib.h>

#include <string>
#include <utility>

#include "base/status.h"
#include "gateway/wa/testing/node_json.h"

namespace medidesk::gateway::wa {
namespace {

using testing::Hex;
using testing::HexMember;
using testing::NodeFrom;
using testing::ReadVectors;
using testing::Unhex;

// A node whose attribute `from` has the value with these bytes.
Bytes WithValue(std::string_view hex) { return Unhex("00f8036406" + std::string(hex)); }

std::string From(std::string_view hex) {
  const auto node = DecodeNode(WithValue(hex));
  EXPECT_TRUE(node.ok()) << hex << " " << node.status();
  return node.ok() ? std::string(node->Attr("from")) : "";
}

std::string Problem(ByteView plaintext) {
  const auto node = DecodeNode(plaintext);
  EXPECT_FALSE(node.ok());
  return std::string(Text(node.status()));
}

std::string EncodedValue(const Attribute& attribute) {
  const auto bytes = EncodeNode(Node{"call", {attribute}, {}});
  EXPECT_TRUE(bytes.ok()) << bytes.status();
  if (!bytes.ok()) return "";
  const std::string hex = Hex(*bytes);
  EXPECT_TRUE(hex.starts_with("00f8036406"));
  return hex.substr(10);
}

Bytes Compressed(ByteView node, std::uint8_t flags = 2) {
  uLongf size = compressBound(node.size());
  Bytes out(1 + size);
  out[0] = flags;
  EXPECT_EQ(compress(out.data() + 1, &size, node.data(), node.size()), Z_OK);
  out.resize(1 + size);
  return out;
}

TEST(NodeCodec, AgreesWithEveryVector) {
  const auto file = ReadVectors("nodes.json");
  int count = 0;
  for (const auto& vector : file.at("vectors").as_array()) {
    SCOPED_TRACE(testing::Text(vector, "name"));
    const std::string mode = testing::Text(vector, "mode");
    const Bytes hex = HexMember(vector, "hex");
    ++count;
    if (mode == "reject") {
      EXPECT_EQ(DecodeNode(hex).status().code(), absl::StatusCode::kInvalidArgument);
      continue;
    }
    const bool encodes = mode == "both" || mode == "encode";
    ASSERT_TRUE(encodes || mode == "decode");
    if (encodes) {
      const auto bytes = EncodeNode(NodeFrom(vector.at("encode")));
      ASSERT_TRUE(bytes.ok()) << bytes.status();
      EXPECT_EQ(Hex(*bytes), Hex(hex));
    }
    const auto node = DecodeNode(hex);
    ASSERT_TRUE(node.ok()) << node.status();
    EXPECT_EQ(*node, NodeFrom(vector.as_object().contains("decoded") ? vector.at("decoded") : vector.at("encode")));
  }
  EXPECT_EQ(count, 34);
}

TEST(NodeCodec, BringsEveryRecordedStanzaBack) {
  const auto file = ReadVectors("stanzas.json");
  ASSERT_GT(file.at("stanzas").as_array().size(), 400u);
  for (const auto& stanza : file.at("stanzas").as_array()) {
    SCOPED_TRACE(testing::Text(stanza, "scenario"));
    Node node = NodeFrom(stanza.at("node"));
    const auto bytes = EncodeNode(node);
    ASSERT_TRUE(bytes.ok()) << bytes.status();
    const auto back = DecodeNode(*bytes);
    ASSERT_TRUE(back.ok()) << back.status();
    // What the encoder leaves out.
    const auto drop_empty = [](auto& self, Node& n) -> void {
      std::erase_if(n.attributes, [](const Attribute& attribute) { return attribute.value.empty(); });
      if (Nodes* children = std::get_if<Nodes>(&n.content)) {
        for (Node& child : *children) self(self, child);
      }
    };
    drop_empty(drop_empty, node);
    EXPECT_EQ(*back, node);
  }
}

TEST(NodeCodec, RefusesEveryPrefixOfAValidNode) {
  const auto file = ReadVectors("nodes.json");
  for (const auto& vector : file.at("vectors").as_array()) {
    if (testing::Text(vector, "mode") == "reject") continue;
    const Bytes whole = HexMember(vector, "hex");
    for (std::size_t size = 0; size < whole.size(); ++size) {
      EXPECT_FALSE(DecodeNode({whole.data(), size}).ok()) << testing::Text(vector, "name") << " prefix of " << size;
    }
  }
}

TEST(NodeCodec, NamesTheRuleAndTheOffset) {
  const std::pair<const char*, const char*> cases[] = {
      {"", "node codec: cut short at byte 0"},
      {"00", "node codec: cut short at byte 1"},
      {"02", "node codec: inflate: cut short at byte 0"},
      {"0000", "node codec: a node without a tag at byte 1"},
      {"00f800", "node codec: a node without a tag at byte 1"},
      {"0019", "node codec: a root that is no node at byte 0"},
      {"00fc0119", "node codec: a root that is no node at byte 0"},
      {"00f80100", "node codec: an empty tag at byte 3"},
      {"00f801fc00", "node codec: an empty tag at byte 3"},
      {"00f801f801", "node codec: a list where a text belongs at byte 3"},
      {"00f801fa0003", "node codec: an address where a text belongs at byte 3"},
      {"00f8031908f0", "node codec: an unassigned tag at byte 5"},
      {"00f8031908f4", "node codec: an unassigned tag at byte 5"},
      {"00f8031908f801", "node codec: a list where a text belongs at byte 5"},
      {"00f8031908ec", "node codec: cut short at byte 6"},
      {"00f8031908ff80", "node codec: a packed text of half a byte at byte 5"},
      {"00f8031908fb80", "node codec: a packed text of half a byte at byte 5"},
      {"00f8031908ff011c", "node codec: a packed text with a character that is none at byte 5"},
      {"00f8031908ff02f012", "node codec: a packed text with a character that is none at byte 5"},
      {"00f8031908ff011f", "node codec: a packed text with a character that is none at byte 5"},
      {"00f8031906fa1900", "node codec: an address without a server at byte 5"},
      {"00f8031906fa19fc00", "node codec: an address without a server at byte 5"},
      {"00f8031906fafa190303", "node codec: an address where a text belongs at byte 6"},
      {"00f8031906fa19fa1903", "node codec: an address where a text belongs at byte 7"},
      {"00f8031906f70001f70001ff0112", "node codec: an address where a text belongs at byte 8"},
      {"00f8031906f6ff0112000103", "node codec: a Messenger address elsewhere at byte 5"},
      {"00f8031906f5ff01120001000103", "node codec: an interop address elsewhere at byte 5"},
      {"00f8031906fafc03614062fc0163", "node codec: an address with two servers at byte 5"},
      {"00f80219f802f8011919", "node codec: a list expected at byte 9"},
      {"00f80219fefffffffe00", "node codec: cut short at byte 9"},
      {"00f9ffff19", "node codec: cut short at byte 5"},
      {"00f80219f9ffff", "node codec: cut short at byte 7"},
  };
  for (const auto& [hex, problem] : cases) EXPECT_EQ(Problem(Unhex(hex)), problem) << hex;
  EXPECT_EQ(Problem(Compressed(Unhex("f8031908f0"))), "node codec: an unassigned tag at byte 4");
}

TEST(NodeCodec, ReadsEveryFormOfATextAndALength) {
  EXPECT_EQ(From("fc0161"), "a");
  EXPECT_EQ(From("fd00000161"), "a");
  EXPECT_EQ(From("fdf0000161"), "a");  // only the low 20 bits count
  EXPECT_EQ(From("fe0000000161"), "a");
  EXPECT_EQ(From("00"), "");
  EXPECT_EQ(From("fc00"), "");
  EXPECT_EQ(From("ff00"), "");
  EXPECT_EQ(From("ff821230"), "123");  // the padding of an odd one is not looked at
  EXPECT_EQ(From("fb02abcd"), "ABCD");
  EXPECT_EQ(From("fb82abc0"), "ABC");
  EXPECT_EQ(From("fc02ff61"),
            "\xEF\xBF\xBD"
            "a");
}

TEST(NodeCodec, ReadsEveryFormOfAnAddress) {
  EXPECT_EQ(From("fa0003"), "@s.whatsapp.net");
  EXPECT_EQ(From("03"), "s.whatsapp.net");
  EXPECT_EQ(From("fafc0003"), "@s.whatsapp.net");
  EXPECT_EQ(From("f70007ff0112"), "12:7@s.whatsapp.net");
  EXPECT_EQ(From("f70107ff0112"), "12:7@lid");
  EXPECT_EQ(From("f78007ff0112"), "12:7@hosted");
  EXPECT_EQ(From("f78107ff0112"), "12:7@hosted.lid");
  EXPECT_EQ(From("f70200ff0112"), "12.2@s.whatsapp.net");
  EXPECT_EQ(From("faff0112fc0c6578616d706c652e74657374"), "12@example.test");
  const auto node = DecodeNode(WithValue("fa0003"));
  EXPECT_TRUE(node->attributes[0].is_jid);
  EXPECT_FALSE(DecodeNode(WithValue("03"))->attributes[0].is_jid);
  EXPECT_TRUE(DecodeNode(WithValue("03"))->AttrJid("from")->IsServer());
}

TEST(NodeCodec, WritesTheShortestFormOfAText) {
  EXPECT_EQ(EncodedValue({"from", "type"}), "04");
  EXPECT_EQ(EncodedValue({"from", "active"}), "ec01");
  EXPECT_EQ(EncodedValue({"from", "12-.3"}), "ff8312ab3f");
  EXPECT_EQ(EncodedValue({"from", "12AF"}), "fb0212af");
  EXPECT_EQ(EncodedValue({"from", "12af"}), "fc0431326166");
  EXPECT_EQ(EncodedValue({"from", "12A-"}), "fc043132412d");
  EXPECT_EQ(EncodedValue({"from", std::string_view("1\0", 2)}), "fc023100");
  // A text that looks like an address stays one.
  EXPECT_EQ(EncodedValue({"from", "1@lid"}), "fc0531406c6964");
}

TEST(NodeCodec, WritesTheFormThatAnAddressNeeds) {
  const auto written = [](std::string_view text) { return EncodedValue({"from", *Jid::Parse(text)}); };
  EXPECT_EQ(written("s.whatsapp.net"), "fa0003");
  EXPECT_EQ(written("5551:7@s.whatsapp.net"), "f70007ff025551");
  EXPECT_EQ(written("5551:0@s.whatsapp.net"), "faff02555103");
  EXPECT_EQ(written("5551:255@lid"), "f701ffff025551");
  EXPECT_EQ(written("5551@hosted"), "f78000ff025551");
  EXPECT_EQ(written("5551:3@hosted.lid"), "f78103ff025551");
  EXPECT_EQ(written("5551.2:5@s.whatsapp.net"), "f70205ff025551");
  EXPECT_EQ(written("1000123456:3@msgr"), "f6ff0510001234560003cc");
  EXPECT_EQ(written("5-987654:2@interop"), "f5ff0398765400020005fc07696e7465726f70");
}

TEST(NodeCodec, BringsEveryAddressBack) {
  for (const auto text : {"12@g.us", "12-34@g.us", "12:3@g.us", "status@broadcast", "12@newsletter", "a@example.test",
                          "12@msgr", "12:300@msgr", "12:3@interop", "5-12@interop", "70000-12@interop", "x-12@interop",
                          "@g.us", "@hosted", "@msgr", "@interop", "12.2@s.whatsapp.net", "12.128:1@s.whatsapp.net"}) {
    const Node node{"call", {{"from", *Jid::Parse(text)}}, {}};
    const auto bytes = EncodeNode(node);
    ASSERT_TRUE(bytes.ok()) << text;
    EXPECT_EQ(*DecodeNode(*bytes), node) << text;
  }
}

TEST(NodeCodec, RefusesToEncodeWhatHasNoBytes) {
  const auto refused = [](const Node& node) {
    return EncodeNode(node).status().code() == absl::StatusCode::kInvalidArgument;
  };
  EXPECT_TRUE(refused(Node{""}));
  EXPECT_TRUE(refused(Node{"a", {}, Nodes{{""}}}));
  EXPECT_TRUE(refused(Node{"a", {{"from", *Jid::Parse("1:256@lid")}}, {}}));
  Attribute broken("from", "nobody");
  broken.is_jid = true;
  EXPECT_TRUE(refused(Node{"a", {broken}, {}}));
  EXPECT_TRUE(refused(Node{"a", {}, Nodes(65536, Node{"b"})}));
  EXPECT_TRUE(refused(Node{"a", {}, Bytes(1u << 24)}));
  EXPECT_FALSE(refused(Node{"a", {}, Nodes(65535, Node{"b"})}));
}

TEST(NodeCodec, WritesEveryLengthOfBytes) {
  for (const std::size_t size : {0u, 1u, 255u, 256u, (1u << 20) - 1, 1u << 20}) {
    const Node node{"a", {}, Bytes(size, 7)};
    const auto bytes = EncodeNode(node);
    ASSERT_TRUE(bytes.ok());
    EXPECT_EQ(*DecodeNode(*bytes), node) << size;
  }
}

TEST(NodeCodec, AcceptsAndBoundsDepth) {
  const auto nested = [](int depth) {
    Bytes bytes = {0};
    for (int i = 1; i < depth; ++i) bytes.insert(bytes.end(), {0xF8, 2, 0x19, 0xF8, 1});
    bytes.insert(bytes.end(), {0xF8, 1, 0x19});
    return bytes;
  };
  const auto deepest = DecodeNode(nested(kMaxNodeDepth));
  ASSERT_TRUE(deepest.ok()) << deepest.status();
  EXPECT_EQ(*EncodeNode(*deepest), nested(kMaxNodeDepth));
  EXPECT_EQ(DecodeNode(nested(kMaxNodeDepth + 1)).status().code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(DecodeNode(nested(100'000)).status().code(), absl::StatusCode::kResourceExhausted);
  EXPECT_FALSE(EncodeNode(Node{"a", {}, Nodes{*deepest}}).ok());
}

TEST(NodeCodec, BoundsTheNumberOfNodesAndAttributes) {
  // Five lists of 65,535 nodes: small on the wire, large in memory.
  Bytes bytes = {0, 0xF8, 2, 0x19, 0xF8, 5};
  for (int i = 0; i < 5; ++i) {
    bytes.insert(bytes.end(), {0xF8, 2, 0x19, 0xF9, 0xFF, 0xFF});
    for (int j = 0; j < 0xFFFF; ++j) bytes.insert(bytes.end(), {0xF8, 1, 0x19});
  }
  EXPECT_EQ(DecodeNode(bytes).status().code(), absl::StatusCode::kResourceExhausted);
}

TEST(NodeCodec, BoundsWhatACompressedNodeBecomes) {
  Bytes node = {0xF8, 2, 0x19, 0xFE, 0, 0, 0, 0};
  const std::size_t fits = kMaxInflated - node.size();
  for (const std::size_t size : {fits, fits + 1}) {
    for (int i = 0; i < 4; ++i) node[4 + i] = static_cast<std::uint8_t>(size >> 8 * (3 - i));
    node.resize(8 + size);
    const auto decoded = DecodeNode(Compressed(node));
    EXPECT_EQ(decoded.status().code(), size == fits ? absl::StatusCode::kOk : absl::StatusCode::kResourceExhausted);
  }
}

TEST(NodeCodec, LooksAtNoFlagButCompression) {
  const Bytes node = Unhex("f80102");
  for (int flags = 0; flags < 256; ++flags) {
    Bytes plaintext = {static_cast<std::uint8_t>(flags)};
    plaintext.insert(plaintext.end(), node.begin(), node.end());
    if ((flags & 2) != 0) plaintext = Compressed(node, static_cast<std::uint8_t>(flags));
    ASSERT_TRUE(DecodeNode(plaintext).ok()) << flags;
    EXPECT_EQ(DecodeNode(plaintext)->tag, "xmlstreamend");
  }
}

TEST(NodeCodec, IgnoresWhatFollowsTheRoot) { EXPECT_EQ(DecodeNode(Unhex("00f80102ffff"))->tag, "xmlstreamend"); }

}  // namespace
}  // namespace medidesk::gateway::wa
