// How fast the faces are. The aims: HTML of 10,000 series under 1 s, comparison of two such under 200 ms,
// history of 1,000 nodes x 365 days under 10 s and 1 GB. Run it by hand: nothing here can fail.
#include <benchmark/benchmark.h>
#include <sys/resource.h>
#include <unistd.h>

#include <filesystem>

#include "reports/faces/comparison_faces.hpp"
#include "reports/faces/history_faces.hpp"
#include "reports/faces/html.hpp"
#include "reports/history/history_store.hpp"
#include "reports/record/json.hpp"
#include "tests/reports/sample_history.hpp"
#include "tests/reports/sample_report.hpp"

namespace mlc {
namespace {

double peak_mb() {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  return static_cast<double>(usage.ru_maxrss) * 1024 / 1e6;  // Linux counts KiB
}

void html_of_10000_series(benchmark::State& state) {
  const Report report = test::sweep_report(10'000);
  std::size_t bytes = 0;
  for (auto _ : state)
    bytes = to_html(report).size();
  state.counters["MB"] = static_cast<double>(bytes) / 1e6;
}
BENCHMARK(html_of_10000_series)->Unit(benchmark::kMillisecond);

void html_of_512_nodes(benchmark::State& state) {
  const Report report = test::fleet_report(512);
  std::size_t bytes = 0;
  for (auto _ : state)
    bytes = to_html(report).size();
  state.counters["MB"] = static_cast<double>(bytes) / 1e6;
}
BENCHMARK(html_of_512_nodes)->Unit(benchmark::kMillisecond);

void compare_10000_series(benchmark::State& state) {
  const Report base = test::sweep_report(10'000);
  Report next = base;
  for (std::size_t i = 0; i < next.series.size(); i += 7)
    next.series[i].time_us.p50 *= 1.01;
  for (auto _ : state)
    benchmark::DoNotOptimize(compare(base, next));
}
BENCHMARK(compare_10000_series)->Unit(benchmark::kMillisecond);

// From the text of both reports to the text of the answer.
void compare_10000_series_from_json(benchmark::State& state) {
  const std::string text = to_json(test::sweep_report(10'000));
  for (auto _ : state)
    benchmark::DoNotOptimize(to_text(compare(report_from_json(text), report_from_json(text))));
}
BENCHMARK(compare_10000_series_from_json)->Unit(benchmark::kMillisecond);

// From the store to the page: 1,000 nodes, 365 days, a collective and four rails.
void history_of_1000_nodes_365_days(benchmark::State& state) {
  const auto path =
      std::filesystem::temp_directory_path() / ("mlc-speed-" + std::to_string(::getpid()) + ".db");
  test::FleetPlan plan = test::eventful_fleet();
  plan.nodes = 1000;
  plan.days = 365;
  {
    HistoryStore store(path, HistoryStore::Mode::write);
    std::vector<HistoryRun> batch;
    test::each_run(plan, [&](HistoryRun&& run) {
      batch.push_back(std::move(run));
      if (batch.size() < 5000) return;
      store.add(batch);
      batch.clear();
    });
    store.add(batch);
  }
  std::size_t events = 0;
  for (auto _ : state) {
    History history;
    HistoryStore(path, HistoryStore::Mode::read).read(history);
    history.sort();
    const HistoryResult result = analyse(history);
    events = result.events.size();
    benchmark::DoNotOptimize(to_html(result));
  }
  state.counters["events"] = static_cast<double>(events);
  state.counters["peak_MB"] = peak_mb();
  state.counters["store_MB"] = static_cast<double>(std::filesystem::file_size(path)) / 1e6;
  std::filesystem::remove(path);
}
BENCHMARK(history_of_1000_nodes_365_days)->Unit(benchmark::kMillisecond)->Iterations(1);

}  // namespace
}  // namespace mlc

BENCHMARK_MAIN();
