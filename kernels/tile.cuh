// What the tiles' kernels share: a block's shared memory, the product on tensor cores, digests.
#pragma once

#include <cuda_bf16.h>
#include <mma.h>

#include "kernels/burnin.hpp"
#include "kernels/ptx.cuh"

namespace mlc::tile {

namespace wmma = nvcuda::wmma;

constexpr int threads = 256, warps = threads / 32;
constexpr int fragment = 16;  // rows, columns and depth of one matrix instruction
// Four warps below each other, two side by side.
constexpr int warp_rows = rows / 4, warp_columns = columns / 2;

struct alignas(128) Shared {
  union {
    struct {
      __nv_bfloat16 a[rows * depth], b[columns * depth];  // b by columns
    } halves;
    struct {
      std::uint8_t a[rows * depth], b[columns * depth];
    } bytes;
    float c[rows * columns];  // after both
    std::uint64_t words[shared_words];
  };
  unsigned long long sum, parity;
};
static_assert(sizeof(Shared) <= 99 * 1024, "the smallest device of interest (sm_86) has 99 KiB a block");

// The block's digest: order does not matter, so integer atomics are exact.
__device__ inline void add_to_digest(Shared& shared, const Digest& mine) {
  atomicAdd(&shared.sum, static_cast<unsigned long long>(mine.sum));
  atomicXor(&shared.parity, static_cast<unsigned long long>(mine.parity));
}

// A warp's part of the result, in its registers.
struct TensorSums {
  static constexpr int down = warp_rows / fragment, across = warp_columns / fragment;
  wmma::fragment<wmma::accumulator, fragment, fragment, fragment, float> part[down][across];

  __device__ TensorSums() {
    for (auto& line : part)
      for (auto& one : line)
        wmma::fill_fragment(one, 0.0f);
  }

  static __device__ int row() { return threadIdx.x / 32 / 2 * warp_rows; }
  static __device__ int column() { return threadIdx.x / 32 % 2 * warp_columns; }

  __device__ void add_product(const Shared& shared) {
#pragma unroll 1  // all of them at once would not fit into registers
    for (int k = 0; k < depth; k += fragment) {
      wmma::fragment<wmma::matrix_a, fragment, fragment, fragment, __nv_bfloat16, wmma::row_major> a[down];
      wmma::fragment<wmma::matrix_b, fragment, fragment, fragment, __nv_bfloat16, wmma::col_major> b[across];
      for (int i = 0; i < down; ++i)
        wmma::load_matrix_sync(a[i], shared.halves.a + (row() + i * fragment) * depth + k, depth);
      for (int j = 0; j < across; ++j)
        wmma::load_matrix_sync(b[j], shared.halves.b + (column() + j * fragment) * depth + k, depth);
      for (int i = 0; i < down; ++i)
        for (int j = 0; j < across; ++j)
          wmma::mma_sync(part[i][j], a[i], b[j], part[i][j]);
    }
  }

  // Over the inputs: no thread of the block may need them any more.
  __device__ void store(Shared& shared) const {
    for (int i = 0; i < down; ++i)
      for (int j = 0; j < across; ++j)
        wmma::store_matrix_sync(shared.c + (row() + i * fragment) * columns + column() + j * fragment,
                                part[i][j], columns, wmma::mem_row_major);
  }
};

// Of shared.c.
__device__ inline Digest digest_of_result(const Shared& shared) {
  Digest mine;
  for (int i = threadIdx.x; i < rows * columns; i += threads)
    mine.add(i, __float_as_uint(shared.c[i]));
  return mine;
}

}  // namespace mlc::tile
