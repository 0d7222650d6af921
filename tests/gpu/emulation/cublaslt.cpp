// libcublasLt of the emulation: products of whole matrices, a^T b, by three loops on a stream.
#include <cublasLt.h>

#include <cstring>
#include <mutex>
#include <vector>

#include "kernels/number_format.hpp"
#include "tests/gpu/emulation/device.hpp"
#include "tests/gpu/emulation/failure.hpp"
#include "tests/gpu/emulation/settings.hpp"
#include "tests/gpu/emulation/stream.hpp"

struct cublasLtContext {};
struct cublasLtMatmulDescOpaque_t {
  cublasOperation_t a = CUBLAS_OP_N, b = CUBLAS_OP_N;
};
struct cublasLtMatrixLayoutOpaque_t {
  cudaDataType_t type;
  std::uint64_t rows, columns;
  std::int64_t leading;
};
struct cublasLtMatmulPreferenceOpaque_t {
  std::size_t workspace = 0;
};

namespace {

namespace pattern = mlc::pattern;

std::size_t width_of(cudaDataType_t type) { return type == CUDA_R_8F_E4M3 ? 1 : 2; }

float value_of(const std::byte* at, cudaDataType_t type) {
  if (type == CUDA_R_8F_E4M3)
    return static_cast<float>(pattern::decode<pattern::Fp8E4M3>(std::to_integer<std::uint8_t>(*at)));
  std::uint16_t bits = 0;
  std::memcpy(&bits, at, sizeof bits);
  return static_cast<float>(pattern::decode<pattern::Bfloat16>(bits));
}

std::vector<float> values_of(const void* matrix, const cublasLtMatrixLayoutOpaque_t& layout) {
  std::vector<float> all;
  for (std::size_t i = 0; i < layout.rows * layout.columns; ++i)
    all.push_back(value_of(static_cast<const std::byte*>(matrix) + i * width_of(layout.type), layout.type));
  return all;
}

void multiply(const void* a, const void* b, void* d, const cublasLtMatrixLayoutOpaque_t& in, bool wrong) {
  const std::size_t n = in.rows;
  const auto left = values_of(a, in), right = values_of(b, in);
  for (std::size_t column = 0; column < n; ++column)
    for (std::size_t row = 0; row < n; ++row) {
      float sum = 0;
      for (std::size_t k = 0; k < n; ++k)
        sum += left[row * n + k] * right[column * n + k];
      const auto bits =
          pattern::round_from<pattern::Bfloat16>(wrong && row + 1 == n && column + 1 == n ? sum + 1 : sum);
      std::memcpy(static_cast<std::byte*>(d) + 2 * (column * n + row), &bits, sizeof bits);
    }
}

emulation::Range stretch(const void* at, const cublasLtMatrixLayoutOpaque_t& layout, bool written) {
  const auto* const begin = static_cast<const std::byte*>(at);
  const emulation::Allocation* const allocation = emulation::memory_map().of(at);
  const std::size_t bytes = layout.rows * layout.columns * width_of(layout.type);
  if (allocation == nullptr || allocation->device == emulation::host || begin + bytes > allocation->end())
    emulation::fail("out of bounds", "a matrix of a product is not inside memory of a GPU");
  return {begin, begin + bytes, written};
}

}  // namespace

cublasStatus_t cublasLtCreate(cublasLtHandle_t* handle) {
  *handle = new cublasLtContext;
  return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasLtDestroy(cublasLtHandle_t handle) {
  delete handle;
  return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasLtMatmulDescCreate(cublasLtMatmulDesc_t* to, cublasComputeType_t, cudaDataType_t) {
  *to = new cublasLtMatmulDescOpaque_t;
  return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasLtMatmulDescDestroy(cublasLtMatmulDesc_t one) {
  delete one;
  return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasLtMatmulDescSetAttribute(cublasLtMatmulDesc_t to,
                                              cublasLtMatmulDescAttributes_t attribute, const void* value,
                                              std::size_t bytes) {
  if (bytes != sizeof(cublasOperation_t)) return CUBLAS_STATUS_INVALID_VALUE;
  std::memcpy(attribute == CUBLASLT_MATMUL_DESC_TRANSA ? &to->a : &to->b, value, bytes);
  return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasLtMatrixLayoutCreate(cublasLtMatrixLayout_t* to, cudaDataType_t type, std::uint64_t rows,
                                          std::uint64_t columns, std::int64_t leading) {
  *to = new cublasLtMatrixLayoutOpaque_t{type, rows, columns, leading};
  return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasLtMatrixLayoutDestroy(cublasLtMatrixLayout_t one) {
  delete one;
  return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasLtMatmulPreferenceCreate(cublasLtMatmulPreference_t* to) {
  *to = new cublasLtMatmulPreferenceOpaque_t;
  return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasLtMatmulPreferenceDestroy(cublasLtMatmulPreference_t one) {
  delete one;
  return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasLtMatmulPreferenceSetAttribute(cublasLtMatmulPreference_t to,
                                                    cublasLtMatmulPreferenceAttributes_t, const void* value,
                                                    std::size_t bytes) {
  if (bytes != sizeof to->workspace) return CUBLAS_STATUS_INVALID_VALUE;
  std::memcpy(&to->workspace, value, bytes);
  return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatmulAlgoGetHeuristic(cublasLtHandle_t, cublasLtMatmulDesc_t how,
                                              cublasLtMatrixLayout_t a, cublasLtMatrixLayout_t b,
                                              cublasLtMatrixLayout_t, cublasLtMatrixLayout_t d,
                                              cublasLtMatmulPreference_t preference, int,
                                              cublasLtMatmulHeuristicResult_t found[], int* count) {
  const bool known = how->a == CUBLAS_OP_T && how->b == CUBLAS_OP_N && a->type == b->type &&
                     d->type == CUDA_R_16BF && a->leading == static_cast<std::int64_t>(a->rows);
  *count = known ? 1 : 0;
  if (known) found[0] = {.algo = {{0x616c676f}}, .workspaceSize = preference->workspace / 2};
  return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatmul(cublasLtHandle_t, cublasLtMatmulDesc_t, const void* alpha, const void* a,
                              cublasLtMatrixLayout_t in, const void* b, cublasLtMatrixLayout_t,
                              const void* beta, const void*, cublasLtMatrixLayout_t, void* d,
                              cublasLtMatrixLayout_t out, const cublasLtMatmulAlgo_t* algorithm,
                              void* workspace, std::size_t workspace_bytes, cudaStream_t stream) {
  const std::lock_guard lock(emulation::runtime_lock());
  static std::int64_t products = 0;
  if (*static_cast<const float*>(alpha) != 1 || *static_cast<const float*>(beta) != 0 ||
      algorithm->data[0] != 0x616c676f || workspace == nullptr || workspace_bytes == 0)
    return CUBLAS_STATUS_NOT_SUPPORTED;
  CUstream_st& on = emulation::stream_of(stream);
  if (on.device != emulation::current_device())
    emulation::fail("wrong stream", "a product on a stream of another GPU");
  const emulation::Fault* const fault = emulation::settings().fault("gemm", "gpu", on.device);
  const bool wrong = fault != nullptr && ++products % fault->number("every", 1) == 0;
  const double operations = 2.0 * static_cast<double>(in->rows * in->rows * in->rows);
  emulation::Operation operation{
      .name = "a product",
      .ranges = {stretch(a, *in, false), stretch(b, *in, false), stretch(d, *out, true)},
      .seconds = 2e-6 + operations / (in->type == CUDA_R_16BF ? 700e12 : 1300e12)};
  operation.begin = [=, layout = *in] { return [=] { return multiply(a, b, d, layout, wrong), true; }; };
  emulation::enqueue(on, std::move(operation));
  return CUBLAS_STATUS_SUCCESS;
}
