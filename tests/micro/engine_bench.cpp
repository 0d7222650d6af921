// What the tool itself costs outside timed regions: statistics, the sequential test, rendering a large
// report.
#include <benchmark/benchmark.h>

#include <random>

#include "bench/stats/sequential_test.hpp"
#include "bench/stats/statistics.hpp"
#include "reports/faces/csv.hpp"
#include "reports/faces/prometheus.hpp"
#include "reports/faces/terminal.hpp"
#include "reports/record/json.hpp"

namespace mlc {
namespace {

void summary(benchmark::State& state) {
  std::mt19937_64 random(1);
  std::vector<double> samples(static_cast<std::size_t>(state.range(0)));
  for (double& x : samples)
    x = std::normal_distribution<double>(1, 0.1)(random);
  for (auto _ : state)
    benchmark::DoNotOptimize(summarise(samples));
  state.SetItemsProcessed(state.iterations() * state.range(0));
}
BENCHMARK(summary)->Arg(100)->Arg(10'000);

void sequential(benchmark::State& state) {
  std::mt19937_64 random(2);
  std::uint64_t samples = 0, reached = 0;
  for (auto _ : state) {
    reached += std::normal_distribution<double>(1, 0.1)(random) >= 1 ? 1 : 0;
    benchmark::DoNotOptimize(sign_test(reached, ++samples, 1e-3, 1e-2));
  }
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(sequential);

Report large() {
  Report report;
  for (int i = 0; i < 10'000; ++i)
    report.series.push_back({.collective = "allreduce",
                             .dtype = "float",
                             .redop = "sum",
                             .bytes = 1024u * static_cast<unsigned>(i + 1),
                             .ranks = 8,
                             .samples = 100,
                             .time_us = {1, 2, 3, 4, 5},
                             .ci_us = {1.9, 2.1},
                             .cv = 0.1,
                             .algbw_gb_s = 10,
                             .busbw_gb_s = 17.5,
                             .wrong = 0,
                             .stop = "precise"});
  return report;
}

template <auto Render>
void rendering(benchmark::State& state) {
  const Report report = large();
  for (auto _ : state)
    benchmark::DoNotOptimize(Render(report));
}
BENCHMARK(rendering<to_json>)->Name("10000_series/json")->Unit(benchmark::kMillisecond);
BENCHMARK(rendering<to_csv>)->Name("10000_series/csv")->Unit(benchmark::kMillisecond);
BENCHMARK(rendering<to_prometheus>)->Name("10000_series/prometheus")->Unit(benchmark::kMillisecond);
BENCHMARK(rendering<[](const Report& report) { return to_text(report, {}); }>)
    ->Name("10000_series/text")
    ->Unit(benchmark::kMillisecond);
void parsing(benchmark::State& state) {
  const std::string text = to_json(large());
  for (auto _ : state)
    benchmark::DoNotOptimize(report_from_json(text));
}
BENCHMARK(parsing)->Name("10000_series/json_back")->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace mlc

BENCHMARK_MAIN();
