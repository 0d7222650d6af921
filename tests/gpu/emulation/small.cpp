// Sizes of the device test that emulated GPUs get through.
#include <cstdlib>

[[maybe_unused]] static const int small = ::setenv("MLC_GPU_SMALL", "1", 1);
