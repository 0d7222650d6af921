#include "tests/gpu/device/peer_product.hpp"

#include <cublas_v2.h>

#include <memory>

#include "validators/host/shared_library.hpp"

namespace mlc {

namespace {

// The header overloads its name for C++.
using GemmEx = cublasStatus_t(cublasHandle_t, cublasOperation_t, cublasOperation_t, int, int, int,
                              const void*, const void*, cudaDataType, int, const void*, cudaDataType, int,
                              const void*, void*, cudaDataType, int, cublasComputeType_t, cublasGemmAlgo_t);

}  // namespace

std::function<void()> peer_product(int n, const void* a, const void* b, void* c) {
  const auto cublas = std::make_shared<SharedLibrary>("libcublas.so." MLC_CUBLAS_MAJOR);
  auto* const create = cublas->find<decltype(cublasCreate_v2)>("cublasCreate_v2");
  auto* const multiply = cublas->find<GemmEx>("cublasGemmEx");
  cublasHandle_t handle = nullptr;
  if (create == nullptr || multiply == nullptr || create(&handle) != CUBLAS_STATUS_SUCCESS) return {};
  return [=] {
    const float one = 1, zero = 0;
    (void)multiply(handle, CUBLAS_OP_N, CUBLAS_OP_N, n, n, n, &one, a, CUDA_R_16BF, n, b, CUDA_R_16BF, n,
                   &zero, c, CUDA_R_16BF, n, CUBLAS_COMPUTE_32F, CUBLAS_GEMM_DEFAULT);
  };
}

}  // namespace mlc
