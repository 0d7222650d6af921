#include "kernels/tile.cuh"

namespace mlc {

namespace {

using namespace tile;

__device__ void fill_halves(Shared& shared, const Spec& spec) {
  for (int i = threadIdx.x; i < rows * depth; i += threads)
    shared.halves.a[i] = __float2bfloat16(static_cast<float>(input_a(spec, i / depth, i % depth)));
  for (int i = threadIdx.x; i < columns * depth; i += threads)
    shared.halves.b[i] = __float2bfloat16(static_cast<float>(input_b(spec, i / depth, i % depth)));
}

__device__ void fill_bytes(Shared& shared, const Spec& spec) {
  for (int i = threadIdx.x; i < rows * depth; i += threads)
    shared.bytes.a[i] = e4m3(fp8_input(input_a(spec, i / depth, i % depth)));
  for (int i = threadIdx.x; i < columns * depth; i += threads)
    shared.bytes.b[i] = e4m3(fp8_input(input_b(spec, i / depth, i % depth)));
}

__device__ Digest multiply_on_tensor_cores(Shared& shared, int rounds) {
  TensorSums sums;
  for (int round = 0; round < rounds; ++round)
    sums.add_product(shared);
  __syncthreads();
  sums.store(shared);
  __syncthreads();
  return digest_of_result(shared);
}

// Four elements of a line, from element k on.
__device__ std::uint32_t four(const std::uint8_t* matrix, int line, int k) {
  return *reinterpret_cast<const std::uint32_t*>(matrix + line * depth + k);
}

__device__ Digest multiply_fp8(const Shared& shared, int rounds) {
  constexpr int down = 2, across = 4;  // instructions side by side: 32 x 32 results
  const int group = threadIdx.x % 32 / 4, quad = threadIdx.x % 4, warp = threadIdx.x / 32;
  const int row = warp / 2 * warp_rows + group;
  Digest mine;
  for (int part = 0; part < warp_columns; part += across * 8) {
    const int column = warp % 2 * warp_columns + part;
    float total[down][across][4] = {};
    for (int round = 0; round < rounds; ++round) {
      float sum[down][across][4] = {};
      for (int k = quad * 4; k < depth; k += 32) {
        std::uint32_t a[down][4], b[across][2];
        for (int i = 0; i < down; ++i)
          for (int at = 0; at < 4; ++at)
            a[i][at] = four(shared.bytes.a, row + i * 16 + at % 2 * 8, k + at / 2 * 16);
        for (int j = 0; j < across; ++j)
          for (int at = 0; at < 2; ++at)
            b[j][at] = four(shared.bytes.b, column + j * 8 + group, k + at * 16);
        for (int i = 0; i < down; ++i)
          for (int j = 0; j < across; ++j)
            multiply_e4m3(sum[i][j], a[i], b[j]);
      }
      for (int i = 0; i < down; ++i)
        for (int j = 0; j < across; ++j)
          for (int at = 0; at < 4; ++at)
            total[i][j][at] += sum[i][j][at];
    }
    for (int i = 0; i < down; ++i)
      for (int j = 0; j < across; ++j)
        for (int at = 0; at < 4; ++at)
          mine.add((row + i * 16 + at / 2 * 8) * columns + column + j * 8 + quad * 2 + at % 2,
                   __float_as_uint(total[i][j][at]));
  }
  return mine;
}

__device__ Digest multiply_on_fp32_units(const Shared& shared, int rounds) {
  Digest mine;
  for (int i = threadIdx.x; i < rows * columns; i += threads) {
    float sum = 0;
    for (int round = 0; round < rounds; ++round)
      for (int k = 0; k < depth; ++k)
        sum = fmaf(__bfloat162float(shared.halves.a[i / columns * depth + k]),
                   __bfloat162float(shared.halves.b[i % columns * depth + k]), sum);
    mine.add(i, __float_as_uint(sum));
  }
  return mine;
}

// Read by other threads than wrote it, over all banks: 4099 is prime, so it visits every word once.
__device__ Digest shared_memory(Shared& shared, const Spec& spec) {
  for (int i = threadIdx.x; i < shared_words; i += threads)
    shared.words[i] = shared_element(spec, i);
  __syncthreads();
  Digest mine;
  for (int i = threadIdx.x; i < shared_words; i += threads) {
    const int other = static_cast<int>(static_cast<unsigned>(i) * 4099u % shared_words);
    mine.add(other, shared.words[other]);
  }
  return mine;
}

__device__ Digest integers(const Spec& spec) {
  Digest mine;
  for (int i = threadIdx.x; i < integer_elements; i += threads)
    mine.add(i, integer_element(spec, i));
  return mine;
}

template <Engine engine>
__device__ Digest compute(Shared& shared, const Spec& spec) {
  if constexpr (engine == Engine::integer) return integers(spec);
  if constexpr (engine == Engine::shared) return shared_memory(shared, spec);
  if constexpr (engine == Engine::fp8)
    fill_bytes(shared, spec);
  else
    fill_halves(shared, spec);
  __syncthreads();
  if constexpr (engine == Engine::tensor) return multiply_on_tensor_cores(shared, spec.rounds);
  if constexpr (engine == Engine::fp8) return multiply_fp8(shared, spec.rounds);
  return multiply_on_fp32_units(shared, spec.rounds);
}

template <Engine engine>
__global__ void __launch_bounds__(threads) tiles(Spec spec, int repeats, Result* results) {
  extern __shared__ __align__(128) unsigned char raw[];
  Shared& shared = *reinterpret_cast<Shared*>(raw);
  for (int repeat = 0; repeat < repeats; ++repeat) {
    if (threadIdx.x == 0) shared.sum = 0, shared.parity = 0;
    __syncthreads();
    add_to_digest(shared, compute<engine>(shared, spec_of(spec, repeat)));
    __syncthreads();
    if (threadIdx.x == 0)
      results[static_cast<std::uint64_t>(repeat) * gridDim.x + blockIdx.x] = {
          this_sm(), static_cast<std::uint32_t>(repeat), {shared.sum, shared.parity}};
    __syncthreads();
  }
}

template <Engine engine>
cudaError_t launch(const Spec& spec, int repeats, int blocks, int shared_bytes, Result* results,
                   cudaStream_t stream) {
  if (const cudaError_t error =
          cudaFuncSetAttribute(tiles<engine>, cudaFuncAttributeMaxDynamicSharedMemorySize, shared_bytes);
      error != cudaSuccess)
    return error;
  tiles<engine><<<blocks, threads, shared_bytes, stream>>>(spec, repeats, results);
  return cudaGetLastError();
}

}  // namespace

cudaError_t launch_tiles(Engine engine, const Spec& spec, int repeats, int blocks, int shared_bytes,
                         Result* results, cudaStream_t stream) {
  switch (engine) {
    case Engine::tensor:
      return launch<Engine::tensor>(spec, repeats, blocks, shared_bytes, results, stream);
    case Engine::fp8:
      return launch<Engine::fp8>(spec, repeats, blocks, shared_bytes, results, stream);
    case Engine::fma:
      return launch<Engine::fma>(spec, repeats, blocks, shared_bytes, results, stream);
    case Engine::integer:
      return launch<Engine::integer>(spec, repeats, blocks, shared_bytes, results, stream);
    case Engine::shared:
      return launch<Engine::shared>(spec, repeats, blocks, shared_bytes, results, stream);
    case Engine::product:
      break;  // launch_product_tiles
  }
  return cudaErrorInvalidValue;
}

}  // namespace mlc
