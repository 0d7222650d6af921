// A kernel's launch as the rewritten sources write it.
#pragma once

#include <cuda_runtime_api.h>

#include <functional>
#include <string>
#include <type_traits>
#include <vector>

namespace emulation {

// Memory that a kernel was given: from `at` to the end of its allocation.
struct GivenPointer {
  const void* at = nullptr;
  bool written = false;
};

class Launch {
 public:
  Launch(std::uint64_t grid, std::uint64_t block, std::uint64_t shared_bytes, cudaStream_t stream)
      : blocks_(grid), threads_(block), shared_bytes_(shared_bytes), stream_(stream) {}

  template <class... Parameters>
  void run(const char* name, void (*kernel)(Parameters...),
           std::type_identity_t<Parameters>... arguments) const {
    std::vector<GivenPointer> given;
    (note(given, arguments), ...);
    submit(name, reinterpret_cast<const void*>(kernel), given, [=] { kernel(arguments...); });
  }

 private:
  template <class T>
  static void note(std::vector<GivenPointer>& given, const T& argument) {
    if constexpr (std::is_pointer_v<T>)
      if (argument != nullptr) given.push_back({argument, !std::is_const_v<std::remove_pointer_t<T>>});
  }
  void submit(const std::string& name, const void* kernel, const std::vector<GivenPointer>& given,
              std::function<void()> body) const;

  std::uint64_t blocks_, threads_, shared_bytes_;
  cudaStream_t stream_;
};

}  // namespace emulation
