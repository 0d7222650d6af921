#include "reports/faces/progress.hpp"

#include <sys/ioctl.h>
#include <unistd.h>

#include <cstdio>

#include "reports/record/text.hpp"

namespace mlc {

void Progress::show(const std::string& text) {
  const auto now = std::chrono::steady_clock::now();
  if (!live_ || (shown_ && now - last_ < std::chrono::milliseconds(100))) return;
  last_ = now;
  winsize size{};
  const std::size_t width =
      ::ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : 80;
  std::string line;
  for (std::size_t i = 0, used = 0; i < text.size(); ++i) {
    if ((text[i] & 0xc0) != 0x80 && ++used >= width) break;
    line += text[i];
  }
  std::fprintf(stderr, "\r\x1b[K%s", line.c_str());
  std::fflush(stderr);
  shown_ = true;
}

void Progress::clear() {
  if (!shown_) return;
  std::fputs("\r\x1b[K", stderr);
  std::fflush(stderr);
  shown_ = false;
}

}  // namespace mlc
