#include "bench/gpu/cublaslt.hpp"

namespace mlc {

std::string matrix_product_absent(GemmType, const GpuIdentity&) {
  return "cublasLt.h was not found when this program was built";
}

std::unique_ptr<MatrixProduct> make_matrix_product(GemmType type, int, void*, std::uint64_t) {
  throw GpuError(GpuTrouble::other, matrix_product_absent(type, {}));
}

}  // namespace mlc
