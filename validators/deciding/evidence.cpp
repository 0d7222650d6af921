#include "validators/deciding/evidence.hpp"

#include <algorithm>
#include <cmath>
#include <optional>
#include <set>

#include "kernels/dtype.hpp"
#include "reports/record/moment.hpp"
#include "reports/record/split.hpp"
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

// The value of an option in a stage's command, however it is written there: "--backend nccl",
// "--backend=nccl",
// "-d int8", "-dint8".
std::optional<std::string> option_of(const BurninStage& stage,
                                     std::initializer_list<std::string_view> names) {
  for (std::size_t i = 0; i < stage.command.size(); ++i)
    for (const auto name : names) {
      const std::string& word = stage.command[i];
      if (word == name && i + 1 < stage.command.size()) return stage.command[i + 1];
      if (word == name || !word.starts_with(name)) continue;
      if (word[name.size()] == '=') return word.substr(name.size() + 1);
      if (!name.starts_with("--")) return word.substr(name.size());
    }
  return std::nullopt;
}

bool is_collective(const Report& report, const Policy& policy, const std::string& word) {
  return std::ranges::any_of(policy.thresholds, [&](const auto& t) { return t.collective == word; }) ||
         std::ranges::any_of(report.series, [&](const auto& s) { return s.collective == word; });
}

// Could this series be of this stage's command?
bool is_of(const Series& series, const BurninStage& stage) {
  const auto backend = option_of(stage, {"--backend"}),
             dtype = option_of(stage, {"-d", "--dtype", "--datatype"}),
             redop = option_of(stage, {"-o", "--op"});
  // One name; lists and "all" are of several, and any will do.
  const auto asked_dtype = dtype ? parse_dtype(*dtype) : std::optional(Dtype::float32);
  const auto asked_redop = redop ? parse_redop(*redop) : std::optional(Redop::sum);
  return series.collective == stage.command.front() &&
         (!backend || *backend == "auto" || series.backend == *backend) &&
         (!asked_dtype || parse_dtype(series.dtype) == asked_dtype) &&
         (!asked_redop || series.redop.empty() || parse_redop(series.redop) == asked_redop);
}

// The sizes that a collective stage's command names; of a range all, as the sweep has them. Empty: the
// policy's own, or the program's.
std::vector<std::string> sizes_of(const BurninStage& stage) {
  if (const auto listed = option_of(stage, {"-s", "--sizes"})) return split(*listed);
  const auto begin = option_of(stage, {"-b", "--minbytes", "--min-bytes"});
  if (!begin) return {};
  const auto number = [&](std::initializer_list<std::string_view> names) {
    const auto text = option_of(stage, names);
    return text ? parse_bytes(*text) : std::nullopt;
  };
  const auto least = parse_bytes(*begin), most = number({"-e", "--maxbytes", "--max-bytes"});
  if (!least || !most || *least == 0) return {*begin};
  const auto step = number({"-i", "--stepbytes"});
  const auto factor = option_of(stage, {"-f", "--stepfactor"}) ? number({"-f", "--stepfactor"})
                                                               : std::optional<std::uint64_t>(4);
  if (!step && factor.value_or(0) < 2) return {*begin};  // no whole number
  std::vector<std::string> sizes;
  constexpr std::size_t most_sizes = 10'000;
  for (std::uint64_t size = *least, next = 0; size <= *most && sizes.size() < most_sizes; size = next) {
    sizes.push_back(std::to_string(size));
    next = step ? size + *step : size * *factor;
    if (next <= size) break;
  }
  return sizes;
}

// Those that the launch has no series of.
std::vector<std::string> missing_sizes(const Report& report, const BurninStage& stage, int launch) {
  std::vector<std::string> missing;
  for (const auto& text : sizes_of(stage)) {
    const auto size = parse_bytes(text);
    const bool there = std::ranges::any_of(report.series, [&](const Series& series) {
      return series.stage == stage.name && series.launch == launch && series.requested_bytes == size &&
             is_of(series, stage);
    });
    if (size && !there) missing.push_back(text);
  }
  return missing;
}

// Does a `validate` stage name checks? One that names none runs all.
bool names_some(const BurninStage& stage) {
  return stage.command.size() > 1 && !stage.command[1].starts_with('-');
}

// A check by its name or its room, as `validate` takes them.
bool names_check(const BurninStage& stage, const std::string& check) {
  for (std::size_t i = 1; i < stage.command.size() && !stage.command[i].starts_with('-'); ++i)
    if (check == stage.command[i] || check.starts_with(stage.command[i] + ".")) return true;
  return !names_some(stage);
}

// What a stage finds: checks, and what `gpu` and `rdma` say.
bool is_of(const Finding& finding, const BurninStage& stage) {
  const std::string& command = stage.command.front();
  if (command == "gpu") return finding.check.starts_with("burnin.");
  if (command == "rdma") return finding.check.starts_with("rdma.");
  return command != "validate" || names_check(stage, finding.check);
}

// One launch's series given out for another's.
bool repeats(const Report& report, const BurninStage& stage, int launch) {
  const auto same = [](const Series& a, const Series& b) {
    return a.collective == b.collective && a.requested_bytes == b.requested_bytes &&
           a.placement == b.placement && a.dtype == b.dtype && a.redop == b.redop && a.samples == b.samples &&
           a.time_us == b.time_us;
  };
  return std::ranges::any_of(report.series, [&](const Series& one) {
    return one.stage == stage.name && one.launch == launch && one.samples > 1 &&
           std::ranges::any_of(report.series, [&](const Series& other) {
             return other.stage == stage.name && other.launch > 0 && other.launch < launch &&
                    same(one, other);
           });
  });
}

// What one launch of a stage left: the stage's own finding says how it ended, and shows nothing.
struct Left {
  bool tested = false, series = false;
  std::set<std::string> checks, tested_checks;
};

Left left_by(const Report& report, const BurninStage& stage, int launch) {
  Left left;
  for (const auto& series : report.series)
    if (series.stage == stage.name && series.launch == launch && is_of(series, stage))
      left.tested = left.series = true;
  for (const auto& finding : report.findings)
    if (finding.stage == stage.name && finding.launch == launch && is_of(finding, stage)) {
      left.tested |= tested(finding.status);
      left.checks.insert(finding.check);
      if (tested(finding.status)) left.tested_checks.insert(finding.check);
    }
  return left;
}

// What the policy asks of a node that no machine can skip.
std::vector<std::string> always_tested(const Policy& policy) {
  std::vector<std::string> checks;
  if (policy.node && policy.node->rails) checks.emplace_back("pci.inventory");
  if (policy.node && policy.node->gpus) checks.emplace_back("gpu.count");
  return checks;
}

void check_stage(const Report& report, const Policy& policy, const Wanted& wanted, const BurninStage& stage,
                 std::vector<std::string>& missing) {
  const std::string name = "stage " + stage.name;
  const auto record = std::ranges::find(report.stages, stage.name, &StageRecord::name);
  if (record == report.stages.end()) {
    missing.push_back(name + " of policy " + policy.name + " is not in the report");
    return;
  }
  if (std::ranges::count(report.stages, stage.name, &StageRecord::name) > 1) {
    missing.push_back(name + " is in the report more than once");
    return;
  }
  if (record->status == Status::unknown || record->status == Status::skip) {
    missing.push_back(name + ": " + record->why);
    return;
  }
  if (record->status == Status::warn) {
    missing.push_back(name + " is said to end with 'warn', which no stage does");
    return;
  }
  if (record->status == Status::pass && record->launches < stage.launches) {
    missing.push_back(name + " has " + std::to_string(record->launches) +
                      " launches, and the policy asks for " + std::to_string(stage.launches));
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
    else if (is_collective(report, policy, stage.command.front()) && !left.series)
      missing.push_back(which + ": the report has no series of " + stage.command.front() +
                        " as it was asked for");
    else if (const auto sizes = missing_sizes(report, stage, launch); left.series && !sizes.empty())
      missing.push_back(which + ": the report has no series of " + join(sizes, ", "));
    if (repeats(report, stage, launch)) missing.push_back(which + ": its series are another launch's");
    if (stage.command.front() != "validate") continue;
    for (const auto& check : wanted.checks)
      if (names_check(stage, check) && !left.checks.contains(check))
        missing.push_back(which + ": no finding of " + check);
    if (names_some(stage)) continue;
    for (const auto& check : always_tested(policy))
      if (std::ranges::find(wanted.checks, check) != wanted.checks.end() &&
          !left.tested_checks.contains(check))
        missing.push_back(which + ": " + check + " tested nothing");
  }
}

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
  return policy.node || policy.gpu || (plan && !policy.thresholds.empty()) || (policy.rdma && rails_are_run);
}

std::vector<std::string> never_tested(const Report& report, const Policy& policy) {
  std::vector<std::string> missing;
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
  if (policy.gpu && !starts("burnin.") && !starts("gpu."))
    missing.emplace_back("no GPU was tested, and the policy has a 'gpu' section");
  const bool of_thresholds_alone = !policy.node && !policy.gpu && !policy.thresholds.empty();
  const bool judged =
      std::ranges::any_of(report.series, [](const auto& s) { return s.threshold.has_value(); });
  if (of_thresholds_alone && !judged && !starts("rdma."))
    missing.emplace_back("no threshold of the policy was judged, and it asks for nothing else");
  if (policy.rdma && !starts("rdma."))
    missing.emplace_back("no rail was tested, and the policy has an 'rdma' section");
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
      if (stage.required) check_stage(report, policy, wanted, stage, missing);
  return missing;
}

}  // namespace mlc
