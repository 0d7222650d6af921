#include "bench/fleet/localisation/figures.hpp"

#include <array>
#include <cmath>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "bench/fleet/localisation/intervals.hpp"
#include "reports/record/text.hpp"

namespace mlc::fleet {

namespace {

using Json = nlohmann::json;

struct Ratio {
  const char *key, *name, *about;
  std::size_t count, of;
};

std::vector<Ratio> ratios_of(const Score& score) {
  return {
      {"missed", "missed", "permanent faults of nodes and rails that nobody is FAULTY for", score.missed,
       score.hosts},
      {"silent", "silent", "of them, on no list", score.silent, score.hosts},
      {"accused", "accused", "healthy nodes that are FAULTY, of all nodes", score.accused,
       score.node_campaigns},
      {"right_class", "right class", "FAULTY findings that are true", score.right_class, score.faulty_found},
      {"leaves", "leaves found", "slow leaves that are FAULTY", score.leaves_found, score.leaves},
      {"uplinks", "uplinks found", "slow uplinks that are FAULTY", score.uplinks_found, score.uplinks},
      {"uplinks_listed", "uplinks listed", "FAULTY, or AMBIGUOUS among few", score.uplinks_listed,
       score.uplinks},
      {"intermittent_found", "intermittent found", "faults that come and go, FAULTY",
       score.intermittent_found, score.intermittent},
      {"intermittent_silent", "intermittent silent", "on no list", score.intermittent_silent,
       score.intermittent},
      {"masked", "masked", "faults behind a slower leaf", score.masked, score.masked + score.hosts},
      {"watched", "watched", "healthy nodes on WATCH", score.watched, score.healthy},
  };
}

// Two digits that matter: "0.41 %", "12 %", "0.0013 %".
std::string share_text(double share) {
  const double percent = share * 100;
  if (percent >= 99.95) return "100 %";
  char text[32];
  std::snprintf(text, sizeof text, percent >= 10 ? "%.3g" : "%.2g", percent);
  std::string plain = text;
  if (plain.find('e') != plain.npos) {
    std::snprintf(text, sizeof text, "%.6f", percent);
    plain = text;
    while (plain.ends_with('0'))
      plain.pop_back();
  }
  return plain + " %";
}

std::string ratio_text(const Ratio& ratio) {
  if (ratio.of == 0) return "-";
  const auto [low, high] = share_interval(ratio.count, ratio.of);
  std::string text = std::to_string(ratio.count) + " of " + std::to_string(ratio.of);
  if (ratio.count == 0) return text + " (up to " + share_text(high) + ")";
  text += " (" + share_text(static_cast<double>(ratio.count) / static_cast<double>(ratio.of));
  return text + ", " + share_text(low) + " to " + share_text(high) + ")";
}

double a_trial(const Score& score, double sum) {
  return score.trials > 0 ? sum / static_cast<double>(score.trials) : 0;
}

std::string rounds_text(const Score& score) {
  const auto [low, high] = mean_interval(score.round_sum, score.round_squares, score.trials);
  return fixed(a_trial(score, score.round_sum), 2) + " (" + fixed(low, 2) + " to " + fixed(high, 2) +
         "), p99 " + std::to_string(score.rounds_below(.99));
}

double tests_a_node(const Score& score) {
  return score.node_campaigns > 0
             ? static_cast<double>(score.tests) / static_cast<double>(score.node_campaigns)
             : 0;
}

const char* known_text(Known known) {
  return known == Known::uplinks ? "uplinks" : known == Known::leaves ? "leaves" : "none";
}

std::string world_text(const TrialPlan& plan, std::uint64_t seed, std::size_t trials) {
  std::string text = std::to_string(plan.knobs.nodes) + " nodes, " + std::to_string(plan.knobs.rails) +
                     " rails, " + std::to_string(plan.knobs.leaf_size) + " nodes a leaf, " +
                     std::to_string(plan.knobs.uplinks) + " uplinks a leaf and rail, ";
  text += plan.planted.empty() ? share_text(plan.knobs.faults) + " faults"
                               : std::to_string(plan.planted.size()) + " planted";
  text += "; known: " + std::string(known_text(plan.known));
  if (plan.wrong_leaf > 0) text += ", wrong for " + share_text(plan.wrong_leaf) + " of the nodes";
  text += "; at most " + std::to_string(rounds_of(plan.knobs.nodes, plan.rules.rounds)) +
          " rounds, confidence " + shortest(plan.rules.confidence) + ", floor " +
          share_text(plan.rules.floor);
  if (!plan.rules.group_guard) text += ", no guards";
  if (plan.scored_from > 0) text += "; faults of " + share_text(plan.scored_from) + " and more count";
  return text + "; " + std::to_string(trials) + " trials, seed " + std::to_string(seed);
}

}  // namespace

std::string figures_text(const std::vector<MethodFigures>& all, const TrialPlan& plan, std::uint64_t seed) {
  constexpr std::size_t name_width = 22, value_width = 38;
  std::string text = world_text(plan, seed, all.empty() ? 0 : all.front().score.trials) + "\n";
  const auto line = [&](const std::string& name, const std::string& value, const std::string& about) {
    text += "  " + pad_right(name, name_width) + pad_right(value, value_width) +
            (value.size() < value_width ? "" : "  ") + about + "\n";
  };
  for (const auto& each : all) {
    text += "\n" + each.method + ": " + each.about + "\n";
    line("rounds", rounds_text(each.score), "mean, and what 99 % do not exceed");
    line("tests a node", fixed(tests_a_node(each.score), 3), "");
    for (const auto& ratio : ratios_of(each.score))
      line(ratio.name, ratio_text(ratio), ratio.about);
    line("ambiguous", fixed(a_trial(each.score, static_cast<double>(each.score.ambiguous)), 2),
         "findings a campaign");
  }
  return text + "\nIntervals are of 95 %: exact for shares (Clopper, Pearson), normal for the mean.\n";
}

std::string figures_markdown(const std::vector<MethodFigures>& all, const TrialPlan& plan,
                             std::uint64_t seed) {
  std::string text =
      "| N, faults | method | trials, seed | rounds (p99) | tests a node | missed | silent | accused | right "
      "class | "
      "leaves | uplinks found, listed | intermittent found / silent | masked | ambiguous |\n"
      "|---|---|---|---|---|---|---|---|---|---|---|---|---|---|\n";
  for (const auto& each : all) {
    const Score& score = each.score;
    const auto share = [](std::size_t count, std::size_t of) {
      return of == 0 ? "-" : share_text(static_cast<double>(count) / static_cast<double>(of));
    };
    const auto ratios = ratios_of(score);
    text += "| " + std::to_string(plan.knobs.nodes) + ", " +
            (plan.planted.empty() ? share_text(plan.knobs.faults)
                                  : std::to_string(plan.planted.size()) + " planted") +
            " | " + each.method + " | " + std::to_string(score.trials) + ", " + std::to_string(seed) + " | " +
            fixed(a_trial(score, score.round_sum), 2) + " (" + std::to_string(score.rounds_below(.99)) +
            ") | " + fixed(tests_a_node(score), 2) + " | " + ratio_text(ratios[0]) + " | " +
            ratio_text(ratios[1]) + " | " + ratio_text(ratios[2]) + " | " +
            share(score.right_class, score.faulty_found) + " | " + share(score.leaves_found, score.leaves) +
            " | " + share(score.uplinks_found, score.uplinks) + ", " +
            share(score.uplinks_listed, score.uplinks) + " | " +
            share(score.intermittent_found, score.intermittent) + " / " +
            share(score.intermittent_silent, score.intermittent) + " | " +
            share(score.masked, score.masked + score.hosts) + " | " +
            fixed(a_trial(score, static_cast<double>(score.ambiguous)), 2) + " |\n";
  }
  return text;
}

nlohmann::json figures_json(const std::vector<MethodFigures>& all, const TrialPlan& plan,
                            std::uint64_t seed) {
  const WorldKnobs& knobs = plan.knobs;
  Json json{{"schema", "mlc-bench/fleet-simulation/v1"},
            {"seed", seed},
            {"world",
             {{"nodes", knobs.nodes},
              {"rails", knobs.rails},
              {"leaf_size", knobs.leaf_size},
              {"uplinks", knobs.uplinks},
              {"faults", knobs.faults},
              {"planted", plan.planted.size()},
              {"noise", knobs.noise},
              {"rail_spread", knobs.rail_spread},
              {"known", known_text(plan.known)},
              {"wrong_leaf", plan.wrong_leaf}}},
            {"rules",
             {{"rounds", rounds_of(plan.knobs.nodes, plan.rules.rounds)},
              {"confidence", plan.rules.confidence},
              {"floor", plan.rules.floor},
              {"guards", plan.rules.group_guard}}},
            {"scored_from", plan.scored_from},
            {"methods", Json::array()}};
  for (const auto& each : all) {
    const Score& score = each.score;
    const auto rounds = mean_interval(score.round_sum, score.round_squares, score.trials);
    Json method{
        {"method", each.method},
        {"trials", score.trials},
        {"rounds",
         {{"mean", a_trial(score, score.round_sum)}, {"ci", rounds}, {"p99", score.rounds_below(.99)}}},
        {"tests_a_node", tests_a_node(score)},
        {"ambiguous_a_campaign", a_trial(score, static_cast<double>(score.ambiguous))},
        {"alarms", score.alarms}};
    for (const auto& ratio : ratios_of(score))
      method[ratio.key] = {
          {"count", ratio.count}, {"of", ratio.of}, {"ci", share_interval(ratio.count, ratio.of)}};
    json["methods"].push_back(std::move(method));
  }
  return json;
}

}  // namespace mlc::fleet
