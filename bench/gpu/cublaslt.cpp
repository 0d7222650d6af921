#include "bench/gpu/cublaslt.hpp"

#include <cublasLt.h>

#include <array>

#include "validators/host/shared_library.hpp"

namespace mlc {

namespace {

// The calls used here, by their declarations in the header.
struct Library {
  Library()
      : library(open()),
        create(find<decltype(cublasLtCreate)>("cublasLtCreate")),
        destroy(find<decltype(cublasLtDestroy)>("cublasLtDestroy")),
        describe(find<decltype(cublasLtMatmulDescCreate)>("cublasLtMatmulDescCreate")),
        forget(find<decltype(cublasLtMatmulDescDestroy)>("cublasLtMatmulDescDestroy")),
        set(find<decltype(cublasLtMatmulDescSetAttribute)>("cublasLtMatmulDescSetAttribute")),
        lay_out(find<decltype(cublasLtMatrixLayoutCreate)>("cublasLtMatrixLayoutCreate")),
        drop_layout(find<decltype(cublasLtMatrixLayoutDestroy)>("cublasLtMatrixLayoutDestroy")),
        prefer(find<decltype(cublasLtMatmulPreferenceCreate)>("cublasLtMatmulPreferenceCreate")),
        drop_preference(find<decltype(cublasLtMatmulPreferenceDestroy)>("cublasLtMatmulPreferenceDestroy")),
        set_preference(
            find<decltype(cublasLtMatmulPreferenceSetAttribute)>("cublasLtMatmulPreferenceSetAttribute")),
        heuristic(find<decltype(cublasLtMatmulAlgoGetHeuristic)>("cublasLtMatmulAlgoGetHeuristic")),
        multiply(find<decltype(cublasLtMatmul)>("cublasLtMatmul")) {}

  // The name of the toolkit that this was built with, then the place where it was then.
  static SharedLibrary open() {
    SharedLibrary library("libcublasLt.so." MLC_CUBLAS_MAJOR);
    return library ? std::move(library) : SharedLibrary(MLC_CUBLASLT_LIBRARY);
  }

  template <class Function>
  Function* find(const char* symbol) {
    auto* function = library.find<Function>(symbol);
    if (function == nullptr && missing.empty())
      missing = library ? std::string("it lacks ") + symbol : library.why();
    return function;
  }

  SharedLibrary library;
  std::string missing;
  decltype(cublasLtCreate)* create;
  decltype(cublasLtDestroy)* destroy;
  decltype(cublasLtMatmulDescCreate)* describe;
  decltype(cublasLtMatmulDescDestroy)* forget;
  decltype(cublasLtMatmulDescSetAttribute)* set;
  decltype(cublasLtMatrixLayoutCreate)* lay_out;
  decltype(cublasLtMatrixLayoutDestroy)* drop_layout;
  decltype(cublasLtMatmulPreferenceCreate)* prefer;
  decltype(cublasLtMatmulPreferenceDestroy)* drop_preference;
  decltype(cublasLtMatmulPreferenceSetAttribute)* set_preference;
  decltype(cublasLtMatmulAlgoGetHeuristic)* heuristic;
  decltype(cublasLtMatmul)* multiply;
};

Library& library() {
  static Library one;
  return one;
}

void check_cublas(cublasStatus_t status, const char* call) {
  if (status == CUBLAS_STATUS_SUCCESS) return;
  throw GpuError(
      status == CUBLAS_STATUS_ALLOC_FAILED ? GpuTrouble::memory : GpuTrouble::other,
      std::string("cublasLt: ") + call + " failed with status " + std::to_string(static_cast<int>(status)));
}

// C handles of cuBLASLt, whose closers are looked up at run time.
template <class T>
using Owned = std::unique_ptr<T, cublasStatus_t (*)(T*)>;

class Product final : public MatrixProduct {
 public:
  Product(GemmType type, int n, void* workspace, std::uint64_t workspace_bytes)
      : workspace_(workspace), workspace_bytes_(workspace_bytes) {
    Library& lt = library();
    cublasLtHandle_t handle = nullptr;
    check_cublas(lt.create(&handle), "cublasLtCreate");
    handle_.reset(handle);
    cublasLtMatmulDesc_t description = nullptr;
    check_cublas(lt.describe(&description, CUBLAS_COMPUTE_32F, CUDA_R_32F), "cublasLtMatmulDescCreate");
    description_.reset(description);
    // Transposed times plain is the one form that the 8-bit types have, so both types take it.
    const cublasOperation_t transposed = CUBLAS_OP_T, plain = CUBLAS_OP_N;
    check_cublas(lt.set(description, CUBLASLT_MATMUL_DESC_TRANSA, &transposed, sizeof transposed), "TRANSA");
    check_cublas(lt.set(description, CUBLASLT_MATMUL_DESC_TRANSB, &plain, sizeof plain), "TRANSB");
    const cudaDataType_t input = type == GemmType::fp8 ? CUDA_R_8F_E4M3 : CUDA_R_16BF;
    const auto size = static_cast<std::uint64_t>(n);
    for (auto* layout : {&in_, &out_}) {
      cublasLtMatrixLayout_t one = nullptr;
      check_cublas(lt.lay_out(&one, layout == &in_ ? input : CUDA_R_16BF, size, size, n),
                   "cublasLtMatrixLayoutCreate");
      layout->reset(one);
    }
    cublasLtMatmulPreference_t raw = nullptr;
    check_cublas(lt.prefer(&raw), "cublasLtMatmulPreferenceCreate");
    const Owned<cublasLtMatmulPreferenceOpaque_t> preference(raw, lt.drop_preference);
    check_cublas(lt.set_preference(raw, CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, &workspace_bytes_,
                                   sizeof workspace_bytes_),
                 "MAX_WORKSPACE_BYTES");
    int found = 0;
    check_cublas(lt.heuristic(handle, description, in_.get(), in_.get(), out_.get(), out_.get(), raw, 1,
                              &chosen_, &found),
                 "cublasLtMatmulAlgoGetHeuristic");
    if (found == 0) throw GpuError(GpuTrouble::other, "cublasLt: no algorithm for this product");
  }

  void run(const void* a, const void* b, void* d, cudaStream_t stream) override {
    const float one = 1, zero = 0;
    check_cublas(
        library().multiply(handle_.get(), description_.get(), &one, a, in_.get(), b, in_.get(), &zero, d,
                           out_.get(), d, out_.get(), &chosen_.algo, workspace_, workspace_bytes_, stream),
        "cublasLtMatmul");
  }

 private:
  void* workspace_;
  std::uint64_t workspace_bytes_;
  Owned<cublasLtContext> handle_{nullptr, library().destroy};
  Owned<cublasLtMatmulDescOpaque_t> description_{nullptr, library().forget};
  Owned<cublasLtMatrixLayoutOpaque_t> in_{nullptr, library().drop_layout},
      out_{nullptr, library().drop_layout};
  cublasLtMatmulHeuristicResult_t chosen_{};
};

}  // namespace

std::string matrix_product_absent(GemmType type, const GpuIdentity& gpu) {
  if (type == GemmType::fp8 && !computes_fp8(gpu)) return "8-bit floats need compute capability 8.9 or newer";
  if (!library().missing.empty()) return "cuBLASLt cannot be loaded: " + library().missing;
  return {};
}

std::unique_ptr<MatrixProduct> make_matrix_product(GemmType type, int n, void* workspace,
                                                   std::uint64_t workspace_bytes) {
  return std::make_unique<Product>(type, n, workspace, workspace_bytes);
}

}  // namespace mlc
