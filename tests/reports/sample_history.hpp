// A fleet's past: made up from a fixed seed, the same everywhere.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "reports/history/history.hpp"

namespace mlc::test {

// splitmix64 and Box-Muller: <random>'s distributions differ from library to library, golden output may not.
class Noise {
 public:
  explicit Noise(std::uint64_t seed) : state_(seed) {}
  double uniform();  // (0, 1)
  double normal();

 private:
  std::uint64_t state_;
};

struct FleetPlan {
  int nodes = 40;
  int days = 90;
  int rails = 4;
  double spread = 0.004;  // standard deviation of a reading
  std::uint64_t seed = 1;
  // Factor on the bandwidth of (node, rail, day); rail -1 is the collective.
  std::function<double(int, int, int)> factor = [](int, int, int) { return 1.0; };
  std::function<Versions(int, int)> versions = [](int, int) {
    return Versions{{"driver", "580.65.06"}, {"kernel", "6.1.0-28"}, {"policy", "h100-4x200g"}};
  };
};

std::string node_name(int node);
void each_run(const FleetPlan& plan, const std::function<void(HistoryRun&&)>& take);
History fleet_history(const FleetPlan& plan);

// Rail 2 of gpu-1007 loses 12 % on day 60 with a firmware change of that node; a driver change costs the
// whole fleet 5 % on day 40; gpu-1003 is slow in the last run.
FleetPlan eventful_fleet();

}  // namespace mlc::test
