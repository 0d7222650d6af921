#include "bench/cli/fleet_options.hpp"

#include "bench/cli/measuring_options.hpp"
#include "bench/cli/typed_values.hpp"
#include "bench/fleet/localisation/decoder.hpp"
#include "reports/record/text.hpp"

namespace mlc {

namespace {

constexpr int most_depth = 8192;
constexpr std::uint64_t largest_message = 16 << 20;
constexpr double longest_s = 600;

}  // namespace

void FleetCampaignOptions::add_rules_to(CLI::App& command) {
  const auto add = [&](const char* name, std::string& value, const char* about, const char* type) {
    command.add_option(name, value, about)->type_name(type)->group("Campaign")->capture_default_str();
  };
  add("--seed", seed, "of the pairs and of the simulated fabric", "N");
  add("--rounds", rounds, "at most; up to 8 nodes as many as every two need to meet", "N");
  add("--confidence", confidence, "nats over chance and every rival, to accuse", "NATS");
  add("--floor", floor, "less severity is watched, not accused", "SHARE");
}

void FleetCampaignOptions::add_fabric_to(CLI::App& command) {
  const char* group = "Fabric";
  command
      .add_option("--topology", topology,
                  "node,rail,leaf[,port] a line, Slurm's topology.conf, or kubectl get nodes -o json")
      ->group(group)
      ->type_name("FILE");
  command
      .add_option("--rail-rate", rate,
                  "payload of one rail, each way (default: what the policy's rate and MTU let through; "
                  "without one the fastest tenth of the flows "
                  "is the measure)")
      ->group(group)
      ->type_name("GBIT/S");
}

void FleetCampaignOptions::add_measuring_to(CLI::App& command) {
  const char* group = "Over real nodes";
  add_policy(command, policy, "file or name of the policy that has the rails' rate (default local)");
  command
      .add_option("--engine", engine,
                  "auto: verbs where there are RDMA devices and no --interfaces, else tcp")
      ->group(group)
      ->capture_default_str()
      ->check(CLI::IsMember({"auto", "verbs", "tcp"}))
      ->type_name("auto|verbs|tcp");
  auto* over_verbs =
      command
          .add_option("--devices", devices,
                      "RDMA devices that are the rails, in their order (default: those that the "
                      "policy selects)")
          ->group(group)
          ->type_name("LIST");
  command
      .add_option(
          "--interfaces", interfaces,
          "over tcp the rails, in their order, by the names of their interfaces (default: the one way "
          "to the coordinator)")
      ->group(group)
      ->excludes(over_verbs)
      ->type_name("LIST");
  const auto add = [&](const char* name, std::string& value, const char* about, const char* type) {
    command.add_option(name, value, about)->type_name(type)->group(group)->capture_default_str();
  };
  add("--depth", depth, "over verbs, sends outstanding of a queue pair", "N");
  add("--message-size", message_size, "over verbs", "SIZE");
  add("--test-time", test_time, "of a pair, after the warm-up", "TIME");
  add("--warm-up", warm_up, "of a pair", "TIME");
  add("--deadline", deadline, "of an agent's answer, beyond the time of its test", "TIME");
}

void FleetCampaignOptions::add_keeping_to(CLI::App& command) {
  const char* group = "Over real nodes";
  auto* kept =
      command.add_option("--keep", keep, "folder for the rounds as they are held; none may be in it yet")
          ->group(group)
          ->type_name("DIR");
  command.add_option("--resume", resume, "go on with the campaign in this folder")
      ->group(group)
      ->excludes(kept)
      ->type_name("DIR");
}

std::uint64_t FleetCampaignOptions::seed_number() const {
  return number_from<std::uint64_t>("--seed", seed, 0, std::uint64_t{1} << 53, "");
}

fleet::Rules FleetCampaignOptions::rules() const {
  fleet::Rules rules;
  rules.rounds = number_from("--rounds", rounds, 2, fleet::most_rounds, "");
  rules.confidence = number_from("--confidence", confidence, 0.1, 100., "");
  rules.floor = share_from("--floor", floor);
  return rules;
}

FleetTimes FleetCampaignOptions::times() const {
  const FleetTimes times{.test_s = seconds_from("--test-time", test_time, "100ms"),
                         .warm_up_s = seconds_from("--warm-up", warm_up),
                         .deadline_s = seconds_from("--deadline", deadline, "1s")};
  for (const double each : {times.test_s, times.warm_up_s, times.deadline_s})
    if (each > longest_s)
      throw UsageError("--test-time, --warm-up and --deadline are at most 10m each",
                       "a pair takes seconds; what heats up is for 'mlc-bench gpu' and 'rdma'");
  return times;
}

int FleetCampaignOptions::sends() const { return number_from("--depth", depth, 1, most_depth, ""); }

std::uint32_t FleetCampaignOptions::message_bytes() const {
  const auto bytes = size_from("--message-size", message_size);
  if (bytes < 1 || bytes > largest_message)
    throw UsageError("--message-size '" + printable(message_size) + "' is not between 1 and 16 MiB");
  return static_cast<std::uint32_t>(bytes);
}

double FleetCampaignOptions::target(const Policy& with) const {
  if (!rate.empty()) return number_from("--rail-rate", rate, 0.0001, 100'000., "");
  return with.target ? with.target->rail_ceiling_gbit_s() : 0;
}

void FleetCampaignOptions::check() const {
  (void)seed_number(), (void)rules(), (void)times(), (void)sends(), (void)message_bytes(), (void)target({});
}

}  // namespace mlc
