// A text as a QR code that a person can scan: from a terminal, and as an SVG image. Level L, as WhatsApp draws its own:
// the code is long, and a screen is clean.
#pragma once

#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace medidesk::gateway {

struct QrDrawing {
  // Half blocks, two modules a character, with a quiet zone; lines end with \n. What is light is drawn: for light
  // letters on a dark background.
  std::string terminal;
  // <svg> alone: black on white with a quiet zone of four modules, no script, no outer reference.
  std::string svg;
};

// INVALID_ARGUMENT for an empty text or one that no code can hold (2,953 bytes).
absl::StatusOr<QrDrawing> DrawQr(std::string_view text);

}  // namespace medidesk::gateway
