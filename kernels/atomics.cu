#include "kernels/burnin.hpp"
#include "kernels/slices.cuh"

namespace mlc {

namespace {

__global__ void add_all(atomics::Spread spread, atomics::Counters* counters) {
  const std::uint64_t thread = static_cast<std::uint64_t>(blockIdx.x) * blockDim.x + threadIdx.x;
  const int c = atomics::counter_of(spread, thread);
  atomicAdd(&counters->u32[c], atomics::addend_u32(thread));
  atomicAdd(&counters->u64[c], atomics::addend_u64(thread));
  atomicAdd(&counters->f32[c], atomics::addend_f32(thread));
}

}  // namespace

cudaError_t launch_atomics(atomics::Spread spread, std::uint64_t threads, atomics::Counters* counters,
                           cudaStream_t stream) {
  add_all<<<static_cast<unsigned>(threads / gpu::threads), gpu::threads, 0, stream>>>(spread, counters);
  return cudaGetLastError();
}

}  // namespace mlc
