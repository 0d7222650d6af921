// The error of what a run stands on: a library, a device, or the way to the other ranks.
#pragma once

#include <source_location>
#include <stdexcept>
#include <string>
#include <string_view>

namespace mlc {

// "nccl.cpp:405": where a call failed, without the folder of whoever built this.
inline std::string place_of(const std::source_location& at) {
  const std::string_view path = at.file_name();
  return std::string(path.substr(path.rfind('/') + 1)) + ":" + std::to_string(at.line());
}

// What moves the data failed. what() says which call, where and why.
struct BackendError : std::runtime_error {
  explicit BackendError(const std::string& what, std::string hint_text = {})
      : std::runtime_error(what), hint(std::move(hint_text)) {}
  std::string hint;  // what to do next; may be empty
};

// The GPU of this process refused a call. name: of CUDA's error code, "cudaErrorECCUncorrectable".
struct CudaError : BackendError {
  CudaError(std::string name_of_code, const std::string& what)
      : BackendError(what), name(std::move(name_of_code)) {}
  std::string name;
};

}  // namespace mlc
