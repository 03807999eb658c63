#include "base/trace.h"

#include "base/uuid.h"

namespace medidesk {
namespace {

// The random part of a UUID without its dashes.
std::string Hex(std::size_t digits) {
  std::string out;
  while (out.size() < digits) {
    const std::string id = NewUuid();
    out += id.substr(24);     // 12 random digits
    out += id.substr(20, 3);  // 3 more
  }
  out.resize(digits);
  return out;
}

bool IsLowerHex(std::string_view text) { return text.find_first_not_of("0123456789abcdef") == std::string_view::npos; }

}  // namespace

TraceContext TraceContext::New() { return {Hex(32), Hex(16)}; }

std::optional<TraceContext> TraceContext::Parse(std::string_view text) {
  // Longer values belong to future versions and keep this prefix.
  if (text.size() < 55 || text[2] != '-' || text[35] != '-' || text[52] != '-') return std::nullopt;
  if (!IsLowerHex(text.substr(0, 2)) || text.substr(0, 2) == "ff") return std::nullopt;
  if (text.substr(0, 2) == "00" && text.size() != 55) return std::nullopt;
  const std::string_view trace = text.substr(3, 32), parent = text.substr(36, 16);
  if (!IsLowerHex(trace) || !IsLowerHex(parent) || !IsLowerHex(text.substr(53, 2))) return std::nullopt;
  if (trace.find_first_not_of('0') == std::string_view::npos) return std::nullopt;
  if (parent.find_first_not_of('0') == std::string_view::npos) return std::nullopt;
  return TraceContext{std::string(trace), std::string(parent)};
}

std::string TraceContext::Header() const { return "00-" + trace_id + "-" + Hex(16) + "-01"; }

}  // namespace medidesk
