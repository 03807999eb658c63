// Errors as values: the two crossings between std and absl strings, and the early-return macros.
//
// Debian's Abseil has a string_view type of its own; the two crossings keep absl::string_view
// out of every other file.
#pragma once

#include <string>
#include <string_view>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace medidesk {

inline absl::Status Error(absl::StatusCode code, std::string_view message) {
  return absl::Status(code, {message.data(), message.size()});
}
inline std::string_view Text(const absl::Status& status) { return {status.message().data(), status.message().size()}; }

}  // namespace medidesk

#define MD_CONCAT_INNER(a, b) a##b
#define MD_CONCAT(a, b) MD_CONCAT_INNER(a, b)
#define MD_ASSIGN_OR_IMPL(ret, tmp, lhs, expr) \
  auto tmp = (expr);                           \
  if (!tmp.ok()) ret std::move(tmp).status();  \
  lhs = *std::move(tmp)
#define MD_RETURN_IF_ERROR_IMPL(ret, tmp, expr) \
  do {                                          \
    if (auto tmp = (expr); !tmp.ok()) ret tmp;  \
  } while (false)

// MD_ASSIGN_OR_RETURN(auto node, DecodeNode(bytes));   MD_ASSIGN_OR_CO_RETURN inside coroutines.
#define MD_ASSIGN_OR_RETURN(lhs, expr) MD_ASSIGN_OR_IMPL(return, MD_CONCAT(md_or_, __LINE__), lhs, expr)
#define MD_ASSIGN_OR_CO_RETURN(lhs, expr) MD_ASSIGN_OR_IMPL(co_return, MD_CONCAT(md_or_, __LINE__), lhs, expr)
// For expressions that give an absl::Status.
#define MD_RETURN_IF_ERROR(expr) MD_RETURN_IF_ERROR_IMPL(return, MD_CONCAT(md_st_, __LINE__), expr)
#define MD_CO_RETURN_IF_ERROR(expr) MD_RETURN_IF_ERROR_IMPL(co_return, MD_CONCAT(md_st_, __LINE__), expr)
