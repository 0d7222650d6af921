// Host launchers of the burn-in's kernels. Plain C++, asynchronous on `stream`, as in kernels.hpp.
#pragma once

#include <cuda_runtime_api.h>

#include <cstdint>

#include "kernels/atomics.hpp"
#include "kernels/hbm.hpp"
#include "kernels/kernels.hpp"
#include "kernels/memory_pattern.hpp"
#include "kernels/tile.hpp"

namespace mlc {

// One pass over the region's equal parts (hbm::part_bytes); `region` is aligned to 16 bytes. `sink` is
// written only if the compiler's promise that nothing depends on the loads were true.
cudaError_t launch_hbm(hbm::Operation operation, void* region, std::uint64_t bytes, int sms,
                       std::uint64_t* sink, cudaStream_t stream);

// As copy, but between two buffers, which may lie on two GPUs: the SMs move the bytes.
cudaError_t launch_sm_copy(void* to, const void* from, std::uint64_t bytes, int sms, cudaStream_t stream);

// Adds to tally->wrong the 16-byte slices in which the two differ, and the first one's number.
cudaError_t launch_compare(const void* a, const void* b, std::uint64_t bytes, int sms, DeviceTally* tally,
                           cudaStream_t stream);

// One sweep over `words` words, the first of which has index `first`. `log` is in memory that both sides see.
cudaError_t launch_sweep(const memory::Sweep& sweep, std::uint64_t* data, std::uint64_t words,
                         std::uint64_t first, std::uint32_t round, memory::ErrorLog* log,
                         cudaStream_t stream);

// Reads the kept errors' words again, where they lie in this stretch, as the attempt-th of three.
cudaError_t launch_reread(const std::uint64_t* data, std::uint64_t words, std::uint64_t first, int attempt,
                          memory::ErrorLog* log, cudaStream_t stream);

// `repeats` tiles on every SM, repeat r with tile::spec_of(spec, r): results[r x blocks + block]. Blocks of
// so much shared memory that an SM holds one at a time; `shared_bytes` is the device's largest. Every engine
// but product; fp8 from compute capability 8.9 on.
cudaError_t launch_tiles(tile::Engine engine, const tile::Spec& spec, int repeats, int blocks,
                         int shared_bytes, tile::Result* results, cudaStream_t stream);

// The inputs of the matrix product spec.product, by lines, bfloat16.
cudaError_t launch_product_inputs(const tile::Spec& spec, void* a, void* b, cudaStream_t stream);

// Its side x side tiles, dealt to the blocks by tile::product_tile: results[block].
cudaError_t launch_product_tiles(const tile::Product& product, std::uint32_t launch, const void* a,
                                 const void* b, tile::Result* results, cudaStream_t stream);

// Bfloat16 (2) or e4m3 (1) matrix elements from gemm::input.
cudaError_t launch_gemm_input(void* data, std::uint64_t elements, int width, std::uint64_t seed,
                              cudaStream_t stream);

// Adds the digest of `words` words to *digest, which is in device memory.
cudaError_t launch_digest(const std::uint64_t* data, std::uint64_t words, tile::Digest* digest,
                          cudaStream_t stream);

cudaError_t launch_nothing(cudaStream_t stream);

// One pass of `threads` threads, a multiple of 256.
cudaError_t launch_atomics(atomics::Spread spread, std::uint64_t threads, atomics::Counters* counters,
                           cudaStream_t stream);

}  // namespace mlc
