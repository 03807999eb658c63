// Reads one bounded YAML document into a plain tree that remembers its lines. A hospital file is text, lists
// and maps: anchors, aliases, tags, keys that are no text and a second document are refused, so a small file
// cannot become a large one.
#pragma once

#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace medidesk::store {

struct YamlNode {
  enum class Kind { kNull, kText, kList, kMap };
  Kind kind = Kind::kNull;
  int line = 1;                   // where it begins; the value of a map carries its key's line
  std::string text;               // kText: unescaped
  std::vector<std::string> keys;  // kMap: in the file's order, duplicates kept; one for each item
  std::vector<YamlNode> items;    // kList, kMap
};

struct YamlProblem {
  int line = 1;
  std::string text;  // what is wrong and what to write; quotes nothing of the file
};

// Limits: 4 MiB, 8 levels, 400,000 nodes. Not valid: the first problem.
std::variant<YamlNode, YamlProblem> ReadYaml(std::string_view text);

}  // namespace medidesk::store
