// The dashboard's files, built from admin/web into the program.
//
//   GET /              the page; everything else it needs is below /assets, under names that change with the content
//
// The page runs under a policy that lets it talk to nobody but this server, run nothing but its own files, and be
// shown in no frame.
#pragma once

#include <span>
#include <string_view>

#include "admin/http/router.h"

namespace medidesk::admin {

// A file that was built into the program. Static storage.
struct WebFile {
  std::string_view path;  // "/assets/index-1a2b3c.js"
  std::string_view content_type;
  std::string_view bytes;
  std::string_view gzip;  // the same, compressed; empty where that gains nothing
};
std::span<const WebFile> WebFiles();

// Before the server starts.
void AddPages(http::Router& router);

}  // namespace medidesk::admin
