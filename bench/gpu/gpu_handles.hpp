// What the burn-in holds of GPUs, given back at its end, but for one case: to free what a GPU holds that
// hangs would wait for it. Then nothing is freed any more, and what is left goes with the process
// (one_gpu_hangs).
#pragma once

#include <cuda_runtime_api.h>

#include <cstdint>
#include <cstring>
#include <type_traits>

#include "bench/gpu/check_gpu.hpp"
#include "bench/gpu/device.hpp"
#include "bench/handles/cuda.hpp"

namespace mlc {

template <auto Close>
struct CloserUnlessOneHangs {
  template <class T>
  void operator()(T* handle) const noexcept {
    if (!one_gpu_hangs()) (void)Close(handle);
  }
};
template <class T, auto Close>
using GpuHandle = std::unique_ptr<T, CloserUnlessOneHangs<Close>>;

template <class T>
using DeviceMemory = GpuHandle<T, &cudaFree>;
template <class T>
using PinnedMemory = GpuHandle<T, &cudaFreeHost>;
using GpuStream = GpuHandle<std::remove_pointer_t<cudaStream_t>, &cudaStreamDestroy>;
using GpuGraph = GpuHandle<std::remove_pointer_t<cudaGraph_t>, &cudaGraphDestroy>;
using GpuGraphExecution = GpuHandle<std::remove_pointer_t<cudaGraphExec_t>, &cudaGraphExecDestroy>;
using GpuEvent = GpuHandle<std::remove_pointer_t<cudaEvent_t>, &cudaEventDestroy>;

// All throw GpuError.
template <class T>
DeviceMemory<T> device_memory(std::uint64_t bytes) {
  void* at = nullptr;
  check_gpu(cudaMalloc(&at, bytes));
  return DeviceMemory<T>(static_cast<T*>(at));
}

// Of the host, zero, seen by every GPU.
template <class T>
PinnedMemory<T> shared_memory(std::uint64_t bytes) {
  void* at = nullptr;
  check_gpu(cudaHostAlloc(&at, bytes, cudaHostAllocPortable | cudaHostAllocMapped));
  std::memset(at, 0, bytes);
  return PinnedMemory<T>(static_cast<T*>(at));
}

inline GpuEvent gpu_event() {
  cudaEvent_t event = nullptr;
  check_gpu(cudaEventCreate(&event));
  return GpuEvent(event);
}

inline GpuStream gpu_stream() {
  cudaStream_t stream = nullptr;
  check_gpu(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking));
  return GpuStream(stream);
}

}  // namespace mlc
