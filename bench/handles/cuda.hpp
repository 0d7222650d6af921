// CUDA and NCCL handles that close themselves, and their error codes as exceptions.
#pragma once

#include <cuda_runtime_api.h>

#include <array>
#include <cstdio>
#include <memory>
#include <source_location>
#include <string>
#include <type_traits>

#include "bench/handles/error.hpp"

namespace mlc {

template <auto Close>
struct Closer {
  template <class T>
  void operator()(T* handle) const noexcept {
    (void)Close(handle);
  }
};
template <class T, auto Close>
using Handle = std::unique_ptr<T, Closer<Close>>;

using Stream = Handle<std::remove_pointer_t<cudaStream_t>, &cudaStreamDestroy>;
using Event = Handle<std::remove_pointer_t<cudaEvent_t>, &cudaEventDestroy>;

using Graph = Handle<std::remove_pointer_t<cudaGraph_t>, &cudaGraphDestroy>;
using GraphExecution = Handle<std::remove_pointer_t<cudaGraphExec_t>, &cudaGraphExecDestroy>;

inline void check_cuda(cudaError_t code, std::source_location at = std::source_location::current()) {
  if (code == cudaSuccess) return;
  throw CudaError(cudaGetErrorName(code), std::string("cuda: ") + cudaGetErrorString(code) + " (" +
                                              cudaGetErrorName(code) + ", " + place_of(at) + ")");
}

inline Stream make_stream() {
  cudaStream_t stream = nullptr;
  check_cuda(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking));
  return Stream(stream);
}

inline Event make_event() {
  cudaEvent_t event = nullptr;
  check_cuda(cudaEventCreate(&event));
  return Event(event);
}

// As NVML and nvidia-smi spell it.
inline std::string uuid_text(const cudaUUID_t& uuid) {
  std::string text = "GPU-";
  for (int i = 0; i < 16; ++i) {
    std::array<char, 4> hex{};
    std::snprintf(hex.data(), hex.size(), "%02x", static_cast<unsigned char>(uuid.bytes[i]));
    text += hex.data();
    if (i == 3 || i == 5 || i == 7 || i == 9) text += '-';
  }
  return text;
}

}  // namespace mlc
