#include <google/protobuf/descriptor.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "store/knowledge/hospital_fields.h"
#include "store/knowledge/hospital_file.h"
#include "store/knowledge/weekly_hours.h"

namespace medidesk::store {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;

// Texts that YAML, or a tool for YAML 1.1, takes for something else.
bool IsReserved(std::string_view text) {
  std::string lower(text);
  std::transform(lower.begin(), lower.end(), lower.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
  for (const std::string_view word : {"null", "true", "false", "yes", "no", "on", "off", "y", "n"}) {
    if (lower == word) return true;
  }
  return false;
}

bool IsPlain(std::string_view text) {
  const auto letter = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c & 0x80) != 0; };
  if (text.empty() || !letter(text.front()) || IsReserved(text)) return false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    const char next = i + 1 < text.size() ? text[i + 1] : ' ';
    if (letter(c) || (c >= '0' && c <= '9')) continue;
    if (c == ':' ? next == ' ' : std::string_view(" .,;/()'+-_?!%@&").find(c) == std::string_view::npos) return false;
    if (c == ' ' && next == ' ') return false;
  }
  return true;
}

// True when the lines may stand as they are under "|-".
bool IsBlock(std::string_view text) {
  if (text.find('\n') == std::string_view::npos) return false;
  char before = '\n';
  for (const char c : text) {
    if ((before == '\n' && c == ' ') || (before == ' ' && c == '\n')) return false;
    before = c;
  }
  return before != '\n' && before != ' ';
}

std::string Quoted(std::string_view text) {
  std::string quoted = "\"";
  for (const char c : text) {
    if (c == '\n') {
      quoted += "\\n";
      continue;
    }
    if (c == '"' || c == '\\') quoted += '\\';
    quoted += c;
  }
  return quoted + '"';
}

class Writer {
 public:
  // Writes the message's fields, one a line, `indent` spaces deep; the first line follows what is written already
  // when `inline_first`.
  void Map(const Message& message, int indent, bool inline_first) {
    bool first = inline_first;
    const auto* descriptor = message.GetDescriptor();
    for (int i = 0; i < descriptor->field_count(); ++i) {
      const FieldDescriptor& field = *descriptor->field(i);
      if (FormOf(field) == FieldForm::kAbsent || IsEmpty(message, field)) continue;
      if (!first) out_.append(static_cast<std::size_t>(indent), ' ');
      first = false;
      out_ += FileName(field);
      out_ += ':';
      Value(message, field, indent);
    }
    if (first) out_ += "{}\n";
  }

  std::string Take() && { return std::move(out_); }

 private:
  static bool IsEmpty(const Message& message, const FieldDescriptor& field) {
    const auto* reflection = message.GetReflection();
    if (field.is_repeated()) return reflection->FieldSize(message, &field) == 0;
    return !reflection->HasField(message, &field);
  }

  static WeeklyRanges Ranges(const Message& message, const FieldDescriptor& field) {
    const auto* reflection = message.GetReflection();
    WeeklyRanges ranges;
    for (int i = 0; i < reflection->FieldSize(message, &field); ++i) {
      ranges.Add()->CopyFrom(reflection->GetRepeatedMessage(message, &field, i));
    }
    return ranges;
  }

  void Text(const std::string& text, int indent) {
    if (IsPlain(text)) {
      out_ += text;
    } else if (IsBlock(text)) {
      out_ += "|-\n";
      std::size_t at = 0;
      while (at <= text.size()) {
        const std::size_t end = std::min(text.find('\n', at), text.size());
        if (at > 0) out_ += '\n';
        if (end > at) {
          out_.append(static_cast<std::size_t>(indent) + 2, ' ');
          out_.append(text, at, end - at);
        }
        at = end + 1;
      }
    } else {
      out_ += Quoted(text);
    }
    out_ += '\n';
  }

  void Item(int indent) {
    out_.append(static_cast<std::size_t>(indent) + 2, ' ');
    out_ += "- ";
  }

  void Value(const Message& message, const FieldDescriptor& field, int indent) {
    const auto* reflection = message.GetReflection();
    switch (FormOf(field)) {
      case FieldForm::kText:
        out_ += ' ';
        Text(reflection->GetString(message, &field), indent);
        return;
      case FieldForm::kHours:
        out_ += ' ';
        Text(FormatWeeklyHours(Ranges(message, field)), indent);
        return;
      case FieldForm::kTextList:
        out_ += '\n';
        for (int i = 0; i < reflection->FieldSize(message, &field); ++i) {
          Item(indent);
          Text(reflection->GetRepeatedString(message, &field, i), indent + 2);
        }
        return;
      case FieldForm::kRoster:
        out_ += '\n';
        Roster(static_cast<const v1::Doctor&>(message).roster(), indent);
        return;
      case FieldForm::kMaps:
        out_ += '\n';
        for (int i = 0; i < reflection->FieldSize(message, &field); ++i) {
          Item(indent);
          Map(reflection->GetRepeatedMessage(message, &field, i), indent + 4, /*inline_first=*/true);
        }
        return;
      case FieldForm::kMap:
        out_ += '\n';
        Map(reflection->GetMessage(message, &field), indent + 2, /*inline_first=*/false);
        return;
      case FieldForm::kAbsent:
        return;
    }
  }

  // One entry for each room, in the order in which the rooms come up in the week.
  void Roster(const google::protobuf::RepeatedPtrField<v1::RosterEntry>& roster, int indent) {
    std::vector<std::pair<std::string, WeeklyRanges>> rooms;
    for (const v1::RosterEntry& entry : roster) {
      auto room =
          std::find_if(rooms.begin(), rooms.end(), [&](const auto& known) { return known.first == entry.room(); });
      if (room == rooms.end()) room = rooms.emplace(rooms.end(), entry.room(), WeeklyRanges());
      v1::WeeklyRange* range = room->second.Add();
      range->set_weekday(entry.weekday());
      range->set_start_minute(entry.start_minute());
      range->set_end_minute(entry.end_minute());
    }
    for (const auto& [room, ranges] : rooms) {
      Item(indent);
      out_ += "when: ";
      Text(FormatWeeklyHours(ranges), indent + 4);
      if (room.empty()) continue;
      out_.append(static_cast<std::size_t>(indent) + 4, ' ');
      out_ += "room: ";
      Text(room, indent + 4);
    }
  }

  std::string out_;
};

}  // namespace

std::string WriteHospitalFile(const Facts& facts) {
  Writer writer;
  writer.Map(facts, 0, /*inline_first=*/false);
  return std::move(writer).Take();
}

}  // namespace medidesk::store
