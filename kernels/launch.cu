#include "kernels/burnin.hpp"

namespace mlc {

namespace {

__global__ void nothing() {}

}  // namespace

cudaError_t launch_nothing(cudaStream_t stream) {
  nothing<<<1, 1, 0, stream>>>();
  return cudaGetLastError();
}

}  // namespace mlc
