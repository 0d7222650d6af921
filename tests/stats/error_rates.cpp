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

// Thousandths, as they were counted.
void print_share(int count, int nodes) {
  if (count == 0)
    std::printf("| 0 ");
  else
    std::printf("| %.2g ", static_cast<double>(count) / nodes);
}

void print_row(const Noise& noise, const std::vector<Cell>& cells, int nodes) {
  std::printf("| %s ", noise.name.c_str());
  for (const auto& cell : cells) {
    print_share(cell.bad.passed, nodes);
    if (noise.only_bad) {
      std::printf("| | | %.3g ", cell.bad.seconds);
      continue;
    }
    print_share(cell.good.failed, nodes);
    print_share(nodes - cell.good.passed - cell.good.failed, nodes);
    std::printf("| %.3g ", cell.good.seconds);
  }
  std::printf("|\n");
  std::fflush(stdout);  // a row takes minutes, and whoever stops it keeps those that are done
}

}  // namespace

int main(int argc, char** argv) {
  const int nodes = argc > 1 ? std::atoi(argv[1]) : 5000;
  if (nodes <= 0) return 64;
  const auto noises = all_noises();
  const Procedure procedures[] = {quick(), one_launch(), admission()};
  std::printf("| noise |");
  for (const auto& procedure : procedures)
    std::printf(" %s: bad passes | good fails | good inconclusive | seconds |", procedure.name.c_str());
  std::printf("\n|---|");
  for (std::size_t i = 0; i < 4 * std::size(procedures); ++i)
    std::printf("---|");
  std::printf("\n");
  for (std::size_t n = 0; n < noises.size(); ++n) {
    std::vector<Cell> cells(std::size(procedures));
    std::vector<std::thread> threads;
    for (std::size_t p = 0; p < cells.size(); ++p)
      threads.emplace_back([&, p] {
        const auto seed = n * cells.size() + p;
        cells[p].bad = simulate(noises[n], procedures[p], -2, nodes, 2 * seed + 1);
        if (!noises[n].only_bad) cells[p].good = simulate(noises[n], procedures[p], 2, nodes, 2 * seed + 2);
      });
    for (auto& thread : threads)
      thread.join();
    print_row(noises[n], cells, nodes);
  }
}
