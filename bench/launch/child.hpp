// What both launchers need: a child that ends with its parent, a directory for what it leaves behind.
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <string>
#include <utility>
#include <vector>

namespace mlc {

// A private directory, gone when the run is.
class ScratchDirectory {
 public:
  ScratchDirectory();  // throws std::system_error
  ScratchDirectory(const ScratchDirectory&) = delete;
  ~ScratchDirectory();
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

std::string read_file(const std::filesystem::path& path);  // empty where it cannot be read

// Starts command[0] as a child that ends with us, however we end. Throws std::system_error if it cannot be
// started.
pid_t spawn(const std::vector<std::string>& command,
            const std::vector<std::pair<std::string, std::string>>& environment);

// What a killed child leaves behind becomes our child, and
void adopt_orphans();
void end_orphans();  // ends with it.

}  // namespace mlc
