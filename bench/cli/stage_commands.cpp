#include "bench/cli/stage_commands.hpp"

#include <algorithm>
#include <array>

#include "bench/cli/commands.hpp"
#include "bench/cli/named_policy.hpp"
#include "bench/collectives/collective.hpp"
#include "reports/record/text.hpp"
#include "reports/record/usage_error.hpp"

namespace mlc {

namespace {

struct Refused {
  const char *option, *why;
};

constexpr const char *given_by_burnin = "is what burnin gives each stage itself",
                     *of_the_stage = "is a key of the stage: 'launches'",
                     *of_another = "is of a node that was captured, and a stage tests the one it runs on";

constexpr const char *given_by_group = "is what the fabric stage gives its members itself",
                     *of_no_nodes = "measures nothing";

constexpr std::array<Refused, 5> of_any{{{"--policy", given_by_burnin},
                                         {"--output", given_by_burnin},
                                         {"--format", given_by_burnin},
                                         {"--launches", of_the_stage},
                                         {"-N", of_the_stage}}};
// --root of a rooted collective is a rank.
constexpr std::array<Refused, 3> of_validate{
    {{"--root", of_another}, {"--node-file", of_another}, {"--write-lock", "checks nothing"}}};

constexpr std::array<Refused, 12> of_fleet{{{"--simulate", of_no_nodes},
                                            {"--plan", of_no_nodes},
                                            {"--hosts", given_by_group},
                                            {"--nodes", given_by_group},
                                            {"--leader", given_by_group},
                                            {"--index", given_by_group},
                                            {"--members", given_by_group},
                                            {"--key", given_by_group},
                                            {"--port", given_by_group},
                                            {"--gather", given_by_group},
                                            {"--keep", given_by_group},
                                            {"--resume", given_by_group}}};

bool is_given(const CLI::App& command, const char* name) {
  const auto* option = command.get_option_no_throw(name);
  return option != nullptr && option->count() > 0;
}

bool is_unverified(const CLI::App& command) {
  const auto* option = command.get_option_no_throw("--check");
  return option != nullptr && option->count() > 0 && option->as<int>() == 0;
}

// Why the stage can be none; empty: it can.
std::string why_not(const BurninStage& stage, bool in_fabric) {
  const std::string& name = stage.command.front();
  const bool checks = name == "validate", campaign = name == "fleet";
  if (campaign && !in_fabric) return "a campaign is of several nodes: it is for the 'fabric' section";
  if (campaign && stage.launches > 1) return "a campaign has rounds, and is held once: leave 'launches' away";
  if (!checks && !campaign && name != "gpu" && name != "rdma" && find_collective(name) == nullptr)
    return "a stage runs validate, gpu, rdma, a collective or, with other nodes, fleet, not '" +
           printable(name) + "'";
  CLI::App program;
  Invocation invocation;
  describe_program(program, invocation);
  try {
    program.parse(std::vector<std::string>(stage.command.rbegin(), stage.command.rend()));
  } catch (const CLI::Success&) {
    return "'" + join(stage.command, " ") + "' measures nothing";
  } catch (const CLI::ExtrasError&) {
    const auto extras = program.get_subcommands().front()->remaining(true);
    return "'" + printable(extras.empty() ? name : extras.front()) + "' is not understood by " + name;
  } catch (const CLI::ParseError& error) {
    return std::string(error.what());
  }
  const CLI::App& command = *program.get_subcommands().front();
  const auto given = [&](const auto& list) -> std::string {
    for (const auto& [option, why] : list)
      if (is_given(command, option)) return std::string(option) + " " + why;
    return {};
  };
  if (auto why = given(of_any); !why.empty()) return why;
  if (is_unverified(command)) return "-c 0 verifies nothing, with which nothing passes";
  if (in_fabric && is_given(command, "--one-way"))
    return "--one-way measures one way, and each node of a fabric stage is judged by both";
  if (auto why = checks ? given(of_validate) : campaign ? given(of_fleet) : ""; !why.empty()) return why;
  try {
    invocation.check();
  } catch (const UsageError& error) {
    return error.what();
  }
  return {};
}

}  // namespace

Policy policy_with_plans(const std::string& name_or_path) {
  Policy policy = named_policy(name_or_path);
  if (policy.fabric && std::ranges::count_if(policy.fabric->stages, [](const BurninStage& stage) {
                         return stage.command.front() == "fleet";
                       }) > 1)
    throw PolicyError(policy.name + ": two stages of 'fabric' are campaigns, and one says all");
  for (const auto* plan : {&policy.burnin, &policy.fabric, &policy.health, &policy.passive})
    if (*plan)
      for (const auto& stage : (*plan)->stages)
        if (const auto why = why_not(stage, plan == &policy.fabric); !why.empty())
          throw PolicyError(policy.name + ": stage " + stage.name + ": " + why);
  return policy;
}

}  // namespace mlc
