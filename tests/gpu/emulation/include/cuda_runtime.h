// In the place of CUDA's header: what kernels are written with. rewrite_launches.py turns
// kernel<<<...>>>(...) into a call of emulation::Launch.
#pragma once

#include <cuda_runtime_api.h>

#include <cmath>
#include <cstring>
#include <source_location>

#include "tests/gpu/emulation/launch.hpp"
#include "tests/gpu/emulation/simt.hpp"

#define __global__
#define __device__
#define __host__
#define __forceinline__ inline
#define __launch_bounds__(...)
#define __shared__ static
#define __constant__ static
#define __restrict__ __restrict
#define __align__(n) __attribute__((aligned(n)))
#define threadIdx ::emulation::thread_index
#define blockIdx ::emulation::block_index
#define blockDim ::emulation::block_size
#define gridDim ::emulation::grid_size

struct alignas(16) uint4 {
  unsigned x, y, z, w;
};
struct alignas(16) ulonglong2 {
  unsigned long long x, y;
};
struct alignas(16) double2 {
  double x, y;
};

inline void __syncthreads(std::source_location at = std::source_location::current()) {
  emulation::barrier(at);
}
inline void __syncwarp(unsigned mask = 0xffffffffu) { (void)emulation::exchange(mask, 0); }

namespace emulation {
// What the lane `source` gave; as hardware, one's own value where there is no such lane.
template <class T>
T from_lane(unsigned mask, T value, unsigned source) {
  static_assert(sizeof(T) <= 8);
  std::uint64_t bits = 0;
  std::memcpy(&bits, &value, sizeof value);
  const std::uint64_t* const all = exchange(mask, bits);
  bits = all[source < 32 ? source : thread_index.x % 32];
  std::memcpy(&value, &bits, sizeof value);
  return value;
}
}  // namespace emulation

template <class T>
T __shfl_sync(unsigned mask, T value, int lane) {
  return emulation::from_lane(mask, value, static_cast<unsigned>(lane) % 32);
}
template <class T>
T __shfl_down_sync(unsigned mask, T value, int delta) {
  return emulation::from_lane(mask, value, threadIdx.x % 32 + static_cast<unsigned>(delta));
}
template <class T>
T __shfl_xor_sync(unsigned mask, T value, int with) {
  return emulation::from_lane(mask, value, threadIdx.x % 32 ^ static_cast<unsigned>(with));
}
inline unsigned __ballot_sync(unsigned mask, int predicate) {
  const std::uint64_t* const all = emulation::exchange(mask, predicate != 0);
  unsigned ballot = 0;
  for (int lane = 0; lane < 32; ++lane)
    ballot |= static_cast<unsigned>(all[lane]) << lane;
  return ballot;
}
inline int __any_sync(unsigned mask, int predicate) { return __ballot_sync(mask, predicate) != 0; }
inline int __all_sync(unsigned mask, int predicate) { return __ballot_sync(mask, predicate) == 0xffffffffu; }

// Fibers are not switched in between, so plain operations are atomic.
template <class T>
T atomicAdd(T* at, T value) {
  const T old = *at;
  *at = static_cast<T>(old + value);
  return old;
}
template <class T>
T atomicMin(T* at, T value) {
  const T old = *at;
  *at = value < old ? value : old;
  return old;
}
template <class T>
T atomicMax(T* at, T value) {
  const T old = *at;
  *at = old < value ? value : old;
  return old;
}
template <class T>
T atomicXor(T* at, T value) {
  const T old = *at;
  *at = old ^ value;
  return old;
}

inline unsigned __float_as_uint(float value) {
  unsigned bits = 0;
  std::memcpy(&bits, &value, sizeof bits);
  return bits;
}
template <class T>
T __ldg(const T* at) {
  return *at;
}
template <class T>
T min(T a, T b) {
  return b < a ? b : a;
}
template <class T>
T max(T a, T b) {
  return a < b ? b : a;
}
inline int __popc(unsigned bits) { return __builtin_popcount(bits); }
