// Files that are there as a whole or not at all.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace mlc {

// Replaces `path` in one step, so that a reader sees the old file or the whole new one. Throws
// std::runtime_error.
void write_whole(const std::string& path, const std::string& content);

// Why write_whole() could not write there now, found out without touching `path`; empty where it could.
std::string why_not_writable(const std::string& path);

// All of `content`, however little a call takes. `path` is for the error's text. Throws std::runtime_error.
void write_all(int fd, std::string_view content, const std::string& path);

struct ReadLimits {
  std::size_t bytes = 1 << 20;
  double seconds = 2;  // for all of it
  bool pipes = false;  // a pipe is read too: a shell's <(COMMAND)
};

// All of a file that somebody named. What is none is refused and not opened: a directory, a device, a pipe, a
// file of /proc, where reading can wait without end or take away what others wait for (kmsg). Throws
// std::runtime_error that says why, without the path.
std::string read_whole(const std::string& path, const ReadLimits& limits);

}  // namespace mlc
