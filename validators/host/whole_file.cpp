#include "validators/host/whole_file.hpp"

#include <fcntl.h>
#include <linux/magic.h>
#include <poll.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
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

[[noreturn]] void cannot_read(int error) { throw std::runtime_error(std::strerror(error)); }

void refuse_what_is_no_file(const struct stat& status, const ReadLimits& limits) {
  if (S_ISDIR(status.st_mode)) throw std::runtime_error("a directory, not a regular file");
  if (S_ISFIFO(status.st_mode) && limits.pipes) return;
  if (!S_ISREG(status.st_mode)) throw std::runtime_error("not a regular file");
  if (static_cast<std::uint64_t>(status.st_size) > limits.bytes)
    throw std::runtime_error("larger than " + bytes_text(limits.bytes));
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
      ::open(tried.c_str(), O_WRONLY | O_NONBLOCK | O_CLOEXEC | (replace ? O_CREAT | O_EXCL : 0), 0644));
  if (!fd) return std::strerror(errno);
  if (replace) ::unlink(tried.c_str());
  return {};
}

void write_whole(const std::string& path, const std::string& content) {
  if (!replaceable(path)) {
    // A pipe that nobody reads would hold us for ever; one that is read may take its time.
    const FileDescriptor fd(::open(path.c_str(), O_WRONLY | O_NONBLOCK | O_CLOEXEC));
    if (!fd || ::fcntl(fd.get(), F_SETFL, 0) != 0) cannot_write(path);
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

std::string read_whole(const std::string& path, const ReadLimits& limits) {
  using namespace std::chrono;
  const auto until =
      steady_clock::now() + duration_cast<steady_clock::duration>(duration<double>(limits.seconds));
  // Looked at first: to open a device can set it going.
  struct stat status {};
  struct statfs filesystem {};
  if (::stat(path.c_str(), &status) != 0) cannot_read(errno);
  refuse_what_is_no_file(status, limits);
  if (::statfs(path.c_str(), &filesystem) != 0) cannot_read(errno);
  if (S_ISREG(status.st_mode) && filesystem.f_type == PROC_SUPER_MAGIC)
    throw std::runtime_error("a file of /proc, not a regular file");
  const FileDescriptor file(::open(path.c_str(), O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC));
  if (!file) cannot_read(errno);
  if (::fstat(file.get(), &status) != 0) cannot_read(errno);
  refuse_what_is_no_file(status, limits);  // it may be another by now
  std::string content;
  std::array<char, 1 << 16> chunk;
  for (;;) {
    const auto left = ceil<milliseconds>(until - steady_clock::now()).count();
    pollfd waiting{file.get(), POLLIN, 0};
    const int ready = left > 0 ? ::poll(&waiting, 1, static_cast<int>(left)) : 0;
    if (ready < 0 && errno == EINTR) continue;
    if (ready < 0) cannot_read(errno);
    if (ready == 0)
      throw std::runtime_error("could not be read to its end within " + shortest(limits.seconds) + " s");
    const ssize_t got = ::read(file.get(), chunk.data(), chunk.size());
    if (got < 0 && (errno == EINTR || errno == EAGAIN)) continue;
    if (got < 0) cannot_read(errno);
    if (got == 0) return content;
    content.append(chunk.data(), static_cast<std::size_t>(got));
    if (content.size() > limits.bytes) throw std::runtime_error("larger than " + bytes_text(limits.bytes));
  }
}

}  // namespace mlc
