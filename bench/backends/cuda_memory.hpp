// GPU memory: the generator and verifier run where the bytes are.
#pragma once

#include <functional>
#include <memory>

#include "bench/backends/memory.hpp"
#include "bench/handles/cuda.hpp"

namespace mlc {

// Allocation is the caller's choice (cudaMalloc, ncclMemAlloc with registration): `allocator` returns the
// memory with its deleter. Work goes through `stream`, and every call returns when it is done.
std::unique_ptr<Memory> make_cuda_memory(cudaStream_t stream,
                                         std::function<std::shared_ptr<std::byte>(std::uint64_t)> allocator);

}  // namespace mlc
