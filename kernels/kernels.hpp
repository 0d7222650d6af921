// Host launchers of the GPU kernels. Plain C++: callers need the CUDA runtime's headers, not its compiler.
// Launches are asynchronous on `stream`; errors of a launch are returned, errors of a kernel come with the
// next synchronisation.
#pragma once

#include <cuda_runtime_api.h>

#include <cstdint>

#include "kernels/host_pattern.hpp"

namespace mlc {

// As fill() of host_pattern.hpp, for device memory. Fastest where `data` and the stretch's place in its
// stream are both multiples of 16 bytes.
cudaError_t launch_fill(void* data, std::uint64_t count, const DataSpec& spec, cudaStream_t stream);

// In device memory; set to {0, ~0} before the launch.
struct DeviceTally {
  unsigned long long wrong;
  unsigned long long first;  // offset of the first wrong element
};

// Adds to *tally the elements that are not what fill()'s counterpart expects.
cudaError_t launch_verify(const void* data, std::uint64_t count, const DataSpec& spec, DeviceTally* tally,
                          cudaStream_t stream);

// Adds to tally->wrong the bytes other than `value`.
cudaError_t launch_count_other_than(const void* data, std::uint64_t bytes, std::uint8_t value,
                                    DeviceTally* tally, cudaStream_t stream);

}  // namespace mlc
