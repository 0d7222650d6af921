// Kernels that are wrong, each in its own way, and one that is right: for the test of the emulation.
#include "tests/gpu/emulation/kernels_of_tests.hpp"

namespace {

__global__ void reverse(int* data, bool synchronises) {
  extern __shared__ __align__(128) unsigned char raw[];
  int* const shared = reinterpret_cast<int*>(raw);
  shared[threadIdx.x] = data[threadIdx.x];
  if (synchronises) __syncthreads();
  data[threadIdx.x] = shared[blockDim.x - 1 - threadIdx.x];
}

__global__ void sum_of_warp(unsigned* sums, unsigned lanes) {
  if (threadIdx.x % 32 >= lanes) return;
  unsigned value = threadIdx.x;
  for (int offset = 16; offset > 0; offset /= 2)
    value += __shfl_down_sync(0xffffffffu, value, offset);
  if (threadIdx.x % 32 == 0) sums[threadIdx.x / 32] = value;
}

__global__ void leaves_before_the_barrier() {
  if (threadIdx.x == 0) return;
  __syncthreads();
}

__global__ void waits_in_two_places() {
  if (threadIdx.x < 32) {
    __syncthreads();
  } else {
    __syncthreads();
  }
}

__global__ void writes_at(char* data, long offset) { data[offset] = 1; }
__global__ void reads_at(const char* data, long offset, char* to) { *to = data[offset]; }

__global__ void writes_behind_shared(unsigned bytes) {
  extern __shared__ __align__(128) unsigned char raw[];
  raw[bytes] = 1;
}

__global__ void order_of_threads(unsigned* order, unsigned* next) {
  order[atomicAdd(next, 1u)] = blockIdx.x * blockDim.x + threadIdx.x;
}

}  // namespace

void launch_reverse(int* data, unsigned count, bool synchronises, cudaStream_t stream) {
  reverse<<<1, count, count * sizeof(int), stream>>>(data, synchronises);
}
void launch_sum_of_warp(unsigned* sums, unsigned threads, unsigned lanes, cudaStream_t stream) {
  sum_of_warp<<<1, threads, 0, stream>>>(sums, lanes);
}
void launch_leaves_before_the_barrier(cudaStream_t stream) {
  leaves_before_the_barrier<<<1, 64, 0, stream>>>();
}
void launch_waits_in_two_places(cudaStream_t stream) { waits_in_two_places<<<1, 64, 0, stream>>>(); }
void launch_writes_at(char* data, long offset, cudaStream_t stream) {
  writes_at<<<1, 1, 0, stream>>>(data, offset);
}
void launch_reads_at(const char* data, long offset, char* to, cudaStream_t stream) {
  reads_at<<<1, 1, 0, stream>>>(data, offset, to);
}
void launch_writes_behind_shared(unsigned bytes, cudaStream_t stream) {
  writes_behind_shared<<<1, 1, bytes, stream>>>(bytes);
}
void launch_order_of_threads(unsigned* order, unsigned* next, unsigned blocks, cudaStream_t stream) {
  order_of_threads<<<blocks, 64, 0, stream>>>(order, next);
}
void launch_of_shape(unsigned blocks, unsigned threads, std::uint64_t shared, cudaStream_t stream) {
  writes_behind_shared<<<blocks, threads, shared, stream>>>(0u);
}
