#include "validators/deciding/evidence.hpp"

#include <algorithm>
#include <cmath>
#include <set>

#include "reports/record/moment.hpp"
#include "reports/record/text.hpp"

namespace mlc {

namespace {

// As it was run, a word has names where the policy has {peer}, {peers} or {nodes}.
bool is_word(const std::string& run, const std::string& asked) {
  const auto open = asked.find('{'), close = asked.rfind('}');
  if (open == std::string::npos || close == std::string::npos || close < open) return run == asked;
  return run.size() >= open + asked.size() - close - 1 && run.starts_with(asked.substr(0, open)) &&
         run.ends_with(asked.substr(close + 1));
}

bool is_command(const std::vector<std::string>& run, const std::vector<std::string>& asked) {
  return std::ranges::equal(run, asked, is_word);
}

// What one launch of a stage left: the stage's own finding says how it ended, and shows nothing.
struct Left {
  bool tested = false, of_its_collective = false;
  std::set<std::string> checks;
};

Left left_by(const Report& report, const BurninStage& stage, int launch) {
  Left left;
  for (const auto& series : report.series)
    if (series.stage == stage.name && series.launch == launch)
      left.tested = true, left.of_its_collective |= series.collective == stage.command.front();
  for (const auto& finding : report.findings)
    if (finding.stage == stage.name && finding.launch == launch) {
      left.tested |= tested(finding.status);
      left.checks.insert(finding.check);
    }
  return left;
}

bool is_collective(const Report& report, const Policy& policy, const std::string& word) {
  return std::ranges::any_of(policy.thresholds, [&](const auto& t) { return t.collective == word; }) ||
         std::ranges::any_of(report.series, [&](const auto& s) { return s.collective == word; });
}

void check_stage(const Report& report, const Policy& policy, const Wanted& wanted, const BurninStage& stage,
                 std::vector<std::string>& missing) {
  const std::string name = "stage " + stage.name;
  const auto record = std::ranges::find(report.stages, stage.name, &StageRecord::name);
  if (record == report.stages.end()) {
    missing.push_back(name + " of policy " + policy.name + " is not in the report");
    return;
  }
  if (record->status == Status::unknown || record->status == Status::skip) {
    missing.push_back(name + ": " + record->why);
    return;
  }
  if (!is_command(record->command, stage.command)) {
    missing.push_back(name + " ran '" + join(record->command, " ") + "', and the policy says '" +
                      join(stage.command, " ") + "'");
    return;
  }
  for (int launch = 1; launch <= stage.launches; ++launch) {
    const std::string which = name + (stage.launches > 1 ? ", launch " + std::to_string(launch) + " of " +
                                                               std::to_string(stage.launches)
                                                         : "");
    const Left left = left_by(report, stage, launch);
    if (!left.tested)
      missing.push_back(which + ": the report shows nothing that it measured or could test");
    else if (is_collective(report, policy, stage.command.front()) && !left.of_its_collective)
      missing.push_back(which + ": the report has no series of " + stage.command.front());
    if (stage.command.size() == 1 && stage.command.front() == "validate")
      for (const auto& check : wanted.checks)
        if (!left.checks.contains(check)) missing.push_back(which + ": no finding of " + check);
  }
}

void check_identity(const Report& report, const NodeIdentity& wanted, std::vector<std::string>& missing) {
  const auto node = std::ranges::find(report.environment.nodes, wanted.name, &Node::name);
  if (node == report.environment.nodes.end()) {
    missing.push_back("the report is not of " + wanted.name);
    return;
  }
  if (node->boot_id.empty())
    missing.push_back("the report does not say in which boot of " + wanted.name + " it was made");
  else if (!wanted.boot_id.empty() && wanted.boot_id != node->boot_id)
    missing.push_back("the report is of another boot of " + wanted.name);
  if (!node->machine_id.empty() && !wanted.machine_id.empty() && node->machine_id != wanted.machine_id)
    missing.push_back("the report is of another machine than " + wanted.name + " (machine id " +
                      printable(node->machine_id, 40) + ")");
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
    timed_s += static_cast<double>(series.samples) * series.time_us.min / 1e6;
  if (timed_s > lasted + 1)
    missing.push_back("the report's iterations take " + time_text(timed_s * 1e6) + ", and its run lasted " +
                      time_text(lasted * 1e6));
  if (wanted.now &&
      static_cast<double>(*started) + lasted > static_cast<double>(*wanted.now) + wanted.clock_skew_s)
    missing.push_back("the report's run ends at " +
                      rfc3339(*started + static_cast<std::time_t>(std::min(lasted, 1e9))) +
                      ", which is yet to come: it is " + rfc3339(*wanted.now));
}

}  // namespace

bool asks_of_a_node(const Policy& policy) {
  return policy.node.has_value() || policy.gpu.has_value() || !policy.thresholds.empty();
}

std::vector<std::string> failed_stages(const Report& report, const BurninPlan& plan) {
  std::vector<std::string> failed;
  for (const auto& stage : plan.stages) {
    const auto record = std::ranges::find(report.stages, stage.name, &StageRecord::name);
    if (record != report.stages.end() && record->status == Status::fail)
      failed.push_back("stage " + stage.name + ": " + record->why);
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
  if (wanted.plan)
    for (const auto& stage : wanted.plan->stages)
      if (stage.required) check_stage(report, policy, wanted, stage, missing);
  return missing;
}

}  // namespace mlc
