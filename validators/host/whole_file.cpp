#include "validators/host/whole_file.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <stdexcept>

#include "reports/record/text.hpp"
#include "validators/host/file_descriptor.hpp"

namespace mlc {

namespace {

// Devices, pipes and the like are written to as they are.
bool replaceable(const std::string& path) {
  struct stat status {};
  return ::stat(path.c_str(), &status) != 0 || S_ISREG(status.st_mode);
}

[[noreturn]] void cannot_write(const std::string& path) {
  throw std::runtime_error("cannot write " + printable(path) + ": " + std::strerror(errno));
}

std::string partial_of(const std::string& path) { return path + ".partial." + std::to_string(::getpid()); }

}  // namespace

void write_all(int fd, std::string_view content, const std::string& path) {
  while (!content.empty()) {
    const ssize_t wrote = ::write(fd, content.data(), content.size());
    if (wrote < 0 && errno == EINTR) continue;
    if (wrote < 0) cannot_write(path);
    content.remove_prefix(static_cast<std::size_t>(wrote));
  }
}

std::string why_not_writable(const std::string& path) {
  const bool replace = replaceable(path);
  const std::string tried = replace ? partial_of(path) : path;
  const FileDescriptor fd(
      ::open(tried.c_str(), O_WRONLY | O_CLOEXEC | (replace ? O_CREAT | O_EXCL : 0), 0644));
  if (!fd) return std::strerror(errno);
  if (replace) ::unlink(tried.c_str());
  return {};
}

void write_whole(const std::string& path, const std::string& content) {
  if (!replaceable(path)) {
    const FileDescriptor fd(::open(path.c_str(), O_WRONLY | O_CLOEXEC));
    if (!fd) cannot_write(path);
    write_all(fd.get(), content, path);
    return;
  }
  const std::string partial = partial_of(path);
  try {
    const FileDescriptor fd(::open(partial.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644));
    if (!fd) cannot_write(path);
    write_all(fd.get(), content, path);
    if (::fsync(fd.get()) != 0 && errno != EINVAL) cannot_write(path);
    if (::rename(partial.c_str(), path.c_str()) != 0) cannot_write(path);
  } catch (...) {
    ::unlink(partial.c_str());
    throw;
  }
}

}  // namespace mlc
