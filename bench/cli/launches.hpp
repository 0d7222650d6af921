// Several launches of one measurement, one after the other, so that a comparison sees what launches differ
// by.
//
// Started bare on this machine, each launch is processes of their own: rank 0 of one leaves its series in a
// folder for rank 0 of the next, and the last says what all came to. Where the ranks were given (mpirun,
// srun, an MPIJob), are on other nodes, or are threads of this process, they stay, and make their
// communicators anew: which core, memory or port a process got is then the same in every launch, and is not
// seen.
#pragma once

#include <CLI/CLI.hpp>
#include <functional>
#include <optional>
#include <string>

#include "bench/ranks/launcher.hpp"
#include "reports/record/series.hpp"

namespace mlc {

struct LaunchOptions {
  std::optional<int> count;

  void add_to(CLI::App& command);
  int number(bool saved) const;  // `saved`: the report is kept as one to compare with
};

// Where a process stands among the launches.
struct LaunchPlace {
  int number = 1, of = 1;
  Renewed renewed = Renewed::nothing;
  std::string
      directory;  // where the launches leave their series; empty: this process goes through all of them

  bool last() const { return number == of; }
  std::string file(int launch) const;
};

// As the process that started this one says; else the first of `launches` to go through here.
LaunchPlace launch_place(int launches);

// What is said on the screen about several launches.
std::string launches_text(int launches, Renewed renewed, bool asked_for);

// Starts one launch after the other, with what tells each its place; ends with the first that has no verdict.
LaunchResult one_after_the_other(int launches, const std::function<LaunchResult(const Variables&)>& start);

}  // namespace mlc
