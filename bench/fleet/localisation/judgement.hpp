// What a campaign has found out: a standing for each node, and what is at fault with its evidence. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "bench/fleet/localisation/components.hpp"
#include "bench/fleet/localisation/test_result.hpp"
#include "bench/fleet/localisation/topology.hpp"
#include "reports/record/fleet_figures.hpp"

namespace mlc::fleet {

// From the best to the worst, as far as a node is concerned. PATH is of no node.
enum class Standing : std::uint8_t { clean, watch, lost, path, unresolved, masked, ambiguous, faulty };
std::string_view to_string(Standing standing);  // "CLEAN"

// The guards against accusing what is healthy can be switched off to see what they do; nobody else should.
struct Rules {
  int rounds = 5;                        // at most
  double confidence = usual_confidence;  // nats over chance and over every rival, to accuse
  double clean = -3;                     // nats, below which nothing is suspected
  double floor = usual_floor;            // a fault of less severity is watched, not accused; 0: none
  bool target_named = true;  // false: it is what the fastest tenth of the first round's flows reached
  bool map_guard = true, group_guard = true, mass_guard = true;
};

struct Suspect {
  Component component;
  double gain = 0;
  bool operator==(const Suspect&) const = default;
};

// One flow, or one queue pair of it, that speaks for or against a finding.
struct FlowEvidence {
  int round = 0, from = 0, to = 0, rail = 0;
  int queue_pair = -1;  // -1: the flow as a whole
  double ratio = 0;     // of what is usual; 0: dead
  std::array<double, queue_pairs> shares{};
  CounterGrowth at_sender, at_receiver;
  double nats = 0;  // for the finding; below zero: against it
};

struct PathPlace {
  int from = 0, to = 0, rail = 0, queue_pair = 0;
  auto operator<=>(const PathPlace&) const = default;
};

struct Located {
  Component component;
  std::optional<PathPlace> path;  // instead of a component
  Standing standing = Standing::ambiguous;
  double severity = 0;  // share of the rate that is lost
  double margin = 0;    // nats
  int bad_rounds = 0, partners = 0;
  std::vector<Suspect> rivals;
  std::string why;  // it is not FAULTY, where it might have been
  std::vector<FlowEvidence> evidence_for, evidence_against;
};

// An uplink whose next flows would decide.
struct OpenUplink {
  int leaf = 0, uplink = 0;
  auto operator<=>(const OpenUplink&) const = default;
};

struct Judgement {
  std::vector<Standing> nodes;
  std::vector<Located> located;  // by component
  std::vector<int> suspects;     // nodes that another test would say more of
  std::vector<int> uncovered;    // nodes with too few tests that count
  std::vector<int> bad;          // FAULTY: nobody's partner
  std::vector<OpenUplink> open_uplinks;
  std::vector<PathPlace> open_paths;  // to be repeated between the same two
  std::string alarm;                  // of the fleet as a whole: nobody is cleared then
  std::vector<std::string> warnings;
  std::vector<int> tests;    // of each node
  std::vector<float> worst;  // ratio of each node's worst flow
};

struct Gathered {
  std::vector<MeasuredTest> tests;
  std::vector<bool> participants;  // at the beginning; may be all
  std::vector<bool> lost;          // their agents are gone
  std::vector<bool> watched;       // by an earlier campaign; may be empty
};

Judgement judge(const Gathered& gathered, const Topology& topology, const Rules& rules);

}  // namespace mlc::fleet
