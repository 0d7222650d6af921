// The rest of nccl-tests' command line, so that it works here with the program's name replaced: what means
// something here, what asks for what is done anyway, and why not where neither is so.
#pragma once

#include <CLI/CLI.hpp>
#include <optional>
#include <string>
#include <vector>

namespace mlc {

struct NcclTestsOptions {
  std::optional<int> threads, gpus;  // -t, -g of a process
  std::optional<int> cycles;         // -N
  int aggregate = 1;                 // -m: operations in a group call
  int skipped = 0;                   // -K: iterations before those that count
  int unaligned = 0;                 // -u: elements
  int cta_policy = 0;                // -x
  std::string json;                  // -J

  void add_to(CLI::App& command);

  // Throws UsageError for a flag's value that asks for what is not done here, and for groups of ranks that
  // the environment asks for.
  void check(const std::string& backend) const;

  // GPUs of a process, over all its threads; empty: not asked.
  std::optional<int> ranks_per_process() const;

 private:
  std::vector<std::pair<const struct NcclTestsFlag*, int>> given_;
};

}  // namespace mlc
