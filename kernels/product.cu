#include "kernels/slices.cuh"
#include "kernels/tile.cuh"

namespace mlc {

namespace {

using namespace tile;

// One matrix: `lines` lines of `depth` elements.
__global__ void product_inputs(Spec spec, int matrix, std::uint64_t lines, int depth, __nv_bfloat16* data) {
  const std::uint64_t stride = static_cast<std::uint64_t>(gridDim.x) * blockDim.x;
  for (std::uint64_t i = static_cast<std::uint64_t>(blockIdx.x) * blockDim.x + threadIdx.x; i < lines * depth;
       i += stride) {
    const int line = product_line(static_cast<int>(i / depth)), k = static_cast<int>(i % depth);
    data[i] =
        __float2bfloat16(static_cast<float>(matrix == 0 ? input_a(spec, line, k) : input_b(spec, line, k)));
  }
}

// As many lines as a tile has, tile::depth elements of each, 16 bytes at once.
__device__ void load(__nv_bfloat16* to, const __nv_bfloat16* from, int from_depth) {
  constexpr int slice = 8, slices = tile::depth / slice;
  for (int i = threadIdx.x; i < rows * slices; i += threads)
    reinterpret_cast<uint4*>(to)[i] = *reinterpret_cast<const uint4*>(
        from + static_cast<std::uint64_t>(i / slices) * from_depth + i % slices * slice);
}

__global__ void __launch_bounds__(threads)
    product_tiles(Product product, std::uint32_t launch, const __nv_bfloat16* a, const __nv_bfloat16* b,
                  Result* results) {
  extern __shared__ __align__(128) unsigned char raw[];
  Shared& shared = *reinterpret_cast<Shared*>(raw);
  const std::uint32_t at = product_tile(blockIdx.x, launch, product.side);
  a += static_cast<std::uint64_t>(at / product.side) * rows * product.depth;
  b += static_cast<std::uint64_t>(at % product.side) * columns * product.depth;
  if (threadIdx.x == 0) shared.sum = 0, shared.parity = 0;
  TensorSums sums;
  for (int k = 0; k < product.depth; k += tile::depth) {
    load(shared.halves.a, a + k, product.depth);
    load(shared.halves.b, b + k, product.depth);
    __syncthreads();
    sums.add_product(shared);
    __syncthreads();
  }
  sums.store(shared);
  __syncthreads();
  add_to_digest(shared, digest_of_result(shared));
  __syncthreads();
  if (threadIdx.x == 0) results[blockIdx.x] = {this_sm(), at, {shared.sum, shared.parity}};
}

}  // namespace

cudaError_t launch_product_inputs(const Spec& spec, void* a, void* b, cudaStream_t stream) {
  const Product& product = spec.product;
  const std::uint64_t lines = static_cast<std::uint64_t>(product.side) * rows;
  const unsigned blocks = gpu::blocks_for(lines * static_cast<std::uint64_t>(product.depth));
  product_inputs<<<blocks, gpu::threads, 0, stream>>>(spec, 0, lines, product.depth,
                                                      static_cast<__nv_bfloat16*>(a));
  product_inputs<<<blocks, gpu::threads, 0, stream>>>(spec, 1, lines, product.depth,
                                                      static_cast<__nv_bfloat16*>(b));
  return cudaGetLastError();
}

cudaError_t launch_product_tiles(const Product& product, std::uint32_t launch, const void* a, const void* b,
                                 Result* results, cudaStream_t stream) {
  constexpr int shared_bytes = sizeof(Shared);
  if (const cudaError_t error =
          cudaFuncSetAttribute(product_tiles, cudaFuncAttributeMaxDynamicSharedMemorySize, shared_bytes);
      error != cudaSuccess)
    return error;
  product_tiles<<<product.side * product.side, threads, shared_bytes, stream>>>(
      product, launch, static_cast<const __nv_bfloat16*>(a), static_cast<const __nv_bfloat16*>(b), results);
  return cudaGetLastError();
}

}  // namespace mlc
