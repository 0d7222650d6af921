// What a campaign's decoding costs its coordinator, on one core: processor time of the longest round and of
// all, and the most memory. The aim is under 5 s a round and 500 MB at 16,384 nodes. usage: fleet_bench
// [NODES [FAULTS]]
#include <sys/resource.h>

#include <cstdio>
#include <cstdlib>
#include <ctime>

#include "bench/fleet/localisation/campaign.hpp"
#include "bench/fleet/localisation/world.hpp"

namespace {

using namespace mlc::fleet;

void measure(int nodes, double faults) {
  WorldKnobs knobs;
  knobs.nodes = nodes, knobs.faults = faults;
  World world(knobs, 1);
  world.plant_faults();
  Campaign campaign({.seed = 1, .id = 1, .rules = {}, .watched = {}}, world.topology());
  double all = 0, longest = 0;
  while (!campaign.ended()) {
    const auto results = world.measure(1, campaign.round(), campaign.planned());
    const std::clock_t began = std::clock();
    campaign.observe(results);  // decodes, and plans the next round
    const double took = static_cast<double>(std::clock() - began) / CLOCKS_PER_SEC;
    all += took, longest = took > longest ? took : longest;
  }
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  std::printf("%6d nodes, %4.1f %% faults: %d rounds, longest %.2f s, all %.2f s, %ld MB with the world\n",
              nodes, faults * 100, campaign.round(), longest, all, usage.ru_maxrss / 1024);
  std::fflush(stdout);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc > 1) {
    measure(std::atoi(argv[1]), argc > 2 ? std::atof(argv[2]) : .02);
    return 0;
  }
  for (const int nodes : {1024, 4096, 16384})
    measure(nodes, .02);
  measure(16384, .1);
}
