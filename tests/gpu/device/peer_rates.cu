// What the burn-in's figures are held beside, in the same run: the driver's own device-to-device copy, a
// triad written as BabelStream writes it, cuBLAS's product without anything of ours around it, and the rate
// of our verification. JSON.
#include <cuda_runtime.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <vector>

#include "kernels/burnin.hpp"
#include "kernels/kernels.hpp"
#include "tests/gpu/device/peer_product.hpp"

namespace {

void check(cudaError_t error) {
  if (error == cudaSuccess) return;
  std::fprintf(stderr, "%s\n", cudaGetErrorString(error));
  std::exit(3);
}

__global__ void triad(double* a, const double* b, const double* c) {
  const size_t i = static_cast<size_t>(blockDim.x) * blockIdx.x + threadIdx.x;
  a[i] = b[i] + 0.4 * c[i];
}

// Median seconds of 20, after 3.
double seconds_of(const std::function<void()>& work) {
  cudaEvent_t begin, end;
  check(cudaEventCreate(&begin)), check(cudaEventCreate(&end));
  std::vector<float> times;
  for (int i = 0; i < 23; ++i) {
    check(cudaEventRecord(begin));
    work();
    check(cudaGetLastError());
    check(cudaEventRecord(end)), check(cudaEventSynchronize(end));
    float milliseconds = 0;
    check(cudaEventElapsedTime(&milliseconds, begin, end));
    if (i >= 3) times.push_back(milliseconds);
  }
  check(cudaEventDestroy(begin)), check(cudaEventDestroy(end));
  std::sort(times.begin(), times.end());
  return times[times.size() / 2] / 1e3;
}

}  // namespace

int main() {
  using namespace mlc;
  constexpr std::uint64_t bytes = 1 << 30;
  char* at = nullptr;
  check(cudaMalloc(&at, 3 * bytes));
  check(cudaMemset(at, 1, 3 * bytes));
  std::printf("{\"copy_gb_s\": %.1f",
              2 * bytes / seconds_of([&] {
                check(cudaMemcpyAsync(at, at + bytes, bytes, cudaMemcpyDeviceToDevice));
              }) / 1e9);
  auto* a = reinterpret_cast<double*>(at);
  constexpr std::uint64_t n = bytes / sizeof(double);
  std::printf(", \"triad_gb_s\": %.1f",
              3 * bytes / seconds_of([&] { triad<<<n / 1024, 1024>>>(a, a + n, a + 2 * n); }) / 1e9);
  DeviceTally* tally = nullptr;
  check(cudaMalloc(&tally, sizeof *tally));
  std::printf(", \"verify_gb_s\": {");
  bool first = true;
  for (const auto dtype : {Dtype::float32, Dtype::bfloat16, Dtype::fp8_e4m3}) {
    const DataSpec spec{.dtype = dtype, .op = pattern::Op::sum, .recipe = {1, 1, 8}, .source = 0};
    const std::uint64_t count = bytes / static_cast<std::uint64_t>(width_of(dtype));
    const double seconds = seconds_of([&] { check(launch_verify(at, count, spec, tally, nullptr)); });
    std::printf("%s\"%.*s\": %.1f", first ? "" : ", ", static_cast<int>(to_string(dtype).size()),
                to_string(dtype).data(), bytes / seconds / 1e9);
    first = false;
  }
  std::printf("}");
  constexpr int size = 8192;
  check(launch_gemm_input(at, static_cast<std::uint64_t>(size) * size * 2, 2, 1, nullptr));
  check(cudaDeviceSynchronize());
  if (const auto product = mlc::peer_product(size, at, at + 2ull * size * size, at + 4ull * size * size))
    std::printf(", \"cublas_bf16_tflop_s\": %.1f", 2.0 * size * size * size / seconds_of(product) / 1e12);
  std::printf("}\n");
  return 0;
}
