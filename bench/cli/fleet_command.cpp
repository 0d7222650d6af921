// `fleet`: which node, rail, leaf or uplink is at fault: over nodes (fleet_campaign.hpp), and here what needs
// none: campaigns simulated at a size that is asked for, and what a campaign would do.
#include <algorithm>
#include <atomic>
#include <cstdio>
#include <exception>
#include <memory>
#include <mutex>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <thread>

#include "bench/cli/commands.hpp"
#include "bench/cli/fleet_campaign.hpp"
#include "bench/cli/fleet_leading.hpp"
#include "bench/cli/output_options.hpp"
#include "bench/cli/report_reader.hpp"
#include "bench/cli/typed_values.hpp"
#include "bench/fleet/localisation/baselines.hpp"
#include "bench/fleet/localisation/decoder.hpp"
#include "bench/fleet/localisation/figures.hpp"
#include "bench/fleet/localisation/findings.hpp"
#include "bench/fleet/localisation/hostlist.hpp"
#include "bench/fleet/localisation/planted_text.hpp"
#include "bench/fleet/localisation/trials.hpp"
#include "reports/record/text.hpp"

namespace mlc {

namespace {

using namespace fleet;

constexpr int most_nodes = 65'536, most_rails = 16;
// Of a round, from its set-up to the next one's list; and what a test's record takes on disk.
constexpr double round_s = 2.7, test_s = 1.5;
constexpr int record_bytes = 160;

struct FleetOptions {
  bool simulate = false, plan = false;
  std::string nodes = "1024", rails = "4", leaf_size = "32", uplinks = "16";
  std::string faults = "2%", noise = "3%", spread = "0.3%", wrong_leaf = "0%", scored_from, trials = "100";
  std::string known = "uplinks", guards = "on", baseline, threads, hosts;
  std::string least = "3%", most = "50%";
  std::string path_faults = "25%", intermittent = "15%", counted = "50%", lost_results = "0%", glitches = "1";
  std::vector<std::string> inject;
  FleetCampaignOptions campaign;
  OutputOptions output;
  std::vector<const CLI::Option*> of_no_nodes;  // what nodes that are there have of themselves
};

std::string one_of_words(const std::string& option, const std::string& value,
                         const std::vector<std::string>& words) {
  if (std::ranges::find(words, value) != words.end()) return value;
  const auto near = nearest(value, words);
  throw UsageError(option + " '" + printable(value) + "' is none of " + join(words, ", "),
                   near ? "did you mean '" + *near + "'?" : "");
}

WorldKnobs knobs_from(const FleetOptions& options) {
  WorldKnobs knobs;
  knobs.nodes = number_from("--nodes", options.nodes, 2, most_nodes, "");
  knobs.rails = number_from("--rails", options.rails, 1, most_rails, "");
  knobs.leaf_size = number_from("--leaf-size", options.leaf_size, 1, most_nodes, "");
  knobs.uplinks = number_from("--uplinks", options.uplinks, 1, 1024, "");
  knobs.faults = share_from("--faults", options.faults);
  knobs.noise = share_from("--noise", options.noise);
  if (knobs.noise <= 0)
    throw UsageError("--noise is a coefficient of variation above zero", "write --noise 3%");
  knobs.rail_spread = share_from("--spread", options.spread);
  knobs.least = share_from("--least-severity", options.least);
  knobs.most = share_from("--most-severity", options.most);
  if (knobs.least <= 0 || knobs.most < knobs.least)
    throw UsageError("--least-severity is above zero and not above --most-severity", "write 3% and 50%");
  knobs.path_share = share_from("--path-faults", options.path_faults);
  knobs.intermittent = share_from("--intermittent", options.intermittent);
  knobs.counted = share_from("--counted", options.counted);
  knobs.lost_results = share_from("--lost-results", options.lost_results);
  const double glitches = number_from("--glitches", options.glitches, 0., 100., "");
  for (double* chance : {&knobs.glitch_flow, &knobs.glitch_test, &knobs.congested})
    *chance *= glitches;
  return knobs;
}

TrialPlan trial_plan_from(const FleetOptions& options) {
  TrialPlan plan;
  plan.knobs = knobs_from(options);
  plan.rules = options.campaign.rules();
  if (one_of_words("--guards", options.guards, {"on", "off"}) == "off") {
    plan.rules.map_guard = plan.rules.group_guard = plan.rules.mass_guard = false;
    plan.rules.floor = 0;
  }
  const auto known = one_of_words("--known", options.known, {"uplinks", "leaves", "none"});
  plan.known = known == "uplinks" ? Known::uplinks : known == "leaves" ? Known::leaves : Known::nothing;
  plan.wrong_leaf = share_from("--wrong-leaf", options.wrong_leaf);
  // What is less than twice the floor may be fitted below it: nobody promises to accuse it.
  plan.scored_from =
      options.scored_from.empty() ? 2 * plan.rules.floor : share_from("--scored-from", options.scored_from);
  for (const auto& text : options.inject)
    try {
      plan.planted.push_back(planted_from(text, plan.knobs));
    } catch (const std::invalid_argument& error) {
      throw UsageError(std::string("--inject ") + error.what(),
                       "write --inject node=7,rail=2,loss=10%,direction=tx");
    }
  return plan;
}

// All trials of one method. Each is a function of its seed, so that threads change nothing but the time.
Score trials_of(Score (*trial_of)(const TrialPlan&, std::uint64_t), const TrialPlan& plan, int trials,
                std::uint64_t seed, int threads) {
  Score all;
  std::mutex mutex;
  std::atomic<int> next{0};
  std::exception_ptr failed;
  const auto work = [&] {
    try {
      for (int i = next++; i < trials; i = next++) {
        const Score one = trial_of(plan, trial_seed(seed, i));
        const std::scoped_lock lock(mutex);
        all.add(one);
      }
    } catch (...) {
      const std::scoped_lock lock(mutex);
      failed = std::current_exception();
    }
  };
  std::vector<std::jthread> others;
  for (int i = 1; i < threads; ++i)
    others.emplace_back(work);
  work();
  others.clear();
  if (failed) std::rethrow_exception(failed);
  return all;
}

std::vector<MethodFigures> simulated(const FleetOptions& options, const TrialPlan& plan, std::uint64_t seed) {
  const int trials = number_from("--trials", options.trials, 1, 10'000'000, "");
  const int processors = static_cast<int>(std::max(1u, std::thread::hardware_concurrency()));
  const int threads =
      options.threads.empty() ? processors : number_from("--threads", options.threads, 1, 1024, "");
  const auto run = [&](auto* trial_of) {
    return trials_of(trial_of, plan, trials, seed, std::min(threads, trials));
  };
  std::vector<MethodFigures> all{{"fleet", "this program's schedule and decoder", run(&trial)}};
  bool found = options.baseline.empty() || options.baseline == "all";
  std::vector<std::string> names{"all"};
  for (const auto& each : baselines()) {
    const std::string name(each.name);
    names.push_back(name);
    const bool asked = options.baseline == name;
    found |= asked;
    if (asked && plan.knobs.nodes > each.most_nodes)
      throw UsageError("--baseline " + name + " takes a round for each node: at most " +
                       std::to_string(each.most_nodes) + " nodes");
    if ((asked || options.baseline == "all") && plan.knobs.nodes <= each.most_nodes)
      all.push_back({name, std::string(each.about), run(each.trial)});
  }
  if (!found) one_of_words("--baseline", options.baseline, names);
  return all;
}

ExitCode run_simulation(const FleetOptions& options) {
  const TrialPlan plan = trial_plan_from(options);
  const auto seed = options.campaign.seed_number();
  const auto all = simulated(options, plan, seed);
  const auto format = options.output.chosen();
  std::string face = format == "json"       ? figures_json(all, plan, seed).dump(2) + "\n"
                     : format == "markdown" ? figures_markdown(all, plan, seed)
                                            : figures_text(all, plan, seed);
  if (format == "text" && !plan.planted.empty())
    face = "The first of the simulated campaigns:\n" +
           findings_text(held(plan, trial_seed(seed, 0)).campaign, {}) + "\n" + face;
  publish(options.output, face);
  return ExitCode::pass;
}

std::vector<std::string> hosts_from(const std::string& list) {
  try {
    auto names = hostlist(list);  // in the order of the ranks that a campaign starts there
    auto sorted = names;
    std::ranges::sort(sorted);
    if (const auto twice = std::ranges::adjacent_find(sorted); twice != sorted.end())
      throw TopologyError("--hosts has " + printable(*twice) + " twice");
    if (names.size() < 2 || names.size() > most_nodes)
      throw TopologyError("--hosts are 2 to " + std::to_string(most_nodes) + " nodes");
    return names;
  } catch (const TopologyError& error) {
    throw UsageError(error.what(), "write --hosts 'gpu-[1-64],login'");
  }
}

// Of the hosts that are named, as the file has them; else regular, as --nodes, --leaf-size and --uplinks say.
Topology topology_for(const FleetOptions& options, std::vector<std::string>& names) {
  const WorldKnobs knobs = knobs_from(options);
  if (options.hosts.empty() && !options.campaign.topology.empty())
    throw UsageError("--topology needs --hosts", "write --hosts 'gpu-[1-64]' beside it");
  if (options.hosts.empty())
    return regular_topology(knobs.nodes, knobs.rails, knobs.leaf_size, knobs.uplinks);
  names = hosts_from(options.hosts);
  auto topology = fleet_topology(options.campaign.topology, names, knobs.rails);
  if (topology.has_groups()) topology.uplinks = knobs.uplinks;
  return topology;
}

struct PlannedRounds {
  std::vector<std::vector<PlannedTest>> first_two;
  int most = 0;
};

PlannedRounds rounds_for(const Topology& topology, const FleetOptions& options) {
  const auto seed = options.campaign.seed_number();
  PlannedRounds rounds{.first_two = {}, .most = rounds_of(topology.nodes, options.campaign.rules().rounds)};
  std::vector<int> all(static_cast<std::size_t>(topology.nodes));
  for (std::size_t i = 0; i < all.size(); ++i)
    all[i] = static_cast<int>(i);
  Met met;
  for (int round = 1; round <= 2; ++round) {
    rounds.first_two.push_back(pairs({.seed = seed, .round = round, .participants = all}, topology, met));
    for (const auto& test : rounds.first_two.back())
      met.add(test.first, test.second);
  }
  return rounds;
}

nlohmann::json plan_json(const Topology& topology, const PlannedRounds& rounds,
                         const std::vector<std::string>& names) {
  const auto name = [&](int node) {
    return names.empty() ? std::to_string(node) : printable(names[static_cast<std::size_t>(node)], 256);
  };
  nlohmann::json json{{"schema", "mlc-bench/fleet-plan/v1"},
                      {"nodes", topology.nodes},
                      {"rails", topology.rails},
                      {"rounds_at_most", rounds.most},
                      {"seconds_at_most", rounds.most * round_s},
                      {"topology",
                       {{"source", printable(topology.source)},
                        {"groups", topology.groups},
                        {"coverage", topology.coverage},
                        {"warnings", topology.warnings}}},
                      {"rounds", nlohmann::json::array()}};
  for (const auto& tests : rounds.first_two) {
    nlohmann::json list = nlohmann::json::array();
    for (const auto& test : tests) {
      nlohmann::json pair{{"nodes", {name(test.first), name(test.second)}}};
      for (int q = 0; q < queue_pairs && topology.uplinks > 0; ++q)
        pair["uplinks"].push_back(uplink_of(test, q, topology.uplinks));
      list.push_back(std::move(pair));
    }
    json["rounds"].push_back(std::move(list));
  }
  return json;
}

std::string plan_text(const Topology& topology, const PlannedRounds& rounds, double rail_gbit) {
  const bool all_meet = topology.nodes <= most_nodes_for_all_pairs;
  std::string text =
      std::to_string(topology.nodes) + " nodes, " + std::to_string(topology.rails) + " rails; ";
  if (topology.has_groups())
    text += (topology.groups == 1 ? "all in one leaf"
                                  : std::to_string(topology.groups) + " groups that share their leaves") +
            " (" + printable(topology.source) + ", " + percent_text(topology.coverage) + " of the nodes)";
  else
    text += "no leaves known: a slow leaf cannot be told from the nodes in it";
  text += "\n";
  for (const auto& warning : topology.warnings)
    text += "warning: " + warning + "\n";
  const auto tests = [&](std::size_t round) {
    return std::to_string(rounds.first_two[round].size()) + " pairs";
  };
  if (all_meet) {
    const int met = rounds_until_all_met(topology.nodes);
    text +=
        "rounds 1 to " + std::to_string(met) + "  " + tests(0) + " each: every two meet" +
        (topology.nodes == 2 ? ", three times" : "") +
        (met < rounds.most ? "; again, up to round " + std::to_string(rounds.most) + ", while a node is open"
                           : "") +
        "\n";
  } else {
    text += "round 1       " + tests(0) + (topology.has_groups() ? ", inside leaves" : "") + "\n";
    text += "round 2       " + tests(1) + (topology.groups > 1 ? ", between leaves" : "") +
            "; who was bad in round 1 stays in its leaf\n";
    if (rounds.most > 2)
      text += (rounds.most == 3 ? std::string("round 3       ")
                                : "rounds 3 to " + std::to_string(rounds.most) + " ") +
              "suspects alone (of 2 % faults: 2 to 6 % of the nodes), the rest is released\n";
  }
  const double per_node = test_s * rail_gbit / 8 * topology.rails;
  const int least = all_meet ? rounds_until_all_met(topology.nodes) : 2;
  text += "time          " + (least == rounds.most ? "" : fixed(least * round_s, 1) + " to ") +
          fixed(rounds.most * round_s, 1) + " s (" + fixed(round_s, 1) + " s a round), after the launch\n";
  text += "traffic       " + fixed(per_node, 0) + " GB a node and test, each way, at " + fixed(rail_gbit, 0) +
          " Gbit/s a rail\n";
  text +=
      "records       " + std::to_string(record_bytes) + " B a test, " +
      fixed(static_cast<double>(rounds.first_two[0].size() + rounds.first_two[1].size()) * record_bytes / 1e3,
            1) +
      " kB of the first two rounds\n";
  return text + "Nothing was connected.\n";
}

ExitCode run_plan(const FleetOptions& options) {
  std::vector<std::string> names;
  const double rail_gbit = options.campaign.rate.empty()
                               ? 200
                               : number_from("--rail-rate", options.campaign.rate, 0.001, 100'000., "");
  const Topology topology = topology_for(options, names);
  const PlannedRounds rounds = rounds_for(topology, options);
  const auto format = options.output.chosen();
  if (format == "markdown")
    throw UsageError("--format markdown belongs to --simulate", "write --format text or json");
  publish(options.output, format == "json" ? plan_json(topology, rounds, names).dump(2) + "\n"
                                           : plan_text(topology, rounds, rail_gbit));
  return ExitCode::pass;
}

ExitCode run_campaign(const FleetOptions& options, const std::vector<std::string>& arguments) {
  for (const auto* option : options.of_no_nodes)
    if (option->count() > 0)
      throw UsageError(option->get_name() + " belongs to --simulate and --plan",
                       "leave it away: nodes that are there have what they have");
  FleetQuestion question{.seed = options.campaign.seed_number(),
                         .rules = options.campaign.rules(),
                         .hosts = options.hosts,
                         .topology = options.campaign.topology,
                         .output = options.output};
  question.output.formats = OutputOptions().formats;
  question.output.check();
  if (!options.hosts.empty()) (void)hosts_from(options.hosts);
  return run_fleet_campaign(options.campaign, question, arguments);
}

ExitCode run_fleet(const FleetOptions& options, const std::vector<std::string>& arguments) {
  if (options.simulate && options.plan)
    throw UsageError("--simulate and --plan are two questions", "give one of them");
  if (!options.simulate && !options.plan) return run_campaign(options, arguments);
  options.output.check();
  return options.simulate ? run_simulation(options) : run_plan(options);
}

// An option that is given and asks nothing of this question would be believed to have done something.
class OptionsOf {
 public:
  OptionsOf(CLI::App& command, const char* group, CLI::Option* question = nullptr)
      : command_(command), group_(group), question_(question) {}
  void operator()(const char* name, std::string& value, const char* about, const char* type) const {
    auto* option = command_.add_option(name, value, about)->type_name(type)->group(group_);
    if (!value.empty()) option->capture_default_str();
    if (question_ != nullptr) option->needs(question_);
  }

 private:
  CLI::App& command_;
  const char* group_;
  CLI::Option* question_;
};

void add_fabric_options(CLI::App& command, FleetOptions& options, CLI::Option* simulate) {
  const OptionsOf both(command, "Fabric"), simulated(command, "Fabric", simulate);
  const auto made_up = [&](const char* name, std::string& value, const char* about) {
    options.of_no_nodes.push_back(
        command.add_option(name, value, about)->type_name("N")->group("Fabric")->capture_default_str());
  };
  made_up("--nodes", options.nodes, "so many");
  made_up("--rails", options.rails, "of each node");
  made_up("--leaf-size", options.leaf_size, "nodes of a leaf");
  made_up("--uplinks", options.uplinks, "of a leaf and rail");
  simulated("--faults", options.faults, "faulty components over nodes", "SHARE");
  simulated("--noise", options.noise, "variation of a window of 25 ms", "SHARE");
  simulated("--spread", options.spread, "deviation between healthy rails", "SHARE");
  simulated("--least-severity", options.least,
            "share of the rate that a fault takes, at least (of loss one way: 5%)", "SHARE");
  simulated("--most-severity", options.most, "at most (of loss one way: 90%)", "SHARE");
  simulated("--path-faults", options.path_faults, "of the faults, in leaves and uplinks", "SHARE");
  simulated("--intermittent", options.intermittent, "of the faults, that come and go", "SHARE");
  simulated("--counted", options.counted, "of the faults of nodes and rails, that a port's counters show",
            "SHARE");
  simulated("--lost-results", options.lost_results, "of the tests, not measured", "SHARE");
  simulated("--glitches", options.glitches, "times as many flows, tests and uplinks that are bad once",
            "FACTOR");
  command
      .add_option("--inject", options.inject,
                  "this fault instead of the usual mix, and what is said of it; several, one --inject each")
      ->expected(1)
      ->take_all()
      ->type_name("node=7,rail=2,loss=10%,direction=tx")
      ->group("Fabric")
      ->needs(simulate);
  simulated("--known", options.known, "what the campaign is told of the fabric", "uplinks|leaves|none");
  simulated("--wrong-leaf", options.wrong_leaf, "nodes that the topology has in a wrong leaf", "SHARE");
  both("--hosts", options.hosts, "the nodes by name, as gpu-[1-64],login", "LIST");
  command.get_option("--hosts")->excludes("--nodes")->excludes(simulate);
  options.campaign.add_fabric_to(command);
  command.get_option("--topology")->excludes(simulate);
  command.get_option("--rail-rate")->excludes(simulate);
}

}  // namespace

void add_fleet_command(CLI::App& program, Invocation& invocation) {
  auto* command = program.add_subcommand(
      "fleet", "which node, rail, leaf or uplink is at fault, in a few rounds of pairs of nodes");
  auto options = std::make_shared<FleetOptions>();
  auto* simulate = command->add_flag("--simulate", options->simulate,
                                     "campaigns in a simulated fabric, and how often they are right");
  command->add_flag("--plan", options->plan, "rounds, pairs, time and bytes; connects nothing");
  options->campaign.add_rules_to(*command);
  const OptionsOf simulated(*command, "Campaign", simulate);
  simulated("--trials", options->trials, "campaigns", "N");
  simulated("--guards", options->guards, "off: floor and guards against a wrong topology", "on|off");
  simulated("--scored-from", options->scored_from,
            "faults of less severity do not count (default: twice the floor)", "SHARE");
  simulated("--baseline", options->baseline, "beside it: chs, bisection, median, all-pairs, matchings or all",
            "NAME");
  simulated("--threads", options->threads, "trials at a time (default: one a processor)", "N");
  options->campaign.add_measuring_to(*command);
  options->campaign.add_keeping_to(*command);
  options->campaign.member.add_to(*command);
  add_fabric_options(*command, *options, simulate);
  options->output.formats = {"text", "json", "markdown"};
  options->output.add_to(*command);
  command->footer(
      "mlc-bench fleet --hosts 'gpu-[1-64]' --policy h100-4x200g\n"
      "srun -N 64 --ntasks-per-node=1 mlc-bench fleet --topology topology.conf\n"
      "mlc-bench fleet --simulate --nodes 64\n"
      "Figures of --simulate are of a world that is a guess (docs/fleet.md), and it exits 0 whatever is "
      "found "
      "there: nothing real was measured.");
  command->callback([&invocation, options] {
    invocation.run = [&invocation, options] { return run_fleet(*options, invocation.arguments); };
  });
}

}  // namespace mlc
