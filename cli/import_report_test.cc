#include "cli/import_report.h"

#include <gtest/gtest.h>

namespace medidesk::cli {
namespace {

namespace v1 = store::v1;

v1::RowDifference* Add(v1::KnowledgeServiceImportResponse* response, v1::KnowledgeKind kind, const char* key,
                       v1::KnowledgeAction action) {
  v1::RowDifference* row = response->add_differences();
  row->set_kind(kind);
  row->set_key(key);
  row->set_action(action);
  response->add_changes(key);
  return row;
}

void AddField(v1::RowDifference* row, const char* field, const char* before, const char* after) {
  v1::FieldDifference* difference = row->add_fields();
  difference->set_field(field);
  difference->set_before(before);
  difference->set_after(after);
}

v1::KnowledgeServiceImportResponse Response() {
  v1::KnowledgeServiceImportResponse response;
  AddField(Add(&response, v1::KNOWLEDGE_KIND_HOSPITAL, "", v1::KNOWLEDGE_ACTION_UPDATED), "insurers", "A\nB\nC",
           "A\nC\nD");
  AddField(Add(&response, v1::KNOWLEDGE_KIND_DEPARTMENT, "dental", v1::KNOWLEDGE_ACTION_DELETED), "name", "Dental care",
           "");
  v1::RowDifference* doctor = Add(&response, v1::KNOWLEDGE_KIND_DOCTOR, "asha", v1::KNOWLEDGE_ACTION_CREATED);
  AddField(doctor, "name", "", "Asha Rao");
  AddField(doctor, "languages", "", "en\nhi");
  AddField(Add(&response, v1::KNOWLEDGE_KIND_FAQ, "parking", v1::KNOWLEDGE_ACTION_UPDATED), "alternatives", "x\ny",
           "y\nx");
  v1::ImportCount* count = response.add_counts();
  count->set_kind(v1::KNOWLEDGE_KIND_DOCTOR);
  count->set_added(1);
  count->set_unchanged(30);
  response.add_counts()->set_kind(v1::KNOWLEDGE_KIND_FAQ);
  return response;
}

TEST(DescribeImport, ShowsOldAndNewOfWhatDiffers) {
  EXPECT_EQ(DescribeImport(Response(), /*full=*/false),
            "~ hospital\n    insurers\n      - B\n      + D\n"
            "- departments.dental: Dental care\n"
            "+ doctors.asha: Asha Rao\n"
            "~ faqs.parking\n    alternatives\n      the same lines in another order\n"
            "\n"
            "doctors: 1 added, 30 stay\n");
}

TEST(DescribeImport, ShowsWholeRowsWhenAsked) {
  const std::string report = DescribeImport(Response(), /*full=*/true);
  EXPECT_NE(report.find("- departments.dental: Dental care\n    name\n      - Dental care\n"), std::string::npos);
  EXPECT_NE(report.find("    languages\n      + en\n      + hi\n"), std::string::npos);
}

TEST(DescribeImport, NamesRowsThatWereNotDescribed) {
  v1::KnowledgeServiceImportResponse response = Response();
  response.add_changes("+ faqs.late");
  response.add_changes("and 7 more");
  EXPECT_NE(DescribeImport(response, false).find("order\n+ faqs.late\nand 7 more\n\n"), std::string::npos);
  EXPECT_EQ(DescribeImport({}, false), "");
}

}  // namespace
}  // namespace medidesk::cli
