#include "reports/faces/progress.hpp"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>

#include "reports/record/text.hpp"

namespace mlc {

namespace {

using Clock = std::chrono::steady_clock;

constexpr auto line_every = std::chrono::milliseconds(100);
constexpr auto plain_every = std::chrono::seconds(10);
// Some terminals go on to the next line from the last column, and Ctrl-C is echoed as "^C" behind the line.
constexpr std::size_t spare = 3;

std::size_t terminal_width() {
  winsize size{};
  if (::ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0) return size.ws_col;
  // Through a pipe of a launcher's the terminal is not seen.
  const char* const columns = std::getenv("COLUMNS");
  const int width = columns == nullptr ? 0 : std::atoi(columns);
  return width > 0 ? static_cast<std::size_t>(width) : 80;
}

}  // namespace

std::string rough_time(double seconds) {
  if (seconds < 100) return fixed(std::max(seconds, 0.0), 0) + " s";
  const auto minutes = static_cast<long>(seconds / 60 + 0.5);
  if (minutes < 100) return std::to_string(minutes) + " min";
  return std::to_string(minutes / 60) + " h " + std::to_string(minutes % 60) + " min";
}

std::string done_text(std::size_t done, std::size_t of, double elapsed_s) {
  std::string text = std::to_string(done) + " of " + std::to_string(of) + " done";
  if (done > 0 && done < of)
    text +=
        ", " + rough_time(elapsed_s / static_cast<double>(done) * static_cast<double>(of - done)) + " left";
  return text;
}

// Where the terminal was made narrower meanwhile, what stands there takes several of its lines. Each is
// erased by itself: tmux puts what is erased to the end of the screen from its first line into its history.
void Progress::rewind() const {
  std::fputs("\r\x1b[K", stderr);
  for (std::size_t above = shown_ == 0 ? 0 : (shown_ - 1) / terminal_width(); above > 0; --above)
    std::fputs("\x1b[A\x1b[K", stderr);
}

void Progress::show(const std::string& text) {
  const auto now = Clock::now();
  if (as_ == ProgressAs::nothing) return;
  if (as_ == ProgressAs::plain) {
    if (now - std::max(last_, began_) < plain_every) return;
    last_ = now;
    std::fprintf(stderr, "%s: %s\n", rough_time(std::chrono::duration<double>(now - began_).count()).c_str(),
                 text.c_str());
    return;
  }
  if (shown_ > 0 && now - last_ < line_every) return;
  last_ = now;
  const std::size_t width = terminal_width();
  std::string line;
  std::size_t used = 0;
  for (const char c : text) {
    if ((c & 0xc0) != 0x80 && used + spare >= width) break;
    used += (c & 0xc0) != 0x80;
    line += c;
  }
  rewind();
  std::fputs(line.c_str(), stderr);
  std::fflush(stderr);
  shown_ = used;
}

void Progress::end() {
  if (as_ == ProgressAs::line) rewind();
  std::fflush(stderr);
  shown_ = 0, as_ = ProgressAs::nothing;
}

void Progress::clear() {
  if (shown_ == 0) return;
  rewind();
  std::fflush(stderr);
  shown_ = 0;
}

}  // namespace mlc
