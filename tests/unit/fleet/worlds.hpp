// Campaigns in small worlds, as the tests of this folder need them.
#pragma once

#include <algorithm>
#include <vector>

#include "bench/fleet/localisation/campaign.hpp"
#include "bench/fleet/localisation/trials.hpp"
#include "bench/fleet/localisation/world.hpp"

namespace mlc::fleet {

// Noise as usual, but nothing that spoils a flow, a test or an uplink now and then.
inline WorldKnobs calm(int nodes, int leaf_size = 32, int uplinks = 16) {
  WorldKnobs knobs;
  knobs.nodes = nodes, knobs.leaf_size = leaf_size, knobs.uplinks = uplinks;
  knobs.glitch_flow = knobs.glitch_test = knobs.congested = knobs.miscounted = 0;
  return knobs;
}

inline Planted fault_at(const Component& component, double severity) {
  return {.component = component, .severity = severity};
}

inline Campaign campaign_in(World& world, const Topology& told, std::uint64_t seed = 1,
                            const Rules& rules = {}) {
  Campaign campaign({.seed = seed, .id = seed, .rules = rules, .watched = {}}, told);
  while (!campaign.ended())
    campaign.observe(world.measure(seed, campaign.round(), campaign.planned()));
  return campaign;
}

inline Campaign campaign_with(WorldKnobs knobs, const std::vector<Planted>& planted, std::uint64_t seed = 1,
                              Known known = Known::uplinks, double wrong_leaf = 0) {
  knobs.hashed |= known != Known::uplinks;
  World world(knobs, seed);
  for (const auto& fault : planted)
    world.plant(fault);
  return campaign_in(world, known_topology(world.topology(), known, wrong_leaf, seed), seed);
}

inline std::vector<Located> accusations(const Judgement& judgement) {
  std::vector<Located> found;
  for (const auto& each : judgement.located)
    if (each.standing == Standing::faulty) found.push_back(each);
  return found;
}

inline std::vector<Component> accused(const Judgement& judgement) {
  std::vector<Component> found;
  for (const auto& each : accusations(judgement))
    found.push_back(each.component);
  return found;
}

inline std::size_t count_of(const Judgement& judgement, Standing standing) {
  return static_cast<std::size_t>(std::ranges::count(judgement.nodes, standing));
}

}  // namespace mlc::fleet
