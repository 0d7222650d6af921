// In the place of CUDA's header: 16 x 16 x 16 products of bf16. The first lane of a warp holds and computes
// the whole fragment; what hardware asks of addresses is checked.
#pragma once

#include <cuda_bf16.h>
#include <cuda_runtime.h>

#include "tests/gpu/emulation/failure.hpp"

namespace nvcuda::wmma {

struct accumulator {};
struct matrix_a {};
struct matrix_b {};
struct row_major {};
struct col_major {};
enum layout_t { mem_row_major, mem_col_major };

template <class Use, int m, int n, int k, class T, class Layout = void>
struct fragment {
  static_assert(m == 16 && n == 16 && k == 16);
  float x[256] = {};
};

inline bool holds() { return threadIdx.x % 32 == 0; }

inline void check_place(const void* at, unsigned leading, unsigned multiple) {
  if (reinterpret_cast<std::uintptr_t>(at) % 32 != 0)
    emulation::fail("wmma", "a fragment's address is no multiple of 32 bytes");
  if (leading % multiple != 0) emulation::fail("wmma", "a leading dimension is no multiple of 16 bytes");
}

template <class Fragment>
void fill_fragment(Fragment& to, float value) {
  if (!holds()) return;
  for (auto& one : to.x)
    one = value;
}

// A by rows and B by columns lie alike: line, then k.
template <class Use, class Layout>
void load_matrix_sync(fragment<Use, 16, 16, 16, __nv_bfloat16, Layout>& to, const __nv_bfloat16* from,
                      unsigned leading) {
  static_assert(std::is_same_v<Layout, row_major> == std::is_same_v<Use, matrix_a>);
  check_place(from, leading, 8);
  if (!holds()) return;
  for (unsigned line = 0; line < 16; ++line)
    for (unsigned k = 0; k < 16; ++k)
      to.x[line * 16 + k] = __bfloat162float(from[line * leading + k]);
}

template <class Sum, class A, class B>
void mma_sync(Sum& to, const A& a, const B& b, const Sum& from) {
  if (!holds()) return;
  for (int row = 0; row < 16; ++row)
    for (int column = 0; column < 16; ++column) {
      float sum = from.x[row * 16 + column];
      for (int k = 0; k < 16; ++k)
        sum += a.x[row * 16 + k] * b.x[column * 16 + k];
      to.x[row * 16 + column] = sum;
    }
  if (emulation::sm_is_broken()) to.x[7] += 1;
}

template <class Sum>
void store_matrix_sync(float* to, const Sum& from, unsigned leading, layout_t layout) {
  check_place(to, leading, 4);
  if (layout != mem_row_major) emulation::fail("wmma", "only rows are stored here");
  if (!holds()) return;
  for (unsigned row = 0; row < 16; ++row)
    for (unsigned column = 0; column < 16; ++column)
      to[row * leading + column] = from.x[row * 16 + column];
}

}  // namespace nvcuda::wmma
