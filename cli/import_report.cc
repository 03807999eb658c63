#include "cli/import_report.h"

#include <fmt/format.h>

#include <algorithm>
#include <string_view>
#include <vector>

namespace medidesk::cli {
namespace {

namespace v1 = store::v1;

std::string_view SectionOf(v1::KnowledgeKind kind) {
  switch (kind) {
    case v1::KNOWLEDGE_KIND_HOSPITAL:
      return "hospital";
    case v1::KNOWLEDGE_KIND_DEPARTMENT:
      return "departments";
    case v1::KNOWLEDGE_KIND_DOCTOR:
      return "doctors";
    case v1::KNOWLEDGE_KIND_FAQ:
      return "faqs";
    case v1::KNOWLEDGE_KIND_VISITING_HOURS:
      return "visiting_hours";
    default:
      return "other";
  }
}

std::vector<std::string_view> LinesOf(std::string_view text) {
  std::vector<std::string_view> lines;
  if (text.empty()) return lines;
  for (std::size_t at = 0;;) {
    const std::size_t end = text.find('\n', at);
    lines.push_back(text.substr(at, end - at));
    if (end == std::string_view::npos) return lines;
    at = end + 1;
  }
}

// The lines that only one side has, in their order. A line that stands on both sides as often is left out, so an
// entry that only moved does not show: a list of the same entries in another order is said in words.
void AppendLines(const v1::FieldDifference& field, std::string* out) {
  const auto before = LinesOf(field.before()), after = LinesOf(field.after());
  const auto only = [](const auto& lines, const auto& others) {
    std::vector<std::string_view> kept, rest(others.begin(), others.end());
    for (const std::string_view line : lines) {
      const auto found = std::find(rest.begin(), rest.end(), line);
      if (found == rest.end()) {
        kept.push_back(line);
      } else {
        rest.erase(found);
      }
    }
    return kept;
  };
  const auto gone = only(before, after), come = only(after, before);
  for (const std::string_view line : gone) *out += fmt::format("      - {}\n", line);
  for (const std::string_view line : come) *out += fmt::format("      + {}\n", line);
  if (gone.empty() && come.empty()) *out += "      the same lines in another order\n";
}

// What people call the row.
std::string_view NameOf(const v1::RowDifference& row) {
  for (const v1::FieldDifference& field : row.fields()) {
    if (field.field() == "name" || field.field() == "question" || field.field() == "area") {
      return field.after().empty() ? field.before() : field.after();
    }
  }
  return "";
}

void AppendRow(const v1::RowDifference& row, bool full, std::string* out) {
  const bool changed = row.action() == v1::KNOWLEDGE_ACTION_UPDATED;
  const char sign = changed ? '~' : row.action() == v1::KNOWLEDGE_ACTION_CREATED ? '+' : '-';
  *out += fmt::format("{} {}", sign, SectionOf(row.kind()));
  if (!row.key().empty()) *out += fmt::format(".{}", row.key());
  if (const std::string_view name = NameOf(row); !changed && !name.empty()) *out += fmt::format(": {}", name);
  *out += '\n';
  if (!changed && !full) return;
  for (const v1::FieldDifference& field : row.fields()) {
    *out += fmt::format("    {}\n", field.field());
    AppendLines(field, out);
  }
}

}  // namespace

std::string DescribeImport(const v1::KnowledgeServiceImportResponse& response, bool full) {
  std::string out;
  for (const v1::RowDifference& row : response.differences()) AppendRow(row, full, &out);
  // Rows that were too many to be described are at least named.
  for (int i = response.differences_size(); i < response.changes_size(); ++i) out += response.changes(i) + '\n';
  if (out.empty()) return out;
  out += '\n';
  for (const v1::ImportCount& count : response.counts()) {
    std::string parts;
    const auto add = [&](int rows, std::string_view what) {
      if (rows > 0) parts += fmt::format("{}{} {}", parts.empty() ? "" : ", ", rows, what);
    };
    add(count.added(), "added");
    add(count.changed(), "changed");
    add(count.removed(), "removed");
    if (parts.empty()) continue;
    add(count.unchanged(), "stay");
    out += fmt::format("{}: {}\n", SectionOf(count.kind()), parts);
  }
  return out;
}

}  // namespace medidesk::cli
