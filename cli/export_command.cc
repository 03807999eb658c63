#include "cli/export_command.h"

#include <fmt/format.h>
#include <unistd.h>

#include <cstdio>
#include <fstream>

#include "medidesk/store/v1/knowledge.grpc.pb.h"

namespace medidesk::cli {
namespace {

// A reader, and a power cut, find the old file or the whole new one.
absl::Status Write(const std::string& path, const std::string& content) {
  const std::string beside = fmt::format("{}.{}.part", path, ::getpid());
  {
    std::ofstream file(beside, std::ios::binary | std::ios::trunc);
    file << content;
    file.close();
    if (!file || std::rename(beside.c_str(), path.c_str()) != 0) {
      std::remove(beside.c_str());
      return Error(absl::StatusCode::kFailedPrecondition, "FILE cannot be written; check the path and its rights");
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<int> Run(Context& context, Arguments& arguments) {
  MD_ASSIGN_OR_RETURN(const auto path, arguments.OptionalWord());
  MD_RETURN_IF_ERROR(arguments.Finish());
  MD_ASSIGN_OR_RETURN(const auto facts,
                      (context.Call<store::v1::KnowledgeService>(context.Store(), MD_METHOD(Export), {})));
  if (facts.revision() == 0) {
    return Error(absl::StatusCode::kNotFound, "there are no facts yet; import a hospital file first");
  }
  if (!path) {
    context.out() << facts.content();
    return kDone;
  }
  MD_RETURN_IF_ERROR(Write(*path, facts.content()));
  context.notes() << fmt::format("revision {} written\n", facts.revision());
  return kDone;
}

}  // namespace

constexpr Command kExportCommand = {"export", "write the stored facts as a hospital file", "export [FILE]", &Run};

}  // namespace medidesk::cli
