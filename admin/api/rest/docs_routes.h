// The description of /v1 for programs and for people, both public and without another origin:
//
//   GET /v1/openapi.json       the OpenAPI 3.1 document
//   GET /v1/docs               a page that shows it; its script and style sheet stand below it
#pragma once

#include <span>
#include <string_view>

#include "admin/http/router.h"

namespace medidesk::admin::rest {

// A file that was built into the program.
struct EmbeddedFile {
  std::string_view name;  // "openapi.json"
  std::string_view text;
};
std::span<const EmbeddedFile> EmbeddedFiles();

// Before the server starts.
void AddDocsRoutes(http::Router& router);

}  // namespace medidesk::admin::rest
