// Nodes that are not there, over noise of all kinds, judged by the program's own judge: how often a bad one
// passes, and a good one fails.
#pragma once

#include <functional>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "bench/stats/judging.hpp"

namespace mlc::simulation {

using Random = std::mt19937_64;

// One iteration as the clock shows it.
struct Iteration {
  double seconds = 0, wait_s = 0;  // wait: after it, of no iteration
};

// How one node misbehaves. Times are under load, through all launches.
class Machine {
 public:
  virtual ~Machine() = default;
  virtual void launch() {}                    // communicators are made anew
  virtual double deviation(double at_s) = 0;  // of the rate, relative to the node's level
  virtual Iteration shown(double, double true_s) { return {true_s, 0}; }
};

struct Noise {
  std::string name;
  double sd = 0.01;  // of one iteration's rate over all launches, relative: what "standard deviations" counts
  std::function<std::unique_ptr<Machine>(Random&)> make;
  bool only_bad = false;  // a node with it is bad, whatever its median
};

std::vector<Noise> all_noises();

// How a node is judged: once and quickly, or in launches of a time of observation each.
struct Procedure {
  std::string name;
  double observe_s = 0;
  int launches = 1;
};

Procedure quick();
Procedure one_launch();  // --admission typed by hand
Procedure admission();   // what a burn-in does

struct Rates {
  int nodes = 0, passed = 0, failed = 0;
  double seconds = 0;  // mean time under load
};

// `margin`: the node's level over the bound in standard deviations. Deterministic for a seed.
Rates simulate(const Noise& noise, const Procedure& procedure, double margin, int nodes, std::uint64_t seed);

}  // namespace mlc::simulation
