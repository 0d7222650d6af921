#include "validators/host/file_tree.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <filesystem>
#include <fstream>

#include "reports/record/text.hpp"
#include "validators/host/descriptor.hpp"

namespace mlc {

namespace {

template <class T>
Read<T> failed(int error) {
  const std::string why = std::strerror(error);
  // ENODEV and ENXIO: the device behind the attribute went away while it was read.
  return error == ENOENT || error == ENOTDIR ? Read<T>::not_there(why) : Read<T>::unreadable(why);
}

}  // namespace

std::optional<std::uint64_t> whole_number(std::string_view text) {
  int base = 10;
  if (text.starts_with("0x") || text.starts_with("0X")) base = 16, text.remove_prefix(2);
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number, base);
  if (error != std::errc{} || text.empty() || end != text.data() + text.size()) return std::nullopt;
  return number;
}

FileTree::FileTree(std::string root, std::shared_ptr<FileRecorder> recorder, std::string recorded_under)
    : root_(std::move(root)), recorder_(std::move(recorder)), recorded_under_(std::move(recorded_under)) {}

int FileTree::open(const std::string& path, int flags) const {
  flags |= O_CLOEXEC;
  int fd = -1;
  if (live()) {
    fd = ::open(path.c_str(), flags);
  } else {
    const Descriptor base(::open(root_.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
    if (base.fd < 0) return -errno;
    open_how how{};
    how.flags = static_cast<std::uint64_t>(flags);
    how.resolve = RESOLVE_IN_ROOT;
    // EAGAIN: a rename or mount anywhere on the machine raced with a ".." of ours (openat2(2)); not our
    // file's fault.
    for (int attempt = 0; attempt < 1000; ++attempt) {
      fd = static_cast<int>(::syscall(SYS_openat2, base.fd, path.c_str(), &how, sizeof how));
      if (fd >= 0 || errno != EAGAIN) break;
    }
  }
  return fd < 0 ? -errno : fd;
}

Read<std::string> FileTree::read_file(const std::string& path, std::size_t limit, bool cut) const {
  // O_NONBLOCK: a FIFO or a device planted where a file should be must not hang us.
  const Descriptor file(open(path, O_RDONLY | O_NONBLOCK));
  if (file.fd < 0) {
    if (recorder_) recorder_->looked_at(root_, recorded_under_, path);
    return failed<std::string>(-file.fd);
  }
  struct stat status {};
  if (::fstat(file.fd, &status) != 0) return failed<std::string>(errno);
  if (!S_ISREG(status.st_mode)) return Read<std::string>::unreadable("not a regular file");
  std::string content;
  std::array<char, 4096> chunk;
  while (content.size() <= limit) {
    const ssize_t got = ::read(file.fd, chunk.data(), chunk.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) {
      const int error = errno;
      if (recorder_) recorder_->looked_at(root_, recorded_under_, path);
      return failed<std::string>(error);
    }
    if (got == 0) break;
    content.append(chunk.data(), static_cast<std::size_t>(got));
  }
  if (content.size() > limit) {
    if (!cut) return Read<std::string>::unreadable("larger than " + bytes_text(limit));
    content.resize(limit);
  }
  if (recorder_) recorder_->read(root_, recorded_under_, path, content);
  return Read<std::string>::of(std::move(content));
}

Read<std::string> FileTree::text(const std::string& path, std::size_t limit) const {
  auto read = read_file(path, limit, false);
  if (!read) return read;
  while (!read.value.empty() && (read.value.back() == '\n' || read.value.back() == ' '))
    read.value.pop_back();
  if (read.value.empty()) return Read<std::string>::unreadable("empty");
  const auto binary = [](char c) {
    return (static_cast<unsigned char>(c) < 0x20 && c != '\n' && c != '\t') || c == 0x7f;
  };
  if (std::ranges::any_of(read.value, binary))
    return Read<std::string>::unreadable("binary, where text belongs");
  return read;
}

Read<std::string> FileTree::bytes(const std::string& path, std::size_t limit) const {
  return read_file(path, limit, true);
}

Read<std::uint64_t> FileTree::number(const std::string& path) const {
  const auto read = text(path);
  if (!read) return Read<std::uint64_t>::no(read);
  const auto number = whole_number(*read);
  return number ? Read<std::uint64_t>::of(*number)
                : Read<std::uint64_t>::unreadable("'" + printable(*read, 40) + "' is no number");
}

Read<std::vector<std::string>> FileTree::list(const std::string& directory) const {
  using Names = std::vector<std::string>;
  if (recorder_) recorder_->looked_at(root_, recorded_under_, directory);
  const int fd = open(directory, O_RDONLY | O_DIRECTORY);
  if (fd < 0) return failed<Names>(-fd);
  const std::unique_ptr<DIR, decltype([](DIR* dir) { ::closedir(dir); })> dir(::fdopendir(fd));
  if (!dir) {
    const int error = errno;
    ::close(fd);
    return failed<Names>(error);
  }
  Names names;
  errno = 0;
  while (const dirent* entry = ::readdir(dir.get())) {
    if (entry->d_name[0] == '.') continue;
    names.emplace_back(entry->d_name);
    if (names.size() > 65536) return Read<Names>::unreadable("more than 65536 entries");
    errno = 0;
  }
  if (errno != 0) return failed<Names>(errno);
  std::ranges::sort(names);
  if (recorder_)
    for (const auto& name : names)
      recorder_->looked_at(root_, recorded_under_, directory + "/" + name);
  return Read<Names>::of(std::move(names));
}

Read<std::string> FileTree::resolve(const std::string& path) const {
  if (recorder_) recorder_->looked_at(root_, recorded_under_, path);
  const Descriptor file(open(path, O_PATH));
  if (file.fd < 0) return failed<std::string>(-file.fd);
  std::array<char, 4097> target{};
  const auto length =
      ::readlink(("/proc/self/fd/" + std::to_string(file.fd)).c_str(), target.data(), target.size() - 1);
  if (length < 0) return failed<std::string>(errno);
  std::string resolved(target.data(), static_cast<std::size_t>(length));
  if (!live()) {
    std::error_code error;
    const std::string base = std::filesystem::canonical(root_, error).string();
    if (error || !resolved.starts_with(base))
      return Read<std::string>::unreadable("leads out of " + printable(root_));
    resolved.erase(0, base.size());
  }
  return Read<std::string>::of(std::move(resolved));
}

Read<std::uint64_t> FileTree::size(const std::string& path) const {
  if (recorder_) recorder_->looked_at(root_, recorded_under_, path);
  const Descriptor file(open(path, O_PATH));
  if (file.fd < 0) return failed<std::uint64_t>(-file.fd);
  struct stat status {};
  if (::fstat(file.fd, &status) != 0) return failed<std::uint64_t>(errno);
  if (!S_ISREG(status.st_mode)) return Read<std::uint64_t>::unreadable("not a regular file");
  return Read<std::uint64_t>::of(static_cast<std::uint64_t>(status.st_size));
}

bool FileTree::exists(const std::string& path) const {
  if (recorder_) recorder_->looked_at(root_, recorded_under_, path);
  const Descriptor file(open(path, O_PATH));
  return file.fd >= 0;
}

void FileRecorder::read(const std::string& root, const std::string& under, const std::string& path,
                        const std::string& content) {
  const std::lock_guard lock(mutex_);
  entries_.insert({root, under, path, content});
}

void FileRecorder::looked_at(const std::string& root, const std::string& under, const std::string& path) {
  const std::lock_guard lock(mutex_);
  entries_.insert({root, under, path, std::nullopt});
}

void FileRecorder::write(const std::string& directory) const {
  namespace fs = std::filesystem;
  const std::lock_guard lock(mutex_);
  for (const auto& [root, under, path, content] : entries_) {
    // Walks the path as the kernel does, so that each link on the way is written as a link.
    fs::path done = "/";
    std::vector<fs::path> left;
    const auto push = [&left](const fs::path& more) {
      std::vector<fs::path> parts(more.begin(), more.end());
      left.insert(left.end(), parts.rbegin(), parts.rend());
    };
    push(fs::path(path));
    int links = 0;
    std::error_code error;
    bool there = true;
    while (!left.empty() && there) {
      const fs::path part = left.back();
      left.pop_back();
      if (part == "/" || part == "." || part.empty()) continue;
      if (part == "..") {
        done = done.parent_path();
        continue;
      }
      const fs::path here = done / part;
      const fs::path from = fs::path(root) / here.relative_path(),
                     to = fs::path(directory) / under / here.relative_path();
      const auto status = fs::symlink_status(from, error);
      if (error || !fs::exists(status)) {
        there = false;
      } else if (fs::is_symlink(status)) {
        const fs::path target = fs::read_symlink(from, error);
        if (error || ++links > 40) break;
        fs::create_directories(to.parent_path(), error);
        if (!fs::exists(fs::symlink_status(to, error))) fs::create_symlink(target, to, error);
        if (target.is_absolute()) done = "/";
        push(target);
      } else if (fs::is_directory(status)) {
        fs::create_directories(to, error);
        done = here;
      } else {
        fs::create_directories(to.parent_path(), error);
        if (content || !fs::exists(to, error)) {
          std::ofstream file(to, std::ios::binary);
          if (content) file << *content;
        }
        done = here;
      }
    }
  }
}

}  // namespace mlc
