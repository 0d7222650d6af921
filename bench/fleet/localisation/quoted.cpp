#include "bench/fleet/localisation/quoted.hpp"

#include <algorithm>
#include <array>
#include <cmath>

namespace mlc::fleet {

namespace {

constexpr int shipped_from = 64;  // smaller ones are simulated with one fault each

}  // namespace

std::span<const QuotedFigures> quoted_figures() {
  static constexpr std::array<QuotedFigures, 10> lines{{
      {.nodes = 2,
       .trials = 1000,
       .seed = 200,
       .missed = 1000,
       .silent = 0,
       .faults = 1000,
       .accused = 0,
       .node_campaigns = 2000},
      {.nodes = 3,
       .trials = 1000,
       .seed = 200,
       .missed = 2,
       .silent = 0,
       .faults = 1000,
       .accused = 0,
       .node_campaigns = 3000},
      {.nodes = 4,
       .trials = 1000,
       .seed = 200,
       .missed = 3,
       .silent = 0,
       .faults = 1000,
       .accused = 0,
       .node_campaigns = 4000},
      {.nodes = 5,
       .trials = 1000,
       .seed = 200,
       .missed = 1,
       .silent = 0,
       .faults = 1000,
       .accused = 0,
       .node_campaigns = 5000},
      {.nodes = 8,
       .trials = 1000,
       .seed = 200,
       .missed = 0,
       .silent = 0,
       .faults = 1000,
       .accused = 0,
       .node_campaigns = 8000},
      {.nodes = 64,
       .trials = 1000,
       .seed = 301,
       .missed = 0,
       .silent = 0,
       .faults = 441,
       .accused = 0,
       .node_campaigns = 64000},
      {.nodes = 256,
       .trials = 500,
       .seed = 301,
       .missed = 1,
       .silent = 0,
       .faults = 1139,
       .accused = 1,
       .node_campaigns = 128000},
      {.nodes = 1024,
       .trials = 100,
       .seed = 302,
       .missed = 8,
       .silent = 0,
       .faults = 944,
       .accused = 0,
       .node_campaigns = 102400},
      {.nodes = 4096,
       .trials = 10,
       .seed = 303,
       .missed = 6,
       .silent = 0,
       .faults = 355,
       .accused = 0,
       .node_campaigns = 40960},
      {.nodes = 16384,
       .trials = 2,
       .seed = 304,
       .missed = 21,
       .silent = 0,
       .faults = 293,
       .accused = 0,
       .node_campaigns = 32768},
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
         (line.nodes < shipped_from ? "one fault each" : "2 % of them at fault") + ": missed " +
         of(line.missed, line.faults) + " faults, " + std::to_string(line.silent) + " on no list, accused " +
         of(line.accused, line.node_campaigns) + " healthy nodes (docs/fleet.md)" +
         (line.nodes == nodes ? ""
                              : "; of " + std::to_string(nodes) + ": mlc-bench fleet --simulate --nodes " +
                                    std::to_string(nodes));
}

}  // namespace mlc::fleet
