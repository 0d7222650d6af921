// CUDA's error codes as GpuErrors.
#pragma once

#include <cuda_runtime_api.h>

#include <source_location>
#include <string>

#include "bench/gpu/device.hpp"
#include "bench/handles/error.hpp"

namespace mlc {

inline void check_gpu(cudaError_t code, std::source_location at = std::source_location::current()) {
  if (code == cudaSuccess) return;
  (void)cudaGetLastError();  // else the next launch, perhaps on another GPU, is told of this error
  throw GpuError(trouble_of(cudaGetErrorName(code)), std::string("cuda: ") + cudaGetErrorString(code) + " (" +
                                                         cudaGetErrorName(code) + ", " + place_of(at) + ")");
}

}  // namespace mlc
