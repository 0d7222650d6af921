// A file descriptor that closes itself.
#pragma once

#include <unistd.h>

namespace mlc {

struct Descriptor {
  int fd;  // negative: none
  explicit Descriptor(int value) : fd(value) {}
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  ~Descriptor() {
    if (fd >= 0) ::close(fd);
  }
};

}  // namespace mlc
