// What simulation says of a campaign of about this size: how often it is right. Pure.
#pragma once

#include <cstdint>
#include <span>
#include <string>

namespace mlc::fleet {

// A line of docs/fleet.md, "Figures", as campaigns ship; of those with fewer than 64 nodes, one fault in each
// and nothing known of the fabric. A test holds them against the page.
struct QuotedFigures {
  int nodes = 0;
  int trials = 0, seed = 0;
  std::uint64_t missed = 0, silent = 0, faults = 0;  // no node FAULTY for them; on no list
  std::uint64_t accused = 0, node_campaigns = 0;     // healthy nodes that were FAULTY
};

std::span<const QuotedFigures> quoted_figures();

// Of the simulated size that is nearest: "by simulation of 64 nodes, 2 % of them at fault, every uplink
// known: missed 0 of 441 faults, 0 on no list, accused 0 of 64000 healthy nodes (docs/fleet.md); of 48:
// mlc-bench fleet --simulate
// --nodes 48".
std::string simulated_text(int nodes);

}  // namespace mlc::fleet
