// The only reader of /sys, /proc and /etc. It takes a root, so that a captured machine is read exactly as a
// live one; links never lead out of a captured root.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "validators/host/read.hpp"

namespace mlc {

// What was read, so that `capture` can write it down. Shared by the trees of one host.
class FileRecorder {
 public:
  // `under`: a folder of the capture, for second readings: "later".
  void read(const std::string& root, const std::string& under, const std::string& path,
            const std::string& content);
  void looked_at(const std::string& root, const std::string& under, const std::string& path);
  // Writes all of it under `directory`: the links on the way as links, each file with the bytes that were
  // read.
  void write(const std::string& directory) const;

 private:
  struct Entry {
    std::string root, under, path;
    std::optional<std::string> content;
    auto operator<=>(const Entry&) const = default;
  };
  mutable std::mutex mutex_;
  std::set<Entry> entries_;
};

class FileTree {
 public:
  // A sysfs attribute is at most a page; 64 KiB leaves room for /proc files. What is larger is refused, not
  // cut.
  static constexpr std::size_t text_limit = 64 * 1024;

  explicit FileTree(std::string root = "/", std::shared_ptr<FileRecorder> recorder = nullptr,
                    std::string recorded_under = "");

  // One text file without its trailing newline. Empty, binary and over-long files are unreadable, never "".
  Read<std::string> text(const std::string& path, std::size_t limit = text_limit) const;
  Read<std::string> bytes(const std::string& path, std::size_t limit) const;  // as it is, cut at `limit`
  Read<std::uint64_t> number(const std::string& path) const;  // decimal, or hexadecimal after 0x
  Read<std::vector<std::string>> list(
      const std::string& directory) const;  // names, sorted, without dot files
  Read<std::string> resolve(
      const std::string& path) const;  // every link followed: "/sys/devices/pci0000:00/..."
  Read<std::uint64_t> size(const std::string& path) const;  // of a regular file
  bool exists(const std::string& path) const;

  const std::string& root() const { return root_; }
  bool live() const { return root_ == "/"; }

 private:
  int open(const std::string& path, int flags) const;  // a descriptor, or a negated errno
  Read<std::string> read_file(const std::string& path, std::size_t limit, bool cut) const;

  std::string root_;
  std::shared_ptr<FileRecorder> recorder_;
  std::string recorded_under_;
};

// A whole text that is one unsigned number, else empty. "18446744073709551616" does not fit and is empty too.
std::optional<std::uint64_t> whole_number(std::string_view text);

}  // namespace mlc
