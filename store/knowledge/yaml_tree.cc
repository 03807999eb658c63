#include "store/knowledge/yaml_tree.h"

#include <fmt/format.h>
#include <utf8proc.h>
#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/mark.h>
#include <yaml-cpp/parser.h>

#include <cstdint>
#include <exception>
#include <optional>
#include <sstream>
#include <utility>

#include "store/knowledge/facts.h"

namespace medidesk::store {
namespace {

constexpr std::size_t kMaxDepth = 8;
constexpr int kMaxNodes = 400'000;

// Thrown through the parser by the builder and caught in this file.
struct Refused {
  YamlProblem problem;
};

[[noreturn]] void Refuse(int line, std::string text) { throw Refused{{line, std::move(text)}}; }

class TreeBuilder final : public YAML::EventHandler {
 public:
  YamlNode Take() && { return std::move(root_); }
  bool done() const { return done_; }

  void OnDocumentStart(const YAML::Mark& mark) override {
    if (done_) Refuse(mark.line + 1, "a second document begins here; remove the line ---");
  }
  void OnDocumentEnd() override { done_ = true; }

  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    Leaf(mark, anchor, {.kind = YamlNode::Kind::kNull, .line = mark.line + 1, .text = {}, .keys = {}, .items = {}});
  }
  void OnAlias(const YAML::Mark& mark, YAML::anchor_t) override {
    Refuse(mark.line + 1, "aliases (*name) are not used in a hospital file; write the value out, or put it in quotes");
  }
  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                const std::string& value) override {
    RefuseTag(mark, tag);
    Leaf(mark, anchor, {.kind = YamlNode::Kind::kText, .line = mark.line + 1, .text = value, .keys = {}, .items = {}});
  }
  void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                       YAML::EmitterStyle::value) override {
    RefuseTag(mark, tag);
    Open(mark, anchor, YamlNode::Kind::kList);
  }
  void OnSequenceEnd() override { Close(); }
  void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                  YAML::EmitterStyle::value) override {
    RefuseTag(mark, tag);
    Open(mark, anchor, YamlNode::Kind::kMap);
  }
  void OnMapEnd() override { Close(); }

 private:
  // A list or map whose end has not come yet.
  struct Frame {
    YamlNode node;
    bool has_key = false;  // a key came whose value has not
    int key_line = 0;
  };

  static void RefuseTag(const YAML::Mark& mark, const std::string& tag) {
    if (!tag.empty() && tag != "?" && tag != "!") {
      Refuse(mark.line + 1, "tags (!name) are not used in a hospital file; remove it, or put the text in quotes");
    }
  }

  void Admit(const YAML::Mark& mark, YAML::anchor_t anchor) {
    if (anchor != 0) {
      Refuse(mark.line + 1, "anchors (&name) are not used in a hospital file; remove it, or put the text in quotes");
    }
    if (++nodes_ > kMaxNodes) Refuse(mark.line + 1, fmt::format("more than {} values; split the file", kMaxNodes));
  }

  void Open(const YAML::Mark& mark, YAML::anchor_t anchor, YamlNode::Kind kind) {
    Admit(mark, anchor);
    if (!open_.empty() && open_.back().node.kind == YamlNode::Kind::kMap && !open_.back().has_key) {
      Refuse(mark.line + 1, "a key must be a word; write key: value");
    }
    if (open_.size() == kMaxDepth) Refuse(mark.line + 1, fmt::format("nested deeper than {} levels", kMaxDepth));
    Frame frame;
    frame.node.kind = kind;
    frame.node.line = mark.line + 1;
    open_.push_back(std::move(frame));
  }

  void Close() {
    YamlNode node = std::move(open_.back().node);
    open_.pop_back();
    Attach(std::move(node));
  }

  void Leaf(const YAML::Mark& mark, YAML::anchor_t anchor, YamlNode node) {
    Admit(mark, anchor);
    Attach(std::move(node));
  }

  void Attach(YamlNode node) {
    if (open_.empty()) {
      root_ = std::move(node);
      return;
    }
    Frame& parent = open_.back();
    if (parent.node.kind == YamlNode::Kind::kMap && !parent.has_key) {
      if (node.kind != YamlNode::Kind::kText) Refuse(node.line, "a key must be a word; write key: value");
      parent.node.keys.push_back(std::move(node.text));
      parent.has_key = true;
      parent.key_line = node.line;
      return;
    }
    if (parent.has_key) node.line = parent.key_line;
    parent.has_key = false;
    parent.node.items.push_back(std::move(node));
  }

  YamlNode root_;
  std::vector<Frame> open_;
  int nodes_ = 0;
  bool done_ = false;
};

// The line of the first byte that does not belong into a text file.
std::optional<int> BadByteLine(std::string_view text) {
  int line = 1;
  const auto* bytes = reinterpret_cast<const utf8proc_uint8_t*>(text.data());
  auto left = static_cast<utf8proc_ssize_t>(text.size());
  while (left > 0) {
    utf8proc_int32_t point = 0;
    const utf8proc_ssize_t size = utf8proc_iterate(bytes, left, &point);
    if (size <= 0 || point == 0x7F || (point < 0x20 && point != '\n' && point != '\r' && point != '\t')) return line;
    if (point == '\n') ++line;
    bytes += size;
    left -= size;
  }
  return std::nullopt;
}

// yaml-cpp's messages up to what they may quote.
std::string Reason(const std::string& message) {
  const std::string reason = message.substr(0, message.find(':'));
  for (const char c : reason) {
    if ((c < 'a' || c > 'z') && c != ' ') return "unreadable";
  }
  return reason;
}

}  // namespace

std::variant<YamlNode, YamlProblem> ReadYaml(std::string_view text) {
  if (text.size() > kMaxFileBytes) return YamlProblem{1, "the file exceeds 4 MiB; shorten or remove texts"};
  if (const auto line = BadByteLine(text)) {
    return YamlProblem{*line, "expected UTF-8 text without control characters; save the file as UTF-8"};
  }
  int line = 1;
  try {
    std::istringstream in{std::string(text)};
    YAML::Parser parser(in);
    TreeBuilder builder;
    while (parser.HandleNextDocument(builder)) {
    }
    return std::move(builder).Take();
  } catch (const Refused& refused) {
    return refused.problem;
  } catch (const YAML::ParserException& error) {
    line = error.mark.line + 1;
    return YamlProblem{line, fmt::format("not valid YAML ({}); check indentation and colons, and put texts that hold "
                                         "\": \" or \" #\" in double quotes",
                                         Reason(error.msg))};
  } catch (const std::exception&) {
    return YamlProblem{line, "not readable as YAML; compare the file with docs/hospital-file.md"};
  }
}

}  // namespace medidesk::store
