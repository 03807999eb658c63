// Whatever the sample hospital says of itself must pass the output checks: an answer made of it is honest.
#include <gtest/gtest.h>

#include <fstream>
#include <sstream>

#include "assistant/checks/output_checks.h"
#include "assistant/facts/fact_book.h"
#include "store/knowledge/hospital_file.h"

namespace medidesk {
namespace {

class ChecksOnSampleHospital : public ::testing::Test {
 protected:
  void SetUp() override {
    std::ifstream file("examples/hospital.yaml");  // tests run in the repository's root
    std::ostringstream text;
    text << file.rdbuf();
    auto facts = store::ParseHospitalFile(text.str(), "examples/hospital.yaml");
    ASSERT_TRUE(facts.ok()) << facts.status();
    book_ = assistant::FactBook::Make(*std::move(facts));
    const auto& hospital = book_->facts().hospital();
    context_.allowed_link_hosts.assign(hospital.allowed_link_hosts().begin(), hospital.allowed_link_hosts().end());
    context_.allowed_email_hosts.push_back(hospital.email().substr(hospital.email().find('@') + 1));
  }
  void ExpectPasses(const std::string& text) {
    if (text.empty()) return;
    ++texts_;
    EXPECT_EQ(assistant::CheckReply(text, context_).rule, "") << text;
  }

  std::shared_ptr<const assistant::FactBook> book_;
  assistant::CheckContext context_;
  int texts_ = 0;
};

TEST_F(ChecksOnSampleHospital, EveryFactMayBeSaid) {
  const auto& facts = book_->facts();
  const auto& hospital = facts.hospital();
  for (const std::string* text : {&hospital.name(), &hospital.phone(), &hospital.email(), &hospital.website(),
                                  &hospital.address(), &hospital.emergency_address(), &hospital.about()}) {
    ExpectPasses(*text);
  }
  for (const std::string& insurer : hospital.insurers()) ExpectPasses(insurer);
  for (const auto& area : facts.visiting_hours()) {
    ExpectPasses(area.area());
    ExpectPasses(area.note());
  }
  for (const auto& department : facts.departments()) {
    ExpectPasses(department.name());
    ExpectPasses(department.description());
    ExpectPasses(department.location());
    ExpectPasses(department.phone());
  }
  for (const auto& doctor : facts.doctors()) {
    ExpectPasses(doctor.name());
    ExpectPasses(doctor.title());
    ExpectPasses(doctor.consultation_fee());
  }
  for (const auto& faq : facts.faqs()) {
    ExpectPasses(faq.question());
    ExpectPasses(faq.answer());
  }
  EXPECT_GT(texts_, 300);
  // The rows as the model reads them and may repeat them.
  std::istringstream lines(book_->text());
  for (std::string line; std::getline(lines, line);) {
    if (line.find_first_not_of(" -#:") != std::string::npos) ExpectPasses(line);
  }
}

}  // namespace
}  // namespace medidesk
