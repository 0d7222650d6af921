// What an emulated dmabuf's file holds, for whoever imports it.
#pragma once

#include <cstdint>

namespace emulation {

struct DmaBuf {
  std::uint64_t at = 0, bytes = 0;
};

}  // namespace emulation
