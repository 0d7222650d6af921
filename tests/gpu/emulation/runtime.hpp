// What the emulated NCCL and cuBLASLt ask of the emulated runtime.
#pragma once

#include <cstddef>

namespace emulation {

// Of the current GPU, with the lock held; null where there is no more.
void* allocate(std::size_t bytes, std::size_t alignment);

}  // namespace emulation
