// What fill and verify share: the GPU walks a stretch in slices of 16 bytes, a thread a slice.
#pragma once

#include <cuda_runtime.h>

#include "kernels/host_pattern.hpp"

namespace mlc::gpu {

inline constexpr int slice_words = 4;  // 16 bytes: the widest vector access
inline constexpr int threads = 256;

template <class F>
inline constexpr int elements_per_slice = pattern::elements_in<F, slice_words>;

template <class F>
struct alignas(16) Slice {
  typename F::Bits at[elements_per_slice<F>];
};

// Whole slices can be used where the buffer and the stream's index agree on 16-byte borders.
template <class F>
bool sliced(const void* data, std::uint64_t index) {
  return reinterpret_cast<std::uintptr_t>(data) % 16 == 0 && index % elements_per_slice<F> == 0;
}

inline unsigned blocks_for(std::uint64_t items) {
  const std::uint64_t blocks = (items + threads - 1) / threads;
  return static_cast<unsigned>(blocks < 1       ? 1
                               : blocks > 65535 ? 65535
                                                : blocks);  // the kernels stride over the rest
}

}  // namespace mlc::gpu
