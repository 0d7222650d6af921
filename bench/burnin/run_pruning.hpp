// Which runs of a state folder have had their time: a node is tested for years, and its disk is somebody
// else's.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace mlc {

struct KeptRun {
  std::string name;
  double age_s = 0;  // since it was last written; below zero where the clock was set back
  std::uint64_t bytes = 0;
};

struct KeepRuns {
  double age_s = 60 * 86400.0;
  std::uint64_t bytes = 2ull << 30;  // of all that are kept
  // Whatever their age and size: the fabric stage goes by the last run on the node, and a person asks about
  // the last few.
  std::size_t newest = 5;
};

// Never `current`. Pure.
std::vector<std::string> runs_to_prune(std::vector<KeptRun> runs, const std::string& current,
                                       const KeepRuns& keep = {});

// Removes them, but for those that another process is at. What cannot be removed is left: no run fails for
// it. How many went.
std::size_t prune_runs(const std::string& state, const std::string& current, const KeepRuns& keep = {});

}  // namespace mlc
