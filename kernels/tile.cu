#include <cuda_bf16.h>
#include <mma.h>

#include "kernels/burnin.hpp"

namespace mlc {

namespace {

using namespace nvcuda;
using tile::columns, tile::depth, tile::rows;

constexpr int threads = 256, warps = threads / 32;
constexpr int fragment = 16;  // rows, columns and depth of one matrix instruction
constexpr int fragments = rows / fragment * (columns / fragment), per_warp = fragments / warps;

struct Product {
  __nv_bfloat16 a[rows * depth], b[columns * depth];  // b by columns
  float c[rows * columns];
};

struct alignas(32) Shared {
  union {
    Product product;
    std::uint64_t words[tile::shared_words];
  };
  unsigned long long sum, parity;
};

// The block's digest: order does not matter, so integer atomics are exact.
__device__ void add_to_digest(Shared& shared, const tile::Digest& mine) {
  atomicAdd(&shared.sum, static_cast<unsigned long long>(mine.sum));
  atomicXor(&shared.parity, static_cast<unsigned long long>(mine.parity));
}

__device__ void fill_inputs(Shared& shared, const tile::Spec& spec) {
  for (int i = threadIdx.x; i < rows * depth; i += threads)
    shared.product.a[i] = __float2bfloat16(static_cast<float>(tile::input_a(spec, i / depth, i % depth)));
  for (int i = threadIdx.x; i < columns * depth; i += threads)
    shared.product.b[i] = __float2bfloat16(static_cast<float>(tile::input_b(spec, i / depth, i % depth)));
}

__device__ void multiply_on_tensor_cores(Shared& shared, int rounds) {
  const int warp = threadIdx.x / 32;
  wmma::fragment<wmma::accumulator, fragment, fragment, fragment, float> sum[per_warp];
  for (auto& one : sum)
    wmma::fill_fragment(one, 0.0f);
  for (int round = 0; round < rounds; ++round)
    for (int k = 0; k < depth; k += fragment)
      for (int f = 0; f < per_warp; ++f) {
        const int row = (warp * per_warp + f) / (columns / fragment) * fragment;
        const int column = (warp * per_warp + f) % (columns / fragment) * fragment;
        wmma::fragment<wmma::matrix_a, fragment, fragment, fragment, __nv_bfloat16, wmma::row_major> a;
        wmma::fragment<wmma::matrix_b, fragment, fragment, fragment, __nv_bfloat16, wmma::col_major> b;
        wmma::load_matrix_sync(a, shared.product.a + row * depth + k, depth);
        wmma::load_matrix_sync(b, shared.product.b + column * depth + k, depth);
        wmma::mma_sync(sum[f], a, b, sum[f]);
      }
  for (int f = 0; f < per_warp; ++f) {
    const int row = (warp * per_warp + f) / (columns / fragment) * fragment;
    const int column = (warp * per_warp + f) % (columns / fragment) * fragment;
    wmma::store_matrix_sync(shared.product.c + row * columns + column, sum[f], columns, wmma::mem_row_major);
  }
}

__device__ void multiply_on_fp32_units(Shared& shared, int rounds) {
  for (int i = threadIdx.x; i < rows * columns; i += threads) {
    float sum = 0;
    for (int round = 0; round < rounds; ++round)
      for (int k = 0; k < depth; ++k)
        sum = fmaf(__bfloat162float(shared.product.a[i / columns * depth + k]),
                   __bfloat162float(shared.product.b[i % columns * depth + k]), sum);
    shared.product.c[i] = sum;
  }
}

template <tile::Engine engine>
__device__ tile::Digest compute(Shared& shared, const tile::Spec& spec) {
  tile::Digest mine;
  if constexpr (engine == tile::Engine::integer) {
    for (int i = threadIdx.x; i < rows * columns; i += threads)
      mine.add(i, tile::integer_element(spec, i));
  } else if constexpr (engine == tile::Engine::shared) {
    for (int i = threadIdx.x; i < tile::shared_words; i += threads)
      shared.words[i] = tile::shared_element(spec, i);
    __syncthreads();
    // Read by other threads than wrote it, over all banks: 4099 is prime, so it visits every word once.
    for (int i = threadIdx.x; i < tile::shared_words; i += threads) {
      const int other = static_cast<int>(static_cast<unsigned>(i) * 4099u % tile::shared_words);
      mine.add(other, shared.words[other]);
    }
  } else {
    fill_inputs(shared, spec);
    __syncthreads();
    if constexpr (engine == tile::Engine::tensor)
      multiply_on_tensor_cores(shared, spec.rounds);
    else
      multiply_on_fp32_units(shared, spec.rounds);
    __syncthreads();
    for (int i = threadIdx.x; i < rows * columns; i += threads)
      mine.add(i, __float_as_uint(shared.product.c[i]));
  }
  return mine;
}

template <tile::Engine engine>
__global__ void __launch_bounds__(threads) tiles(tile::Spec spec, int repeats, tile::Result* results) {
  extern __shared__ __align__(128) unsigned char raw[];
  Shared& shared = *reinterpret_cast<Shared*>(raw);
  std::uint32_t sm;
  asm volatile("mov.u32 %0, %%smid;" : "=r"(sm));
  for (int repeat = 0; repeat < repeats; ++repeat) {
    if (threadIdx.x == 0) shared.sum = 0, shared.parity = 0;
    __syncthreads();
    add_to_digest(shared, compute<engine>(shared, tile::spec_of(spec, repeat)));
    __syncthreads();
    if (threadIdx.x == 0)
      results[static_cast<std::uint64_t>(repeat) * gridDim.x + blockIdx.x] = {
          sm, static_cast<std::uint32_t>(repeat), {shared.sum, shared.parity}};
    __syncthreads();
  }
}

template <tile::Engine engine>
cudaError_t launch(const tile::Spec& spec, int repeats, int blocks, int shared_bytes, tile::Result* results,
                   cudaStream_t stream) {
  static_assert(sizeof(Shared) <= 99 * 1024, "the smallest device of interest (sm_86) has 99 KiB a block");
  if (const cudaError_t error =
          cudaFuncSetAttribute(tiles<engine>, cudaFuncAttributeMaxDynamicSharedMemorySize, shared_bytes);
      error != cudaSuccess)
    return error;
  tiles<engine><<<blocks, threads, shared_bytes, stream>>>(spec, repeats, results);
  return cudaGetLastError();
}

}  // namespace

cudaError_t launch_tiles(tile::Engine engine, const tile::Spec& spec, int repeats, int blocks,
                         int shared_bytes, tile::Result* results, cudaStream_t stream) {
  switch (engine) {
    case tile::Engine::tensor:
      return launch<tile::Engine::tensor>(spec, repeats, blocks, shared_bytes, results, stream);
    case tile::Engine::fma:
      return launch<tile::Engine::fma>(spec, repeats, blocks, shared_bytes, results, stream);
    case tile::Engine::integer:
      return launch<tile::Engine::integer>(spec, repeats, blocks, shared_bytes, results, stream);
    case tile::Engine::shared:
      return launch<tile::Engine::shared>(spec, repeats, blocks, shared_bytes, results, stream);
  }
  return cudaErrorInvalidValue;
}

}  // namespace mlc
