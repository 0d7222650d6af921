#include "bench/fleet/observation.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <string_view>

#include "reports/record/text.hpp"
#include "reports/record/whole_number.hpp"

namespace mlc::fleet {

namespace {

constexpr std::array<std::string_view, 3> seen_names{"good", "bad", "unknown"};
constexpr std::size_t most_observations = 100'000, most_text = 300;

std::string shortened(const std::string& text) { return printable(text, most_text); }

// Why this report is not of a meeting of these two; empty where it is.
std::string of_others(const Report& report, const Member& first, const Member& second) {
  if (first.boot_id.empty() || second.boot_id.empty()) return "a node does not know its boot";
  if (first.boot_id == second.boot_id) return "both are Pods of one machine";
  for (const auto* member : {&first, &second}) {
    const auto node = std::ranges::find(report.environment.nodes, member->node, &Node::name);
    if (node == report.environment.nodes.end()) return "the report is not of " + printable(member->node, 80);
    if (node->boot_id != member->boot_id)
      return "the report is of another machine or boot than " + printable(member->node, 80);
  }
  return {};
}

std::string first_reason(const Report& report) {
  if (!report.errors.empty()) return report.errors.front().what;
  return report.verdict.because.empty() ? "it came to no verdict" : report.verdict.because.front();
}

Observation of_rail(const RailResult& rail, int from, int to) {
  Observation seen{.from = from, .to = to, .rail = rail.rail, .peer_rail = rail.peer_rail};
  // Carried, and nothing was asked of it: that data arrives is all there is to see.
  const bool carried = rail.status == Status::unknown && rail.why.empty() && rail.gbit_s > 0;
  seen.seen = rail.status == Status::fail                                             ? Seen::bad
              : rail.status == Status::pass || rail.status == Status::warn || carried ? Seen::good
                                                                                      : Seen::unknown;
  if (rail.target_gbit_s > 0) seen.share = rail.gbit_s / rail.target_gbit_s;
  seen.what = fixed(rail.gbit_s, 1) + " of " + shortest(rail.target_gbit_s) + " Gbit/s" +
              (rail.phase == "together" ? ", all rails together" : "");
  if (seen.seen != Seen::good && !rail.why.empty()) seen.what += " (" + shortened(rail.why) + ")";
  return sound(std::move(seen));
}

// The meeting beside its rails: what the rails share, what a collective measures, whether it came to an end.
Observation of_all(const Report& report, int first, int second, bool rail_is_bad, bool rail_is_unknown) {
  Observation all{.from = first, .to = second};
  const auto failed = std::ranges::find_if(report.findings, [](const Finding& finding) {
    return finding.status == Status::fail && finding.check != "rdma.bandwidth";
  });
  if (failed != report.findings.end())
    all.seen = Seen::bad, all.what = failed->subject + ": " + failed->observed;
  else if (report.verdict.decision == Decision::fail && !rail_is_bad)
    all.seen = Seen::bad, all.what = first_reason(report);
  else if (!report.errors.empty() ||
           (report.verdict.decision == Decision::inconclusive && !rail_is_bad && !rail_is_unknown))
    all.seen = Seen::unknown, all.what = first_reason(report);
  else
    all.seen = Seen::good;
  all.what = shortened(all.what);
  return all;
}

}  // namespace

Observation sound(Observation observation) {
  if (observation.share && !(*observation.share > 0 && std::isfinite(*observation.share)))
    observation.share.reset();
  // A rail that carried nothing may be bad; it is never good.
  if (observation.seen == Seen::good && observation.rail != whole_node && !observation.share)
    observation.seen = Seen::unknown;
  return observation;
}

Observation not_measured(int first, int second, const std::string& why) {
  return {.from = first, .to = second, .seen = Seen::unknown, .share = {}, .what = shortened(why)};
}

std::vector<Observation> observations_of(const Report& report, const std::vector<Member>& group, int first,
                                         int second) {
  const Member &one = group.at(static_cast<std::size_t>(first)),
               &other = group.at(static_cast<std::size_t>(second));
  if (const auto why = of_others(report, one, other); !why.empty()) return {not_measured(first, second, why)};
  std::vector<Observation> seen;
  bool bad = false, unknown = false;
  for (const auto& rail : report.figures.rails) {
    const bool forth = rail.node == one.node && rail.peer == other.node,
               back = rail.node == other.node && rail.peer == one.node;
    if ((!forth && !back) || rail.rail < 0 || rail.peer_rail < 0) continue;
    seen.push_back(of_rail(rail, forth ? first : second, forth ? second : first));
    bad |= seen.back().seen == Seen::bad, unknown |= seen.back().seen == Seen::unknown;
  }
  seen.push_back(of_all(report, first, second, bad, unknown));
  return seen;
}

nlohmann::json to_json(const std::vector<Observation>& observations) {
  auto list = nlohmann::json::array();
  for (const auto& seen : observations) {
    nlohmann::json entry{{"from", seen.from},
                         {"to", seen.to},
                         {"rail", seen.rail},
                         {"peer_rail", seen.peer_rail},
                         {"seen", seen_names[static_cast<std::size_t>(seen.seen)]},
                         {"what", printable(seen.what, 2 * most_text)}};
    if (seen.share && std::isfinite(*seen.share)) entry["share"] = *seen.share;
    list.push_back(std::move(entry));
  }
  return list;
}

std::vector<Observation> observations_from_json(const nlohmann::json& json) {
  try {
    if (!json.is_array() || json.size() > most_observations)
      throw std::runtime_error("it is no list of observations");
    std::vector<Observation> all;
    for (const auto& entry : json) {
      const auto name = entry.at("seen").get<std::string>();
      const auto seen = std::ranges::find(seen_names, name);
      if (seen == seen_names.end())
        throw std::runtime_error("'" + printable(name, 20) + "' is none of good, bad, unknown");
      Observation one{.from = whole_number<int>(entry.at("from")),
                      .to = whole_number<int>(entry.at("to")),
                      .rail = whole_number<int>(entry.at("rail")),
                      .peer_rail = whole_number<int>(entry.at("peer_rail")),
                      .seen = static_cast<Seen>(seen - seen_names.begin()),
                      .share = {},
                      .what = printable(entry.at("what").get<std::string>(), 2 * most_text)};
      if (entry.contains("share")) one.share = entry.at("share").get<double>();
      all.push_back(sound(std::move(one)));
    }
    return all;
  } catch (const nlohmann::json::exception& error) {
    throw std::runtime_error(std::string("observations of a fabric stage cannot be read: ") +
                             printable(error.what()));
  }
}

}  // namespace mlc::fleet
