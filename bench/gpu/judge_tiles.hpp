// Which SM of which GPU computes something else than the rest: silent data corruption, found by a vote and
// against the host's own result. Pure.
#pragma once

#include <functional>
#include <span>
#include <string>
#include <vector>

#include "kernels/tile.hpp"
#include "reports/record/finding.hpp"

namespace mlc {

struct TileTable {
  std::string subject;  // "GPU 3 (0000:1b:00.0)"
  int sms = 0;
  std::vector<tile::Result> results;  // of one engine
};

// One finding a GPU. Every SM must have been seen and every digest must be the golden one. Where most SMs of
// all GPUs agree with each other on another value, the host is the suspect, and the finding is unknown.
std::vector<Finding> judge_tiles(tile::Engine engine, const tile::Spec& spec,
                                 std::span<const TileTable> tables);

}  // namespace mlc
