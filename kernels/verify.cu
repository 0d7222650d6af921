#include <bit>

#include "kernels/expected_sum.hpp"
#include "kernels/kernels.hpp"
#include "kernels/slices.cuh"

namespace mlc {

namespace {

using pattern::Op;

// One atomic a warp, and only where something is wrong.
__device__ void note(DeviceTally* tally, unsigned wrong, unsigned long long first) {
  for (int offset = 16; offset > 0; offset /= 2) {
    wrong += __shfl_down_sync(0xffffffffu, wrong, offset);
    const unsigned long long other = __shfl_down_sync(0xffffffffu, first, offset);
    first = other < first ? other : first;
  }
  if (threadIdx.x % 32 == 0 && wrong > 0) {
    atomicAdd(&tally->wrong, static_cast<unsigned long long>(wrong));
    atomicMin(&tally->first, first);
  }
}

struct Halves {
  std::uint64_t low, high;
};

template <class F, Op op>
__global__ void verify_slices(const gpu::Slice<F>* data, std::uint64_t slices, pattern::Plan<F, op> plan,
                              std::uint32_t source, std::uint64_t first_slice, std::uint64_t tolerance,
                              DeviceTally* tally) {
  constexpr std::uint64_t per_block = pattern::words_per_block / gpu::slice_words;
  constexpr int n = gpu::elements_per_slice<F>;
  const std::uint64_t stride = static_cast<std::uint64_t>(gridDim.x) * blockDim.x;
  unsigned wrong = 0;
  unsigned long long first = ~0ull;
  for (std::uint64_t i = static_cast<std::uint64_t>(blockIdx.x) * blockDim.x + threadIdx.x; i < slices;
       i += stride) {
    const std::uint64_t slice = first_slice + i;
    gpu::Slice<F> expected;
    pattern::expected_values<F, op, gpu::slice_words>(
        plan, source, slice / per_block, static_cast<std::uint32_t>(slice % per_block) * gpu::slice_words,
        expected.at);
    const gpu::Slice<F> actual = data[i];
    // Two compares for 16 bytes. Element by element only where they differ.
    const auto e = std::bit_cast<Halves>(expected), a = std::bit_cast<Halves>(actual);
    if (e.low == a.low && e.high == a.high) continue;
    for (int k = 0; k < n; ++k) {
      if (pattern::distance<F>(expected.at[k], actual.at[k]) <= tolerance) continue;
      ++wrong;
      const unsigned long long at = i * n + k;
      first = at < first ? at : first;
    }
  }
  note(tally, wrong, first);
}

template <class F, Op op>
__global__ void verify_elements(const typename F::Bits* data, std::uint64_t count, pattern::Recipe recipe,
                                std::uint32_t source, std::uint64_t index, std::uint64_t tolerance,
                                std::uint64_t offset, DeviceTally* tally) {
  const std::uint64_t stride = static_cast<std::uint64_t>(gridDim.x) * blockDim.x;
  unsigned wrong = 0;
  unsigned long long first = ~0ull;
  for (std::uint64_t i = static_cast<std::uint64_t>(blockIdx.x) * blockDim.x + threadIdx.x; i < count;
       i += stride) {
    if (pattern::distance<F>(pattern::expectation_at<F, op>(recipe, source, index + i), data[i]) <= tolerance)
      continue;
    ++wrong;
    const unsigned long long at = offset + i;
    first = at < first ? at : first;
  }
  note(tally, wrong, first);
}

// Bytes of a word that are not zero.
__device__ unsigned nonzero_bytes(std::uint32_t word) {
  return ((word & 0xffu) != 0) + ((word & 0xff00u) != 0) + ((word & 0xff0000u) != 0) +
         ((word & 0xff000000u) != 0);
}

__global__ void count_other_slices(const uint4* data, std::uint64_t slices, std::uint32_t four,
                                   DeviceTally* tally) {
  const std::uint64_t stride = static_cast<std::uint64_t>(gridDim.x) * blockDim.x;
  unsigned wrong = 0;
  for (std::uint64_t i = static_cast<std::uint64_t>(blockIdx.x) * blockDim.x + threadIdx.x; i < slices;
       i += stride) {
    const uint4 slice = data[i];
    wrong += nonzero_bytes(slice.x ^ four) + nonzero_bytes(slice.y ^ four) + nonzero_bytes(slice.z ^ four) +
             nonzero_bytes(slice.w ^ four);
  }
  note(tally, wrong, 0);
}

__global__ void count_other_than(const std::uint8_t* data, std::uint64_t bytes, std::uint8_t value,
                                 DeviceTally* tally) {
  const std::uint64_t stride = static_cast<std::uint64_t>(gridDim.x) * blockDim.x;
  unsigned wrong = 0;
  for (std::uint64_t i = static_cast<std::uint64_t>(blockIdx.x) * blockDim.x + threadIdx.x; i < bytes;
       i += stride)
    wrong += data[i] != value ? 1 : 0;
  note(tally, wrong, 0);
}

}  // namespace

cudaError_t launch_verify(const void* data, std::uint64_t count, const DataSpec& spec, DeviceTally* tally,
                          cudaStream_t stream) {
  if (count == 0) return cudaSuccess;
  return with_format_and_op(spec.dtype, spec.op, [&]<class F, Op op>() {
    constexpr std::uint64_t n = gpu::elements_per_slice<F>;
    const auto* elements = static_cast<const typename F::Bits*>(data);
    const std::uint64_t tolerance = pattern::tolerance<F, op>(spec.recipe.ranks);
    const std::uint64_t slices = gpu::sliced<F>(data, spec.index) ? count / n : 0, done = slices * n;
    if (slices > 0)
      verify_slices<F, op><<<gpu::blocks_for(slices), gpu::threads, 0, stream>>>(
          static_cast<const gpu::Slice<F>*>(data), slices, pattern::Plan<F, op>(spec.recipe), spec.source,
          spec.index / n, tolerance, tally);
    if (done < count)
      verify_elements<F, op><<<gpu::blocks_for(count - done), gpu::threads, 0, stream>>>(
          elements + done, count - done, spec.recipe, spec.source, spec.index + done, tolerance, done, tally);
    return cudaGetLastError();
  });
}

cudaError_t launch_count_other_than(const void* data, std::uint64_t bytes, std::uint8_t value,
                                    DeviceTally* tally, cudaStream_t stream) {
  if (bytes == 0) return cudaSuccess;
  const auto* const first = static_cast<const std::uint8_t*>(data);
  const std::uint64_t slices = reinterpret_cast<std::uintptr_t>(data) % 16 == 0 ? bytes / 16 : 0,
                      done = slices * 16;
  if (slices > 0)
    count_other_slices<<<gpu::blocks_for(slices), gpu::threads, 0, stream>>>(
        static_cast<const uint4*>(data), slices, value * 0x01010101u, tally);
  if (done < bytes)
    count_other_than<<<gpu::blocks_for(bytes - done), gpu::threads, 0, stream>>>(first + done, bytes - done,
                                                                                 value, tally);
  return cudaGetLastError();
}

}  // namespace mlc
