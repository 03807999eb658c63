#include "gateway/service/qr_drawing.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace medidesk::gateway {
namespace {

std::size_t Count(const std::string& text, std::string_view what) {
  std::size_t count = 0;
  for (std::size_t at = text.find(what); at != std::string::npos; at = text.find(what, at + what.size())) ++count;
  return count;
}

TEST(DrawQr, DrawsHalfBlocksInASquareOfLines) {
  const QrDrawing drawing = DrawQr("https://wa.me/settings/linked_devices#2@abc,def").value();
  const std::size_t lines = Count(drawing.terminal, "\n");
  ASSERT_GT(lines, 10u);
  const std::string first = drawing.terminal.substr(0, drawing.terminal.find('\n'));
  EXPECT_EQ(first.size(), 3 * Count(first, "\u2588")) << "the quiet zone is light";
  const std::size_t width = Count(first, "\u2588");
  EXPECT_TRUE(2 * lines == width || 2 * lines == width + 1);
  EXPECT_EQ(drawing.terminal.find('\x1b'), std::string::npos);
}

TEST(DrawQr, DrawsAnImageWithoutAnythingActive) {
  const QrDrawing drawing = DrawQr("text").value();
  EXPECT_TRUE(drawing.svg.starts_with("<svg "));
  EXPECT_TRUE(drawing.svg.ends_with("</svg>"));
  EXPECT_NE(drawing.svg.find("viewBox=\"0 0 29 29\""), std::string::npos) << "21 modules and 4 on each side";
  for (const char* active : {"script", "href", "url(", "onload", "style"}) {
    EXPECT_EQ(drawing.svg.find(active), std::string::npos);
  }
}

// The text as it would be without it: the finder pattern's upper edge is seven dark modules.
TEST(DrawQr, BeginsWithTheFinderPatterns) {
  const QrDrawing drawing = DrawQr("text").value();
  EXPECT_NE(drawing.svg.find("M4 4h7v1h-7z"), std::string::npos);
  EXPECT_NE(drawing.svg.find("M18 4h7v1h-7z"), std::string::npos);
  EXPECT_NE(drawing.svg.find("M4 24h7v1h-7z"), std::string::npos);
}

TEST(DrawQr, RefusesWhatNoCodeCanHold) {
  EXPECT_FALSE(DrawQr("").ok());
  EXPECT_FALSE(DrawQr(std::string(2'954, 'a')).ok());
  EXPECT_TRUE(DrawQr(std::string(2'953, 'a')).ok());
}

}  // namespace
}  // namespace medidesk::gateway
