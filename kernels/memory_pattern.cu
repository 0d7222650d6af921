#include "kernels/burnin.hpp"
#include "kernels/slices.cuh"

namespace mlc {

namespace {

__device__ std::uint32_t this_sm() {
  std::uint32_t sm;
  asm volatile("mov.u32 %0, %%smid;" : "=r"(sm));
  return sm;
}

// Only where a word is wrong: the log is in host memory, far away.
__device__ void note_error(memory::ErrorLog* log, const memory::Error& error) {
  atomicAdd(&log->wrong, 1ull);
  atomicMin(&log->first, static_cast<unsigned long long>(error.index));
  const std::uint64_t flipped = error.expected ^ error.got;
  for (int bit = 0; bit < 64; ++bit)
    if (flipped >> bit & 1) atomicAdd(&log->flipped[bit], 1ull);
  for (int bit = 0; bit < memory::address_bits; ++bit)
    if (error.index >> bit & 1) atomicAdd(&log->address[bit], 1ull);
  const unsigned int slot = atomicAdd(&log->kept, 1u);
  if (slot < memory::most_errors) log->error[slot] = error;
}

// Two words a thread and step: one access of 16 bytes.
__global__ void sweep_words(memory::Sweep sweep, ulonglong2* data, std::uint64_t pairs, std::uint64_t first,
                            std::uint32_t round, memory::ErrorLog* log) {
  const std::uint64_t stride = static_cast<std::uint64_t>(gridDim.x) * blockDim.x;
  for (std::uint64_t n = static_cast<std::uint64_t>(blockIdx.x) * blockDim.x + threadIdx.x; n < pairs;
       n += stride) {
    const std::uint64_t i = sweep.down ? pairs - 1 - n : n;
    const bool reads = sweep.step == memory::Step::check || sweep.step == memory::Step::check_and_invert;
    const bool partial =
        sweep.step == memory::Step::write_marked || sweep.step == memory::Step::write_unmarked;
    ulonglong2 pair{};
    if (reads || partial) pair = data[i];
    std::uint64_t words[2] = {pair.x, pair.y};
    for (int half = 0; half < 2; ++half) {
      const std::uint64_t index = first + 2 * i + half;
      memory::visit(sweep, &words[half], index, [&](std::uint64_t expected, std::uint64_t got) {
        note_error(log, {.index = index,
                         .expected = expected,
                         .got = got,
                         .sm = this_sm(),
                         .round = round,
                         .spec = sweep.spec,
                         .down = sweep.down});
      });
    }
    if (sweep.step != memory::Step::check) data[i] = {words[0], words[1]};
  }
}

__global__ void reread_words(const std::uint64_t* data, std::uint64_t words, std::uint64_t first, int attempt,
                             memory::ErrorLog* log) {
  const unsigned int kept = min(log->kept, static_cast<unsigned int>(memory::most_errors));
  for (unsigned int i = blockIdx.x * blockDim.x + threadIdx.x; i < kept; i += gridDim.x * blockDim.x) {
    memory::Error& error = log->error[i];
    if (error.reread || error.index < first || error.index >= first + words) continue;
    // Not from the first-level cache.
    error.again[attempt] = *static_cast<const volatile std::uint64_t*>(data + (error.index - first));
    if (attempt == 2) error.reread = true;
  }
}

}  // namespace

cudaError_t launch_sweep(const memory::Sweep& sweep, std::uint64_t* data, std::uint64_t words,
                         std::uint64_t first, std::uint32_t round, memory::ErrorLog* log,
                         cudaStream_t stream) {
  if (words < 2) return cudaSuccess;
  sweep_words<<<gpu::blocks_for(words / 2), gpu::threads, 0, stream>>>(
      sweep, reinterpret_cast<ulonglong2*>(data), words / 2, first, round, log);
  return cudaGetLastError();
}

cudaError_t launch_reread(const std::uint64_t* data, std::uint64_t words, std::uint64_t first, int attempt,
                          memory::ErrorLog* log, cudaStream_t stream) {
  reread_words<<<16, gpu::threads, 0, stream>>>(data, words, first, attempt, log);
  return cudaGetLastError();
}

}  // namespace mlc
