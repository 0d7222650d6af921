// Where the ranks of a launch leave what its parent reads when they are gone.
#pragma once

#include <filesystem>
#include <string>

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

}  // namespace mlc
