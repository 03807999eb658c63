#include "store/knowledge/facts_difference.h"

#include <fmt/format.h>
#include <google/protobuf/descriptor.h>

#include <algorithm>

#include "store/knowledge/hospital_fields.h"
#include "store/knowledge/weekly_hours.h"

namespace medidesk::store {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;

template <class Row>
const Message* Find(const google::protobuf::RepeatedPtrField<Row>& rows, const std::string& key) {
  const auto found = std::lower_bound(rows.begin(), rows.end(), key,
                                      [](const Row& row, const std::string& wanted) { return row.key() < wanted; });
  return found != rows.end() && found->key() == key ? &*found : nullptr;
}

const Message* FindRow(const Facts& facts, v1::KnowledgeKind kind, const std::string& key) {
  switch (kind) {
    case v1::KNOWLEDGE_KIND_HOSPITAL:
      return facts.has_hospital() ? &facts.hospital() : nullptr;
    case v1::KNOWLEDGE_KIND_DEPARTMENT:
      return Find(facts.departments(), key);
    case v1::KNOWLEDGE_KIND_DOCTOR:
      return Find(facts.doctors(), key);
    case v1::KNOWLEDGE_KIND_FAQ:
      return Find(facts.faqs(), key);
    case v1::KNOWLEDGE_KIND_VISITING_HOURS:
      return Find(facts.visiting_hours(), key);
    default:
      return nullptr;
  }
}

void AppendLine(std::string* lines, std::string_view line) {
  if (!lines->empty()) *lines += '\n';
  *lines += line;
}

// One weekly span as hours, "Mon 09:00-13:00".
template <class Span>
std::string SpanText(const Span& span) {
  WeeklyRanges one;
  v1::WeeklyRange* range = one.Add();
  range->set_weekday(span.weekday());
  range->set_start_minute(span.start_minute());
  range->set_end_minute(span.end_minute());
  return FormatWeeklyHours(one);
}

// Of a holiday and the like: its texts, one after the other.
std::string MapText(const Message& map) {
  std::string text;
  const auto* descriptor = map.GetDescriptor();
  for (int i = 0; i < descriptor->field_count(); ++i) {
    const FieldDescriptor* field = descriptor->field(i);
    if (FormOf(*field) != FieldForm::kText) continue;
    if (!text.empty()) text += ' ';
    text += map.GetReflection()->GetString(map, field);
  }
  return text;
}

std::string FieldText(const Message& row, const FieldDescriptor& field) {
  const auto* reflection = row.GetReflection();
  if (!field.is_repeated()) return reflection->GetString(row, &field);
  std::string lines;
  const int size = reflection->FieldSize(row, &field);
  switch (FormOf(field)) {
    case FieldForm::kTextList:
      for (int i = 0; i < size; ++i) AppendLine(&lines, reflection->GetRepeatedString(row, &field, i));
      break;
    case FieldForm::kHours: {
      WeeklyRanges ranges;
      for (int i = 0; i < size; ++i) ranges.Add()->CopyFrom(reflection->GetRepeatedMessage(row, &field, i));
      lines = FormatWeeklyHours(ranges);
      break;
    }
    case FieldForm::kRoster:
      for (const v1::RosterEntry& entry : static_cast<const v1::Doctor&>(row).roster()) {
        AppendLine(&lines,
                   entry.room().empty() ? SpanText(entry) : fmt::format("{}, {}", SpanText(entry), entry.room()));
      }
      break;
    default:
      for (int i = 0; i < size; ++i) AppendLine(&lines, MapText(reflection->GetRepeatedMessage(row, &field, i)));
  }
  return lines;
}

// The key says itself in the row's name.
void AddFields(const Message* before, const Message* after, v1::RowDifference* difference) {
  const auto* descriptor = (after != nullptr ? after : before)->GetDescriptor();
  for (int i = 0; i < descriptor->field_count(); ++i) {
    const FieldDescriptor& field = *descriptor->field(i);
    if (FormOf(field) == FieldForm::kAbsent || field.name() == "key") continue;
    std::string old = before == nullptr ? "" : FieldText(*before, field);
    std::string now = after == nullptr ? "" : FieldText(*after, field);
    if (old == now) continue;
    v1::FieldDifference* changed = difference->add_fields();
    changed->set_field(FileName(field));
    changed->set_before(std::move(old));
    changed->set_after(std::move(now));
  }
}

}  // namespace

void DescribeDifferences(const Facts& before, const Facts& after, const std::vector<RowChange>& changes,
                         v1::KnowledgeServiceImportResponse* response) {
  std::size_t bytes = 0;
  for (const RowChange& change : changes) {
    const Message* old = FindRow(before, change.kind, change.key);
    const Message* now = FindRow(after, change.kind, change.key);
    if (response->differences_size() == kMaxDifferences || (old == nullptr && now == nullptr)) break;
    v1::RowDifference difference;
    difference.set_kind(change.kind);
    difference.set_key(change.key);
    difference.set_action(change.action);
    AddFields(old, now, &difference);
    bytes += difference.ByteSizeLong();
    if (bytes > kMaxDifferencesBytes) break;
    *response->add_differences() = std::move(difference);
  }
  response->set_differences_left_out(static_cast<std::int32_t>(changes.size()) - response->differences_size());
}

}  // namespace medidesk::store
