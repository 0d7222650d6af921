#include "validators/host/own_directory.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <stdexcept>

#include "reports/record/text.hpp"

namespace mlc {

namespace {

[[noreturn]] void refuse(const std::string& path, const std::string& why) {
  throw std::runtime_error(printable(path) + " " + why);
}

void require_own(const std::string& path, const struct stat& status) {
  if (status.st_uid != ::geteuid() && status.st_uid != 0)
    refuse(path,
           "belongs to user " + std::to_string(status.st_uid) + ", who could write what is believed here");
  if ((status.st_mode & (S_IWGRP | S_IWOTH)) != 0)
    refuse(path, "can be written by others, who could put a verdict there: chmod go-w");
}

}  // namespace

void require_own_directory(const std::string& path) {
  if (::mkdir(path.c_str(), 0700) != 0 && errno != EEXIST)
    refuse(path, std::string("cannot be made: ") + std::strerror(errno));
  struct stat status {};
  if (::fstatat(AT_FDCWD, path.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0)
    refuse(path, std::string("cannot be looked at: ") + std::strerror(errno));
  if (S_ISLNK(status.st_mode))
    refuse(path, "is a symbolic link, which others may turn: name the folder itself");
  if (!S_ISDIR(status.st_mode)) refuse(path, "is no folder");
  require_own(path, status);
}

void require_own_file(const std::string& path) {
  struct stat status {};
  if (::fstatat(AT_FDCWD, path.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0) return;
  if (S_ISLNK(status.st_mode)) refuse(path, "is a symbolic link, which others may turn");
  require_own(path, status);
}

}  // namespace mlc
