#include <algorithm>

#include "kernels/burnin.hpp"
#include "kernels/gemm_data.hpp"
#include "kernels/slices.cuh"

namespace mlc {

namespace {

template <class F>
__global__ void fill_inputs(typename F::Bits* data, std::uint64_t elements, std::uint64_t seed) {
  const std::uint64_t stride = static_cast<std::uint64_t>(gridDim.x) * blockDim.x;
  for (std::uint64_t i = static_cast<std::uint64_t>(blockIdx.x) * blockDim.x + threadIdx.x; i < elements;
       i += stride)
    data[i] = gemm::input<F>(seed, i);
}

__global__ void digest_words(const std::uint64_t* data, std::uint64_t words, tile::Digest* digest) {
  const std::uint64_t stride = static_cast<std::uint64_t>(gridDim.x) * blockDim.x;
  tile::Digest mine;
  for (std::uint64_t i = static_cast<std::uint64_t>(blockIdx.x) * blockDim.x + threadIdx.x; i < words;
       i += stride)
    mine.add(i, data[i]);
  for (int offset = 16; offset > 0; offset /= 2) {
    mine.sum += __shfl_down_sync(0xffffffffu, mine.sum, offset);
    mine.parity ^= __shfl_down_sync(0xffffffffu, mine.parity, offset);
  }
  if (threadIdx.x % 32 != 0) return;
  atomicAdd(reinterpret_cast<unsigned long long*>(&digest->sum), static_cast<unsigned long long>(mine.sum));
  atomicXor(reinterpret_cast<unsigned long long*>(&digest->parity),
            static_cast<unsigned long long>(mine.parity));
}

}  // namespace

cudaError_t launch_gemm_input(void* data, std::uint64_t elements, int width, std::uint64_t seed,
                              cudaStream_t stream) {
  if (width == 2)
    fill_inputs<pattern::Bfloat16><<<gpu::blocks_for(elements), gpu::threads, 0, stream>>>(
        static_cast<pattern::Bfloat16::Bits*>(data), elements, seed);
  else
    fill_inputs<pattern::Fp8E4M3><<<gpu::blocks_for(elements), gpu::threads, 0, stream>>>(
        static_cast<pattern::Fp8E4M3::Bits*>(data), elements, seed);
  return cudaGetLastError();
}

cudaError_t launch_digest(const std::uint64_t* data, std::uint64_t words, tile::Digest* digest,
                          cudaStream_t stream) {
  // At most 1024 blocks: each ends in two atomics a warp.
  digest_words<<<std::min(1024u, gpu::blocks_for(words)), gpu::threads, 0, stream>>>(data, words, digest);
  return cudaGetLastError();
}

}  // namespace mlc
