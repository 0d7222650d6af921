#include "validators/host/own_directory.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <stdexcept>

#include "reports/record/text.hpp"

namespace mlc {

void require_own_directory(const std::string& path) {
  const auto refuse = [&](const std::string& why) { throw std::runtime_error(printable(path) + " " + why); };
  if (::mkdir(path.c_str(), 0700) != 0 && errno != EEXIST)
    refuse(std::string("cannot be made: ") + std::strerror(errno));
  struct stat status {};
  if (::fstatat(AT_FDCWD, path.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0)
    refuse(std::string("cannot be looked at: ") + std::strerror(errno));
  if (S_ISLNK(status.st_mode)) refuse("is a symbolic link, which others may turn: name the folder itself");
  if (!S_ISDIR(status.st_mode)) refuse("is no folder");
  if (status.st_uid != ::geteuid() && status.st_uid != 0)
    refuse("belongs to user " + std::to_string(status.st_uid) + ", who could write what is believed here");
  if ((status.st_mode & (S_IWGRP | S_IWOTH)) != 0)
    refuse("can be written by others, who could put a verdict there: chmod go-w");
}

}  // namespace mlc
