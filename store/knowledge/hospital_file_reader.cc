#include <fmt/format.h>
#include <google/protobuf/descriptor.h>

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <utility>
#include <variant>
#include <vector>

#include "base/status.h"
#include "store/knowledge/hospital_fields.h"
#include "store/knowledge/hospital_file.h"
#include "store/knowledge/weekly_hours.h"
#include "store/knowledge/yaml_tree.h"

namespace medidesk::store {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;

struct LineProblem {
  int line;
  std::string path;
  std::string text;
};

// Fills messages from the tree and remembers where each field stands.
class Reader {
 public:
  void ReadMap(const YamlNode& node, const std::string& path, Message* message) {
    lines_[path] = node.line;
    if (node.kind != YamlNode::Kind::kMap) {
      AddUnread(node.line, path, "expected fields; write key: value, one a line, indented");
      return;
    }
    std::set<std::string_view> seen;
    for (std::size_t i = 0; i < node.items.size(); ++i) {
      const YamlNode& item = node.items[i];
      const FieldDescriptor* field = FieldOf(*message, node.keys[i]);
      if (field == nullptr) {
        Add(item.line, path, fmt::format("unknown key; write one of {}", KnownKeys(*message)));
      } else if (!seen.insert(node.keys[i]).second) {
        Add(item.line, Join(path, node.keys[i]), "this key is given twice; keep one of them");
      } else {
        ReadField(item, Join(path, node.keys[i]), *field, message);
      }
    }
  }

  // Adds the broken rules of the filled facts, but for fields that could not be read at all.
  void AddProblems(const std::vector<FactProblem>& problems) {
    for (const FactProblem& problem : problems) {
      const std::string path = InFile(problem.path);
      if (!IsUnread(path)) Add(LineOf(path), path, problem.text);
    }
  }

  std::vector<LineProblem> Take() && {
    std::stable_sort(problems_.begin(), problems_.end(), [](const auto& a, const auto& b) { return a.line < b.line; });
    return std::move(problems_);
  }

 private:
  // The path of a message's field as the file has it.
  std::string InFile(const std::string& path) const {
    constexpr std::string_view kKey = "_key";
    if (path.ends_with(".department_key")) return path.substr(0, path.size() - kKey.size());
    const std::size_t end = path.find(']', std::min(path.find(".roster["), path.size()));
    if (end == std::string::npos) return path;
    const auto entry = consultations_.find(path.substr(0, end + 1));
    return entry == consultations_.end() ? path : entry->second + path.substr(end + 1);
  }

  static std::string Join(const std::string& path, const std::string& key) {
    return path.empty() ? key : fmt::format("{}.{}", path, key);
  }

  static const FieldDescriptor* FieldOf(const Message& message, const std::string& key) {
    const auto* descriptor = message.GetDescriptor();
    for (int i = 0; i < descriptor->field_count(); ++i) {
      const FieldDescriptor* field = descriptor->field(i);
      if (FormOf(*field) != FieldForm::kAbsent && FileName(*field) == key) return field;
    }
    return nullptr;
  }

  static std::string KnownKeys(const Message& message) {
    std::string keys;
    const auto* descriptor = message.GetDescriptor();
    for (int i = 0; i < descriptor->field_count(); ++i) {
      if (FormOf(*descriptor->field(i)) == FieldForm::kAbsent) continue;
      if (!keys.empty()) keys += ", ";
      keys += FileName(*descriptor->field(i));
    }
    return keys;
  }

  void Add(int line, const std::string& path, std::string text) {
    if (problems_.size() < 2000) problems_.push_back({line, path, std::move(text)});
  }
  void AddUnread(int line, const std::string& path, std::string text) {
    unread_.insert(path);
    Add(line, path, std::move(text));
  }

  // True when the field, or what it stands in, had the wrong shape and was reported for that.
  bool IsUnread(std::string path) const {
    while (!unread_.contains(path)) {
      if (path.empty()) return false;
      path = Parent(path);
    }
    return true;
  }

  static std::string Parent(const std::string& path) {
    const std::size_t end = path.find_last_of(".[");
    return path.substr(0, end == std::string::npos ? 0 : end);
  }

  // The line of the nearest thing on the path that stands in the file.
  int LineOf(std::string path) const {
    for (;;) {
      if (const auto found = lines_.find(path); found != lines_.end()) return found->second;
      if (path.empty()) return 1;
      path = Parent(path);
    }
  }

  void ReadField(const YamlNode& node, const std::string& path, const FieldDescriptor& field, Message* message) {
    lines_[path] = node.line;
    const auto* reflection = message->GetReflection();
    switch (FormOf(field)) {
      case FieldForm::kText:
        if (Expect(node, YamlNode::Kind::kText, path, "expected a text; write key: text, or leave the key out")) {
          reflection->SetString(message, &field, node.text);
        }
        return;
      case FieldForm::kTextList:
        if (!Expect(node, YamlNode::Kind::kList, path,
                    "expected a list; write e.g. [one, two], or leave the key out")) {
          return;
        }
        for (std::size_t i = 0; i < node.items.size(); ++i) {
          const std::string item = fmt::format("{}[{}]", path, i);
          lines_[item] = node.items[i].line;
          const bool text = Expect(node.items[i], YamlNode::Kind::kText, item, "expected a text; put it in quotes");
          reflection->AddString(message, &field, text ? node.items[i].text : "");
        }
        return;
      case FieldForm::kHours:
        if (const auto hours = ReadHours(node, path)) {
          for (const v1::WeeklyRange& range : *hours) reflection->AddMessage(message, &field)->CopyFrom(range);
        }
        return;
      case FieldForm::kRoster:
        ReadRoster(node, path, static_cast<v1::Doctor*>(message)->mutable_roster());
        return;
      case FieldForm::kMaps:
        if (!Expect(node, YamlNode::Kind::kList, path, "expected a list; begin each entry with - key: value")) return;
        for (std::size_t i = 0; i < node.items.size(); ++i) {
          ReadMap(node.items[i], fmt::format("{}[{}]", path, i), reflection->AddMessage(message, &field));
        }
        return;
      case FieldForm::kMap:
        ReadMap(node, path, reflection->MutableMessage(message, &field));
        return;
      case FieldForm::kAbsent:
        return;
    }
  }

  bool Expect(const YamlNode& node, YamlNode::Kind kind, const std::string& path, std::string_view text) {
    if (node.kind == kind) return true;
    AddUnread(node.line, path, std::string(text));
    return false;
  }

  std::optional<WeeklyRanges> ReadHours(const YamlNode& node, const std::string& path) {
    if (!Expect(node, YamlNode::Kind::kText, path, "expected hours; write e.g. \"Mon-Fri 08:00-18:00\"")) {
      return std::nullopt;
    }
    auto hours = ParseWeeklyHours(node.text);
    if (!hours.ok()) {
      AddUnread(node.line, path, std::string(Text(hours.status())));
      return std::nullopt;
    }
    return *std::move(hours);
  }

  void ReadRoster(const YamlNode& node, const std::string& path,
                  google::protobuf::RepeatedPtrField<v1::RosterEntry>* roster) {
    constexpr std::string_view kShape =
        "expected consultations; write - when: \"Mon, Wed 09:00-13:00\" with room: below";
    if (!Expect(node, YamlNode::Kind::kList, path, kShape)) return;
    for (std::size_t i = 0; i < node.items.size(); ++i) {
      const YamlNode& item = node.items[i];
      const std::string item_path = fmt::format("{}[{}]", path, i);
      lines_[item_path] = item.line;
      if (!Expect(item, YamlNode::Kind::kMap, item_path, kShape)) continue;
      std::optional<WeeklyRanges> when;
      std::string room;
      std::set<std::string_view> seen;
      for (std::size_t k = 0; k < item.items.size(); ++k) {
        const std::string& key = item.keys[k];
        const YamlNode& value = item.items[k];
        if (key != "when" && key != "room") {
          Add(value.line, item_path, "unknown key; write one of when, room");
        } else if (!seen.insert(key).second) {
          Add(value.line, Join(item_path, key), "this key is given twice; keep one of them");
        } else if (key == "when") {
          when = ReadHours(value, Join(item_path, key));
        } else if (Expect(value, YamlNode::Kind::kText, Join(item_path, key), "expected a text; put it in quotes")) {
          room = value.text;
        }
      }
      if (!seen.contains("when"))
        AddUnread(item.line, item_path, "when is missing; write e.g. when: \"Mon 09:00-13:00\"");
      if (!when) continue;
      for (const v1::WeeklyRange& range : *when) {
        consultations_[fmt::format("{}[{}]", path, roster->size())] = item_path;
        v1::RosterEntry* entry = roster->Add();
        entry->set_weekday(range.weekday());
        entry->set_start_minute(range.start_minute());
        entry->set_end_minute(range.end_minute());
        entry->set_room(room);
      }
    }
  }

  std::map<std::string, int> lines_;                  // path -> line
  std::map<std::string, std::string> consultations_;  // path of a roster's span -> of the entry it came from
  std::set<std::string> unread_;                      // paths whose value had the wrong shape
  std::vector<LineProblem> problems_;
};

absl::Status Listed(const std::vector<LineProblem>& problems, std::string_view file_name, std::size_t most) {
  std::string text;
  for (std::size_t i = 0; i < std::min(problems.size(), most); ++i) {
    const LineProblem& problem = problems[i];
    if (!text.empty()) text += '\n';
    text += problem.path.empty() ? fmt::format("{}:{}: {}", file_name, problem.line, problem.text)
                                 : fmt::format("{}:{}: {}: {}", file_name, problem.line, problem.path, problem.text);
  }
  if (problems.size() > most) {
    text += fmt::format("\n{}: {} more problems; mend these and try again", file_name, problems.size() - most);
  }
  return Error(absl::StatusCode::kInvalidArgument, text);
}

}  // namespace

absl::StatusOr<Facts> ParseHospitalFile(std::string_view content, std::string_view file_name,
                                        std::size_t most_problems) {
  const auto tree = ReadYaml(content);
  if (const auto* problem = std::get_if<YamlProblem>(&tree)) {
    return Listed({{problem->line, "", problem->text}}, file_name, most_problems);
  }
  Facts facts;
  Reader reader;
  reader.ReadMap(std::get<YamlNode>(tree), "", &facts);
  TrimTexts(&facts);  // sorting waits: a problem names the row's place in the file
  reader.AddProblems(CheckFacts(facts));
  if (const auto problems = std::move(reader).Take(); !problems.empty())
    return Listed(problems, file_name, most_problems);
  NormalizeFacts(&facts);
  return facts;
}

}  // namespace medidesk::store
