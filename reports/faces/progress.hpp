// One live line on a terminal's stderr, overwritten in place and cleared before anything else is printed;
// nothing at all elsewhere.
#pragma once

#include <chrono>
#include <string>

namespace mlc {

class Progress {
 public:
  explicit Progress(bool live) : live_(live) {}
  ~Progress() { clear(); }
  void show(const std::string& text);  // at most ten times a second, cut to the terminal's width
  void clear();

 private:
  bool live_;
  bool shown_ = false;
  std::chrono::steady_clock::time_point last_{};
};

}  // namespace mlc
