#include "bench/fleet/localisation/quoted.hpp"

#include <algorithm>
#include <array>
#include <cmath>

namespace mlc::fleet {

namespace {

constexpr int shipped_from = 64;  // smaller ones are simulated with one fault each

}  // namespace

std::span<const QuotedFigures> quoted_figures() {
  // nodes, trials, seed, missed, silent, of faults, accused, of healthy nodes
  static constexpr std::array<QuotedFigures, 10> lines{{
      {2, 1000, 200, 1000, 0, 1000, 0, 2000},
      {3, 1000, 200, 2, 0, 1000, 0, 3000},
      {4, 1000, 200, 3, 0, 1000, 0, 4000},
      {5, 1000, 200, 1, 0, 1000, 0, 5000},
      {8, 1000, 200, 0, 0, 1000, 0, 8000},
      {64, 1000, 301, 0, 0, 441, 0, 64000},
      {256, 500, 301, 1, 0, 1139, 1, 128000},
      {1024, 100, 302, 8, 0, 944, 0, 102400},
      {4096, 10, 303, 6, 0, 355, 0, 40960},
      {16384, 2, 304, 21, 0, 293, 0, 32768},
  }};
  return lines;
}

std::string simulated_text(int nodes) {
  const auto away = [&](const QuotedFigures& line) {
    return std::abs(std::log(line.nodes) - std::log(std::max(nodes, 1)));
  };
  const auto lines = quoted_figures();
  const QuotedFigures& line = *std::ranges::min_element(lines, {}, away);
  const auto of = [](std::uint64_t count, std::uint64_t all) {
    return std::to_string(count) + " of " + std::to_string(all);
  };
  return "by simulation of " + std::to_string(line.nodes) + " nodes, " +
         (line.nodes < shipped_from ? "one fault each, no leaf known"
                                    : "2 % of them at fault, every uplink known") +
         ": missed " + of(line.missed, line.faults) + " faults, " + std::to_string(line.silent) +
         " on no list, accused " + of(line.accused, line.node_campaigns) + " healthy nodes (docs/fleet.md)" +
         (line.nodes == nodes ? ""
                              : "; of " + std::to_string(nodes) + ": mlc-bench fleet --simulate --nodes " +
                                    std::to_string(nodes));
}

}  // namespace mlc::fleet
