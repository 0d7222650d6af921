// How far a command has come, on stderr, where the results are not: as one live line of a terminal that is
// overwritten in place and gone before anything else is printed, or as plain lines for logs.
#pragma once

#include <chrono>
#include <cstddef>
#include <string>

namespace mlc {

enum class ProgressAs { nothing, line, plain };

// "3 of 24 done, 1 min left": pieces that take about as long as each other; of none that is done no time.
std::string done_text(std::size_t done, std::size_t of, double elapsed_s);
// "45 s", "12 min", "2 h 5 min"
std::string rough_time(double seconds);

class Progress {
 public:
  explicit Progress(ProgressAs as) : as_(as) {}
  ~Progress() { clear(); }
  // As a line: at most ten times a second, cut to the terminal's width as it is now. Plain: every ten
  // seconds, with the time since the beginning.
  void show(const std::string& text);
  void clear();
  // Erases what the cursor is on, whatever is thought to stand there, and shows nothing more: where somebody
  // typed Ctrl-C the terminal drops what it was not shown yet, be it the end of a line, and who works on does
  // not know.
  void end();

 private:
  void rewind() const;
  ProgressAs as_;
  std::size_t shown_ = 0;  // columns of the line that stands there
  std::chrono::steady_clock::time_point began_ = std::chrono::steady_clock::now(), last_{};
};

}  // namespace mlc
