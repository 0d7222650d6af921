// Prints docs/error_rates.md's table: error_rates [NODES]. With 5,000 nodes a cell (the default) that takes
// more than an hour; in a cell without an error the rate is below 6e-4 with 95 % confidence.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <iterator>
#include <thread>

#include "tests/stats/simulation.hpp"

using namespace mlc::simulation;

namespace {

struct Cell {
  Rates bad, good;
};

// Thousandths, as they were counted; "-": has no such node.
void print_share(int count, int nodes) {
  if (count == 0)
    std::printf("| 0 ");
  else
    std::printf("| %.2g ", static_cast<double>(count) / nodes);
}

}  // namespace

int main(int argc, char** argv) {
  const int nodes = argc > 1 ? std::atoi(argv[1]) : 5000;
  if (nodes <= 0) return 64;
  const auto noises = all_noises();
  const Procedure procedures[] = {quick(), one_launch(), admission()};
  std::vector<Cell> cells(noises.size() * std::size(procedures));
  std::vector<std::thread> threads;
  const unsigned workers = std::max(1u, std::thread::hardware_concurrency());
  for (unsigned worker = 0; worker < workers; ++worker)
    threads.emplace_back([&, worker] {
      for (std::size_t i = worker; i < cells.size(); i += workers) {
        const Noise& noise = noises[i / std::size(procedures)];
        const Procedure& procedure = procedures[i % std::size(procedures)];
        cells[i].bad = simulate(noise, procedure, -2, nodes, 2 * i + 1);
        if (!noise.only_bad) cells[i].good = simulate(noise, procedure, 2, nodes, 2 * i + 2);
      }
    });
  for (auto& thread : threads)
    thread.join();

  std::printf("| noise |");
  for (const auto& procedure : procedures)
    std::printf(" %s: bad passes | good fails | good inconclusive | seconds |", procedure.name.c_str());
  std::printf("\n|---|");
  for (std::size_t i = 0; i < 4 * std::size(procedures); ++i)
    std::printf("---|");
  for (std::size_t n = 0; n < noises.size(); ++n) {
    std::printf("\n| %s ", noises[n].name.c_str());
    for (std::size_t p = 0; p < std::size(procedures); ++p) {
      const Cell& cell = cells[n * std::size(procedures) + p];
      print_share(cell.bad.passed, nodes);
      if (noises[n].only_bad) {
        std::printf("| | | %.3g ", cell.bad.seconds);
        continue;
      }
      print_share(cell.good.failed, nodes);
      print_share(nodes - cell.good.passed - cell.good.failed, nodes);
      std::printf("| %.3g ", cell.good.seconds);
    }
    std::printf("|");
  }
  std::printf("\n");
}
