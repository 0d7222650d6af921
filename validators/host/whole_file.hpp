// Files that are there as a whole or not at all.
#pragma once

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

}  // namespace mlc
