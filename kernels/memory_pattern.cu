#include "kernels/burnin.hpp"
#include "kernels/ptx.cuh"
#include "kernels/slices.cuh"

namespace mlc {

namespace {

// Only where a word is wrong: the log is in host memory, far away. Called, so that the sweeps' own registers
// are for what is right.
__device__ __attribute__((noinline)) bool note_error(memory::ErrorLog* log, const memory::Error& error) {
  atomicAdd(&log->wrong, 1ull);
  atomicMin(&log->first, static_cast<unsigned long long>(error.index));
  const std::uint64_t flipped = error.expected ^ error.got;
  for (int bit = 0; bit < 64; ++bit)
    if (flipped >> bit & 1) atomicAdd(&log->flipped[bit], 1ull);
  for (int bit = 0; bit < memory::address_bits; ++bit)
    if (error.index >> bit & 1) atomicAdd(&log->address[bit], 1ull);
  const unsigned int slot = atomicAdd(&log->kept, 1u);
  if (slot >= memory::most_errors) return false;
  log->error[slot] = error;
  return true;
}

// Two words a thread and step: one access of 16 bytes. Which pattern and what is done with it are the
// kernel's own, so that no word goes through a choice.
template <memory::Pattern pattern, memory::Step step>
__global__ void sweep_words(memory::Sweep sweep, ulonglong2* data, std::uint64_t pairs, std::uint64_t first,
                            std::uint32_t round, memory::ErrorLog* log) {
  sweep.spec.pattern = pattern, sweep.step = step;
  const std::uint64_t stride = static_cast<std::uint64_t>(gridDim.x) * blockDim.x;
  for (std::uint64_t n = static_cast<std::uint64_t>(blockIdx.x) * blockDim.x + threadIdx.x; n < pairs;
       n += stride) {
    const std::uint64_t i = sweep.down ? pairs - 1 - n : n;
    ulonglong2 pair{};
    if constexpr (step == memory::Step::check || step == memory::Step::check_and_invert) pair = data[i];
    std::uint64_t low = pair.x, high = pair.y;
    const auto visit = [&](std::uint64_t* at, std::uint64_t index) {
      return memory::visit(sweep, at, index, [&](std::uint64_t expected, std::uint64_t got) {
        return note_error(log, {.index = index,
                                .expected = expected,
                                .got = got,
                                .sm = this_sm(),
                                .round = round,
                                .spec = sweep.spec,
                                .down = sweep.down});
      });
    };
    const bool write_low = visit(&low, first + 2 * i), write_high = visit(&high, first + 2 * i + 1);
    // What is left is not written: a flip on the way here would become one of the cell.
    if constexpr (step != memory::Step::check) {
      if (write_low && write_high)
        data[i] = {low, high};
      else if (write_low)
        data[i].x = low;
      else if (write_high)
        data[i].y = high;
    }
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

struct Launch {
  memory::Sweep sweep;
  ulonglong2* data;
  std::uint64_t pairs, first;
  std::uint32_t round;
  memory::ErrorLog* log;
  cudaStream_t stream;
};

template <memory::Pattern pattern, memory::Step step>
cudaError_t launch(const Launch& l) {
  sweep_words<pattern, step><<<gpu::blocks_for(l.pairs), gpu::threads, 0, l.stream>>>(
      l.sweep, l.data, l.pairs, l.first, l.round, l.log);
  return cudaGetLastError();
}

template <memory::Pattern pattern>
cudaError_t launch_step(const Launch& l) {
  switch (l.sweep.step) {
    case memory::Step::write:
      return launch<pattern, memory::Step::write>(l);
    case memory::Step::write_marked:
      return launch<pattern, memory::Step::write_marked>(l);
    case memory::Step::write_unmarked:
      return launch<pattern, memory::Step::write_unmarked>(l);
    case memory::Step::check:
      return launch<pattern, memory::Step::check>(l);
    case memory::Step::check_and_invert:
      return launch<pattern, memory::Step::check_and_invert>(l);
  }
  return cudaErrorInvalidValue;
}

}  // namespace

cudaError_t launch_sweep(const memory::Sweep& sweep, std::uint64_t* data, std::uint64_t words,
                         std::uint64_t first, std::uint32_t round, memory::ErrorLog* log,
                         cudaStream_t stream) {
  if (words < 2) return cudaSuccess;
  const Launch l{sweep, reinterpret_cast<ulonglong2*>(data), words / 2, first, round, log, stream};
  switch (sweep.spec.pattern) {
    case memory::Pattern::own_address:
      return launch_step<memory::Pattern::own_address>(l);
    case memory::Pattern::walking_bit:
      return launch_step<memory::Pattern::walking_bit>(l);
    case memory::Pattern::switching:
      return launch_step<memory::Pattern::switching>(l);
    case memory::Pattern::random:
      return launch_step<memory::Pattern::random>(l);
    case memory::Pattern::modulo_20:
      return launch_step<memory::Pattern::modulo_20>(l);
  }
  return cudaErrorInvalidValue;
}

cudaError_t launch_reread(const std::uint64_t* data, std::uint64_t words, std::uint64_t first, int attempt,
                          memory::ErrorLog* log, cudaStream_t stream) {
  reread_words<<<16, gpu::threads, 0, stream>>>(data, words, first, attempt, log);
  return cudaGetLastError();
}

}  // namespace mlc
