#include "kernels/kernels.hpp"
#include "kernels/slices.cuh"

namespace mlc {

namespace {

using pattern::Op;

template <class F, Op op>
__global__ void fill_slices(gpu::Slice<F>* data, std::uint64_t slices, pattern::Plan<F, op> plan,
                            std::uint32_t source, std::uint64_t first_slice) {
  constexpr std::uint64_t per_block = pattern::words_per_block / gpu::slice_words;
  const std::uint64_t stride = static_cast<std::uint64_t>(gridDim.x) * blockDim.x;
  for (std::uint64_t i = static_cast<std::uint64_t>(blockIdx.x) * blockDim.x + threadIdx.x; i < slices;
       i += stride) {
    const std::uint64_t slice = first_slice + i;
    gpu::Slice<F> values;
    pattern::contribution<F, op, gpu::slice_words>(
        plan, source, slice / per_block, static_cast<std::uint32_t>(slice % per_block) * gpu::slice_words,
        values.at);
    data[i] = values;
  }
}

template <class F, Op op>
__global__ void fill_elements(typename F::Bits* data, std::uint64_t count, pattern::Recipe recipe,
                              std::uint32_t source, std::uint64_t index) {
  const std::uint64_t stride = static_cast<std::uint64_t>(gridDim.x) * blockDim.x;
  for (std::uint64_t i = static_cast<std::uint64_t>(blockIdx.x) * blockDim.x + threadIdx.x; i < count;
       i += stride)
    data[i] = pattern::contribution_at<F, op>(recipe, source, index + i);
}

}  // namespace

cudaError_t launch_fill(void* data, std::uint64_t count, const DataSpec& spec, cudaStream_t stream) {
  if (count == 0) return cudaSuccess;
  return with_format_and_op(spec.dtype, spec.op, [&]<class F, Op op>() {
    constexpr std::uint64_t n = gpu::elements_per_slice<F>;
    auto* elements = static_cast<typename F::Bits*>(data);
    const std::uint64_t slices = gpu::sliced<F>(data, spec.index) ? count / n : 0, done = slices * n;
    if (slices > 0)
      fill_slices<F, op><<<gpu::blocks_for(slices), gpu::threads, 0, stream>>>(
          static_cast<gpu::Slice<F>*>(data), slices, pattern::Plan<F, op>(spec.recipe), spec.source,
          spec.index / n);
    if (done < count)
      fill_elements<F, op><<<gpu::blocks_for(count - done), gpu::threads, 0, stream>>>(
          elements + done, count - done, spec.recipe, spec.source, spec.index + done);
    return cudaGetLastError();
  });
}

}  // namespace mlc
