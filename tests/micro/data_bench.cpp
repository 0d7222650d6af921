// Generator and verifier against memcpy of the same buffer. Bytes per second count the buffer once.
#include <benchmark/benchmark.h>

#include <cstring>
#include <vector>

#include "kernels/host_pattern.hpp"

namespace mlc {
namespace {

constexpr std::size_t buffer_bytes = 64 << 20;  // beyond every cache

void copy(benchmark::State& state) {
  std::vector<std::byte> from(buffer_bytes, std::byte{1}), to(buffer_bytes);
  for (auto _ : state) {
    std::memcpy(to.data(), from.data(), buffer_bytes);
    benchmark::DoNotOptimize(to.data());
  }
  state.SetBytesProcessed(static_cast<std::int64_t>(state.iterations() * buffer_bytes));
}
BENCHMARK(copy)->Name("memcpy");

void generate(benchmark::State& state, Dtype dtype, pattern::Op op) {
  std::vector<std::byte> data(buffer_bytes);
  for (auto _ : state) {
    fill(data.data(), buffer_bytes / static_cast<std::size_t>(width_of(dtype)), {dtype, op, {1, 1, 8}, 3, 0});
    benchmark::DoNotOptimize(data.data());
  }
  state.SetBytesProcessed(static_cast<std::int64_t>(state.iterations() * buffer_bytes));
}

void check(benchmark::State& state, Dtype dtype, pattern::Op op) {
  std::vector<std::byte> data(buffer_bytes);
  const std::size_t count = buffer_bytes / static_cast<std::size_t>(width_of(dtype));
  const DataSpec spec{dtype, op, {1, 1, 1}, 0, 0};  // one rank: its contribution is the expected result
  fill(data.data(), count, spec);
  for (auto _ : state)
    if (verify(data.data(), count, spec).wrong != 0) state.SkipWithError("wrong data");
  state.SetBytesProcessed(static_cast<std::int64_t>(state.iterations() * buffer_bytes));
}

const bool registered = [] {
  for (Dtype dtype : {Dtype::float32, Dtype::bfloat16, Dtype::float64, Dtype::int32, Dtype::fp8_e4m3})
    for (const auto& [op, name] :
         {std::pair{pattern::Op::copy, "copy"}, std::pair{pattern::Op::sum, "sum"}}) {
      const std::string what = std::string(to_string(dtype)) + "/" + name;
      benchmark::RegisterBenchmark(("generate/" + what).c_str(),
                                   [dtype, op](benchmark::State& state) { generate(state, dtype, op); });
      benchmark::RegisterBenchmark(("verify/" + what).c_str(),
                                   [dtype, op](benchmark::State& state) { check(state, dtype, op); });
    }
  return true;
}();

}  // namespace
}  // namespace mlc

BENCHMARK_MAIN();
