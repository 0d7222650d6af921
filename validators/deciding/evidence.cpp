#include "validators/deciding/evidence.hpp"

#include <algorithm>
#include <cmath>
#include <iterator>
#include <optional>
#include <set>

#include "reports/record/moment.hpp"
#include "reports/record/text.hpp"
#include "validators/deciding/figure_evidence.hpp"
#include "validators/deciding/stage_evidence.hpp"

namespace mlc {

namespace {

void check_identity(const Report& report, const NodeIdentity& wanted, std::vector<std::string>& missing) {
  bool known = false;
  for (const auto& node : report.environment.nodes) {
    if (node.name != wanted.name) continue;
    known = true;
    if (node.boot_id.empty())
      missing.push_back("the report does not say in which boot of " + wanted.name + " it was made");
    else if (!wanted.boot_id.empty() && wanted.boot_id != node.boot_id)
      missing.push_back("the report is of another boot of " + wanted.name);
    if (wanted.machine_id.empty() || node.machine_id == wanted.machine_id) continue;
    missing.push_back(node.machine_id.empty()
                          ? "the report does not say on which machine it was made (machine id)"
                          : "the report is of another machine than " + wanted.name + " (machine id " +
                                printable(node.machine_id, 40) + ")");
  }
  if (!known) missing.push_back("the report is not of " + wanted.name);
}

// A run has a beginning and an end, both lie in the past, and its timed iterations fit in between.
void check_time(const Report& report, const Wanted& wanted, std::vector<std::string>& missing) {
  const auto started = parse_rfc3339(report.run.started);
  const double lasted = report.run.duration_s;
  if (!started) {
    missing.push_back("the report does not say when its run began");
    return;
  }
  if (!(lasted > 0) || !std::isfinite(lasted)) {
    missing.push_back("the report does not say how long its run lasted");
    return;
  }
  double timed_s = 0;
  for (const auto& series : report.series)
    timed_s += std::max(static_cast<double>(series.samples) * series.time_us.min / 1e6,
                        series.observation && series.launches.empty() ? series.observation->wall_s : 0);
  if (timed_s > lasted + 1)
    missing.push_back("the report's iterations take " + time_text(timed_s * 1e6) + ", and its run lasted " +
                      time_text(lasted * 1e6));
  if (wanted.now &&
      static_cast<double>(*started) + lasted > static_cast<double>(*wanted.now) + wanted.clock_skew_s)
    missing.push_back("the report's run ends at " +
                      rfc3339(*started + static_cast<std::time_t>(std::min(lasted, 1e9))) +
                      ", which is yet to come: it is " + rfc3339(*wanted.now));
}

// Keys of the `node` section whose check no stage ran: stages may name checks, and leave some out. What a
// check could not look at here (a Pod's walls, another kind of link) it skips; but something of all that is
// asked must have been looked at.
std::vector<std::string> never_judged(const Report& report, const Policy& policy, const Wanted& wanted) {
  std::vector<std::string> missing, of_asked;
  if (!policy.node) return missing;
  std::set<std::string> found, seen;
  for (const auto& finding : report.findings)
    if (!finding.stage.empty()) {
      found.insert(finding.check);
      if (finding.status != Status::skip) seen.insert(finding.check);
    }
  for (const auto& check : wanted.checks) {
    std::vector<std::string> asked;
    for (const auto& key : check.keys)
      if (policy.node->keys.contains(key)) asked.push_back("node." + key);
    if (asked.empty()) continue;
    of_asked.push_back(check.name);
    if (!found.contains(check.name))
      missing.push_back("no stage ran " + check.name +
                        ", which judges what the policy asks: " + join(asked, ", "));
  }
  if (missing.empty() && !of_asked.empty() &&
      std::ranges::none_of(of_asked, [&](const std::string& check) { return seen.contains(check); }))
    missing.push_back("all that judges what the policy asks of a node was skipped: " + join(of_asked, ", "));
  return missing;
}

std::string name_of(RunKind kind) {
  switch (kind) {
    case RunKind::health:
      return "health run";
    case RunKind::passive:
      return "passive look";
    case RunKind::fabric:
      return "fabric stage";
    case RunKind::burnin:
      break;
  }
  return "burn-in";
}

}  // namespace

bool asks_of_a_node(const Policy& policy, const BurninPlan* plan) {
  const bool rails_are_run = plan && std::ranges::any_of(plan->stages, [](const auto& stage) {
                               return stage.command.front() == "rdma";
                             });
  return asks(policy.node) || policy.gpu || (plan && !policy.thresholds.empty()) ||
         (policy.rdma && rails_are_run);
}

std::vector<std::string> never_tested(const Report& report, const Policy& policy, const Wanted& wanted) {
  std::vector<std::string> missing = never_judged(report, policy, wanted);
  const auto any = [&](auto fits) {
    return std::ranges::any_of(report.findings, [&](const Finding& finding) {
      return tested(finding.status) && !finding.stage.empty() && fits(finding);
    });
  };
  const auto starts = [&](const char* with) {
    return any([&](const Finding& finding) { return finding.check.starts_with(with); });
  };
  for (const auto& check : always_tested(policy))
    if (!any([&](const Finding& finding) { return finding.check == check; }))
      missing.push_back(check + " tested nothing, and the policy asks for what it tests");
  if (policy.gpu && report.figures.gpu_results.empty())
    missing.emplace_back("no GPU was measured, and the policy has a 'gpu' section");
  else
    std::ranges::move(figures_never_judged(report, policy, wanted), std::back_inserter(missing));
  const bool of_thresholds_alone = !asks(policy.node) && !policy.gpu && !policy.thresholds.empty();
  const bool judged =
      std::ranges::any_of(report.series, [](const auto& s) { return s.threshold.has_value(); });
  if (of_thresholds_alone && !judged && !starts("rdma."))
    missing.emplace_back("no threshold of the policy was judged, and it asks for nothing else");
  const bool fabric_comes = wanted.kind == RunKind::burnin && fabric_measures_rails(policy);
  if (policy.rdma && report.figures.rails.empty() && !fabric_comes)
    missing.emplace_back("no rail was measured, and the policy has an 'rdma' section");
  return missing;
}

std::vector<std::string> failed_stages(const Report& report, const BurninPlan& plan) {
  std::vector<std::string> failed;
  for (const auto& stage : plan.stages) {
    for (const auto& record : report.stages)
      if (record.name == stage.name && record.status == Status::fail)
        failed.push_back("stage " + stage.name + ": " + record.why);
  }
  return failed;
}

std::vector<std::string> missing_provenance(const Report& report, const Policy& policy,
                                            const Wanted& wanted) {
  std::vector<std::string> missing;
  if (!wanted.node) return missing;
  check_identity(report, *wanted.node, missing);
  const auto shown = [](const std::string& digest) { return printable(digest.substr(0, 19), 40) + "..."; };
  if (report.run.policy_digest.empty())
    missing.push_back("the report does not say under which policy it was made");
  else if (report.run.policy_digest != policy.digest)
    missing.push_back("the report was made under another policy (" + shown(report.run.policy_digest) +
                      ") than " + policy.name + " as it is here (" + shown(policy.digest) + ")");
  if (report.tool.version != wanted.version)
    missing.push_back("the report is by version '" + printable(report.tool.version, 40) +
                      "' of mlc-bench, and this is " + wanted.version);
  check_time(report, wanted, missing);
  return missing;
}

std::vector<std::string> missing_stages(const Report& report, const Policy& policy, const Wanted& wanted) {
  std::vector<std::string> missing;
  if (wanted.plan && report.run.plan != to_string(wanted.kind))
    missing.push_back("the report is of no " + name_of(wanted.kind));
  if (wanted.plan)
    for (const auto& stage : wanted.plan->stages)
      if (stage.required)
        std::ranges::move(missing_of(report, policy, wanted, stage), std::back_inserter(missing));
  return missing;
}

}  // namespace mlc
