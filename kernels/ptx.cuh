// What C++ does not say and PTX does.
#pragma once

#include <cstdint>

namespace mlc {

// The streaming multiprocessor that runs this thread.
__device__ inline std::uint32_t this_sm() {
  std::uint32_t sm;
  asm volatile("mov.u32 %0, %%smid;" : "=r"(sm));
  return sm;
}

// sum += a b: 16 x 8 results of 32 products each, by one warp's tensor core. Which elements a lane holds: PTX
// ISA, "Matrix fragments for mma.m16n8k32". From compute capability 8.9 on; on Hopper, whose tensor cores
// take fp8 from whole warp groups, the assembler may make half-precision products of it, which are as exact.
__device__ inline void multiply_e4m3(float (&sum)[4], const std::uint32_t (&a)[4],
                                     const std::uint32_t (&b)[2]) {
#if !defined(__CUDA_ARCH__) || __CUDA_ARCH__ >= 890
  asm volatile(
      "mma.sync.aligned.m16n8k32.row.col.f32.e4m3.e4m3.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, "
      "{%0, %1, %2, %3};"
      : "+f"(sum[0]), "+f"(sum[1]), "+f"(sum[2]), "+f"(sum[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
#else
  (void)sum, (void)a, (void)b;
  __trap();
#endif
}

}  // namespace mlc
