// cuBLAS's own bf16 product, as its users call it: cublasGemmEx, no algorithm chosen, no workspace given.
#pragma once

#include <functional>

namespace mlc {

// Empty where libcublas cannot be loaded.
std::function<void()> peer_product(int n, const void* a, const void* b, void* c);

}  // namespace mlc
