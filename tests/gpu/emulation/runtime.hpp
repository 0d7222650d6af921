// What the parts of the emulated runtime, NCCL and cuBLASLt ask of it. All with the lock held.
#pragma once

#include <cuda_runtime_api.h>

#include <cstddef>
#include <set>

#include "tests/gpu/emulation/stream.hpp"

namespace emulation {

// Of the current GPU; null where there is no more.
void* allocate(std::size_t bytes, std::size_t alignment);

cudaError_t noted(cudaError_t error);  // for cudaGetLastError
cudaError_t put(cudaStream_t stream, Operation operation);
cudaError_t finish(CUstream_st& stream);        // until it is empty, or its GPU is gone
std::set<const void*>& live(const char* kind);  // handles that have to be given back

}  // namespace emulation
