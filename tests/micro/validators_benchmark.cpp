// How long all checks take: on the healthy node of four rails with 8 VFs each (to stay under 100 ms), and
// with 512 VFs (under 500 ms). Run it by hand; nothing asserts a time, since machines differ.
#include <benchmark/benchmark.h>

#include "tests/validators/built_node.hpp"
#include "validators/checks/all.hpp"
#include "validators/checks/validate.hpp"

namespace {

void all_checks_on(benchmark::State& state, int vfs_per_pf) {
  const mlc::test::BuiltNode node(vfs_per_pf);
  const mlc::Policy policy = mlc::test::h100_policy();
  const std::string directory = node.root() + "-captured";
  node.write(directory, policy);
  // As `validate --root DIR`: the node file is read and every file is opened anew, nothing is kept from the
  // last time.
  std::size_t findings = 0;
  for (auto _ : state)
    findings = mlc::validate(mlc::captured_host(directory), policy, mlc::all_checks()).size();
  state.counters["findings"] = static_cast<double>(findings);
  std::filesystem::remove_all(directory);
}

void captured_node(benchmark::State& state) { all_checks_on(state, 8); }
void captured_node_512_vfs(benchmark::State& state) { all_checks_on(state, 128); }

BENCHMARK(captured_node)->Unit(benchmark::kMillisecond)->UseRealTime();
BENCHMARK(captured_node_512_vfs)->Unit(benchmark::kMillisecond)->UseRealTime();

}  // namespace

BENCHMARK_MAIN();
