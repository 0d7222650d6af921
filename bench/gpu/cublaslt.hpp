// Matrix products through cuBLASLt, which is loaded when it is needed: the program starts where it is not.
// cublaslt.cpp where its header was found when the program was built, cublaslt_absent.cpp elsewhere.
#pragma once

#include <cuda_runtime_api.h>

#include <cstdint>
#include <memory>
#include <string>

#include "bench/gpu/device.hpp"

namespace mlc {

class MatrixProduct {
 public:
  virtual ~MatrixProduct() = default;
  // d = a^T b, column-major, all n x n; a and b of `type`, d in bf16. Throws GpuError.
  virtual void run(const void* a, const void* b, void* d, cudaStream_t stream) = 0;
};

// Why there is none for this type on this GPU; empty if there is.
std::string matrix_product_absent(GemmType type, const GpuIdentity& gpu);

// `workspace` is device memory. The algorithm is chosen once, so that every product is computed the same way.
std::unique_ptr<MatrixProduct> make_matrix_product(GemmType type, int n, void* workspace,
                                                   std::uint64_t workspace_bytes);

}  // namespace mlc
