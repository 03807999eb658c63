// medidesk-openapi CONTRACTS OUT: writes the OpenAPI document while the project is built. CONTRACTS is a
// descriptor set of protoc with source info.
#include <cstdio>
#include <fstream>

#include "admin/api/rest/openapi.h"

int main(int argc, char** argv) {
  using namespace medidesk;
  if (argc != 3) {
    std::fprintf(stderr, "usage: medidesk-openapi CONTRACTS OUT\n");
    return 2;
  }
  google::protobuf::FileDescriptorSet contracts;
  std::ifstream in(argv[1], std::ios::binary);
  if (!contracts.ParseFromIstream(&in)) {
    std::fprintf(stderr, "medidesk-openapi: the contracts cannot be read\n");
    return 1;
  }
  const absl::StatusOr<std::string> document = admin::rest::OpenApi(contracts);
  if (!document.ok()) {
    std::fprintf(stderr, "medidesk-openapi: %s\n", std::string(Text(document.status())).c_str());
    return 1;
  }
  std::ofstream out(argv[2], std::ios::binary);
  out << *document;
  return out.flush() ? 0 : 1;
}
