// What a campaign over nodes may be told, as typed: `fleet` has all of it, `manifest fleet` what goes to
// Pods.
#pragma once

#include <CLI/CLI.hpp>
#include <cstdint>
#include <string>

#include "bench/cli/fleet_rendezvous.hpp"
#include "bench/fleet/localisation/judgement.hpp"
#include "validators/policy/policy.hpp"

namespace mlc {

struct FleetTimes {
  double test_s, warm_up_s, deadline_s;
};

struct FleetCampaignOptions {
  // Of a simulated campaign too.
  std::string seed = "1", rounds = "5", confidence = "5", floor = "5%", topology;
  // Only over nodes.
  std::string policy = "local", engine = "auto", interfaces, devices, depth = "64", message_size = "64K",
              rate, test_time = "1.5s", warm_up = "500ms", deadline = "6s", keep, resume;
  FleetMemberOptions member;

  void add_rules_to(CLI::App& command);      // --seed, --rounds, --confidence, --floor
  void add_fabric_to(CLI::App& command);     // --topology, --rail-rate
  void add_measuring_to(CLI::App& command);  // --policy, and how flows are carried
  void add_keeping_to(CLI::App& command);    // --keep, --resume

  // What they mean. All throw UsageError.
  std::uint64_t seed_number() const;
  fleet::Rules rules() const;
  FleetTimes times() const;
  int sends() const;  // of a queue pair, outstanding
  std::uint32_t message_bytes() const;
  double target(const Policy& policy) const;  // Gbit/s of payload a rail; 0: not named
  void check() const;                         // all that asks neither for a policy nor for members
};

}  // namespace mlc
