#include "gateway/service/qr_drawing.h"

#include <fmt/format.h>
#include <qrencode.h>

#include <iterator>
#include <memory>

#include "base/status.h"

namespace medidesk::gateway {
namespace {

constexpr int kMaxBytes = 2'953;
constexpr int kQuiet = 4;          // modules, as the standard wants them around
constexpr int kTerminalQuiet = 2;  // enough beside a terminal's own background

class Modules {
 public:
  explicit Modules(const QRcode& code) : code_(code) {}
  int width() const { return code_.width; }
  bool Dark(int x, int y) const {
    if (x < 0 || y < 0 || x >= code_.width || y >= code_.width) return false;
    return (code_.data[y * code_.width + x] & 1) != 0;
  }

 private:
  const QRcode& code_;
};

// Light is drawn, dark is left out: right on the dark background that terminals mostly have.
std::string Terminal(const Modules& modules) {
  std::string text;
  for (int y = -kTerminalQuiet; y < modules.width() + kTerminalQuiet; y += 2) {
    for (int x = -kTerminalQuiet; x < modules.width() + kTerminalQuiet; ++x) {
      const bool upper = modules.Dark(x, y), lower = modules.Dark(x, y + 1);
      text += upper ? (lower ? " " : "\u2584") : (lower ? "\u2580" : "\u2588");
    }
    text += '\n';
  }
  return text;
}

// A run of dark modules in a row is one rectangle of the path.
std::string Svg(const Modules& modules) {
  const int side = modules.width() + 2 * kQuiet;
  std::string svg =
      fmt::format(R"(<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {0} {0}" shape-rendering="crispEdges">)"
                  R"(<path fill="#fff" d="M0 0h{0}v{0}H0z"/><path fill="#000" d=")",
                  side);
  for (int y = 0; y < modules.width(); ++y) {
    for (int x = 0; x < modules.width(); ++x) {
      if (!modules.Dark(x, y)) continue;
      const int first = x;
      while (modules.Dark(x, y)) ++x;
      fmt::format_to(std::back_inserter(svg), "M{} {}h{}v1h-{}z", first + kQuiet, y + kQuiet, x - first, x - first);
    }
  }
  return svg + R"("/></svg>)";
}

}  // namespace

absl::StatusOr<QrDrawing> DrawQr(std::string_view text) {
  if (text.empty() || text.size() > kMaxBytes) {
    return Error(absl::StatusCode::kInvalidArgument, "a QR code holds 1 to 2,953 bytes");
  }
  const std::unique_ptr<QRcode, decltype(&QRcode_free)> code(
      QRcode_encodeData(static_cast<int>(text.size()), reinterpret_cast<const unsigned char*>(text.data()), 0,
                        QR_ECLEVEL_L),
      &QRcode_free);
  if (code == nullptr) return Error(absl::StatusCode::kInvalidArgument, "this text cannot be drawn as a QR code");
  const Modules modules(*code);
  return QrDrawing{.terminal = Terminal(modules), .svg = Svg(modules)};
}

}  // namespace medidesk::gateway
