#include "cli/import_command.h"

#include <fmt/format.h>

#include <fstream>

#include "cli/import_report.h"
#include "medidesk/store/v1/knowledge.grpc.pb.h"

namespace medidesk::cli {
namespace {

using store::v1::KnowledgeService;
using store::v1::KnowledgeServiceImportRequest;
using store::v1::KnowledgeServiceImportResponse;

constexpr std::size_t kMaxFileBytes = (4u << 20) - (4u << 10);  // what the store takes
constexpr std::size_t kMaxNameBytes = 200;                      // of a file name in an error line

absl::StatusOr<std::string> Read(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::string content(kMaxFileBytes + 1, '\0');  // one more byte tells a file that is too long
  if (file) file.read(content.data(), static_cast<std::streamsize>(content.size()));
  if (!file.eof() && file.gcount() != static_cast<std::streamsize>(content.size())) {
    return Error(absl::StatusCode::kNotFound, "FILE cannot be read; check the path and its rights");
  }
  content.resize(static_cast<std::size_t>(file.gcount()));
  if (content.size() > kMaxFileBytes) {
    return Error(absl::StatusCode::kFailedPrecondition, "FILE exceeds 4 MiB; remove rows or shorten texts");
  }
  if (content.empty())
    return Error(absl::StatusCode::kFailedPrecondition, "FILE is empty; docs/hospital-file.md has one");
  return content;
}

absl::StatusOr<int> Run(Context& context, Arguments& arguments) {
  const bool dry_run = arguments.Switch("--dry-run"), full = arguments.Switch("--full");
  MD_ASSIGN_OR_RETURN(const std::string path, arguments.Word("FILE"));
  MD_RETURN_IF_ERROR(arguments.Finish());
  KnowledgeServiceImportRequest request;
  MD_ASSIGN_OR_RETURN(*request.mutable_content(), Read(path));
  request.set_file_name(path.size() <= kMaxNameBytes ? path
                                                     : path.substr(path.rfind('/') + 1).substr(0, kMaxNameBytes));
  request.set_dry_run(true);
  *request.mutable_actor() = Context::Operator();

  // First what would change: what is shown is what is stored, or nothing is.
  const Target store = context.Store();
  MD_ASSIGN_OR_RETURN(const KnowledgeServiceImportResponse plan,
                      (context.Call<KnowledgeService>(store, MD_METHOD(Import), request)));
  if (plan.problems_size() > 0) {
    for (const std::string& problem : plan.problems()) context.out() << problem << '\n';
    context.notes() << fmt::format(
        "{} to mend; nothing was changed\n",
        plan.problems_size() == 1 ? std::string("1 mistake") : fmt::format("{} mistakes", plan.problems_size()));
    return kRefused;
  }
  const std::string report = DescribeImport(plan, full);
  if (report.empty()) {
    context.out() << "Nothing to change: the stored facts say what the file says.\n";
    return kDone;
  }
  context.out() << report;
  if (dry_run) {
    context.out() << "Nothing was changed: this was a dry run.\n";
    return kDone;
  }
  request.set_dry_run(false);
  request.set_expected_revision(plan.revision());
  auto done = context.Call<KnowledgeService>(store, MD_METHOD(Import), std::move(request));
  if (done.status().code() == absl::StatusCode::kAborted) {
    return Error(absl::StatusCode::kAborted,
                 "somebody changed the facts meanwhile and nothing was stored; run it again");
  }
  MD_RETURN_IF_ERROR(done.status());
  context.out() << fmt::format("Stored as revision {}.\n", done->revision());
  return kDone;
}

}  // namespace

constexpr Command kImportCommand = {"import", "make the stored facts equal to a hospital file",
                                    "import FILE [--dry-run] [--full]", &Run};

}  // namespace medidesk::cli
