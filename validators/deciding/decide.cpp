#include "validators/deciding/decide.hpp"

#include <algorithm>
#include <cmath>
#include <set>

#include "kernels/dtype.hpp"
#include "reports/record/causes.hpp"
#include "reports/record/text.hpp"
#include "validators/deciding/evidence.hpp"
#include "validators/deciding/figure_evidence.hpp"
#include "validators/deciding/judged_again.hpp"
#include "validators/deciding/thresholds.hpp"

namespace mlc {

namespace {

std::string name_of(const Series& series) {
  return series.collective + " " + bytes_text(series.bytes) +
         (series.placement == "in_place" ? " in-place" : "");
}

std::string name_of(const Finding& finding) {
  const std::string text = finding.check + ": " + observed_of(finding);
  return finding.expected.empty() ? text : text + ", expected " + finding.expected;
}

// As many machines as the report knows, whatever a series says: a boot is one.
int machines_of(const Report& report) {
  std::set<std::string> machines;
  for (const auto& node : report.environment.nodes)
    machines.insert(node.boot_id.empty() ? "named " + node.name : node.boot_id);
  return std::max(1, static_cast<int>(machines.size()));
}

RunShape shape_of(const Series& series, const Report& report) {
  const int nodes = series.nodes > 0 ? series.nodes : report.run.nodes;
  return {series.backend.empty() ? report.run.backend : series.backend, series.ranks,
          report.environment.nodes.empty() ? nodes : std::min(nodes, machines_of(report))};
}

Measured as_measured(const Series& series) {
  return {.collective = series.collective,
          .dtype = series.dtype,
          .redop = series.redop,
          .placement = series.placement,
          .requested_bytes = series.requested_bytes,
          .bytes = series.bytes,
          .bus_factor = series.algbw_gb_s > 0 ? series.busbw_gb_s / series.algbw_gb_s : 1};
}

// A series whose figures contradict each other is no measurement.
std::string inconsistent(const Series& series) {
  const auto told = series.told_us();
  if (series.samples == 0 || !(told > 0) || !std::isfinite(told)) return "has no samples";
  const double algbw = static_cast<double>(series.bytes) / told / 1e3;
  if (series.bytes > 0 && std::fabs(algbw - series.algbw_gb_s) > 0.01 * algbw)
    return "says " + shortest(series.algbw_gb_s) + " GB/s, and its bytes and time make " + shortest(algbw);
  const auto& t = series.time_us;
  if (!(t.max > 0)) return "has times of zero";
  // A mean of equal times is rounded.
  if (!(t.min <= t.p50 && t.p50 <= t.p95 && t.p95 <= t.p99 && t.p99 <= t.max && t.mean <= t.max * (1 + 1e-9)))
    return "has times that contradict each other (the median, the percentiles or the mean beyond the "
           "extremes)";
  if (series.ranks < 1 || !parse_dtype(series.dtype)) return "is of no ranks or no dtype that there is";
  if (series.bytes > series.requested_bytes || 2 * series.bytes < series.requested_bytes)
    return "has " + bytes_text(series.bytes) + " where " + bytes_text(series.requested_bytes) +
           " were asked for";
  // Twice is the most that any operation's factor is (allreduce: 2 (n - 1) / n).
  if (series.busbw_gb_s > 2.01 * series.algbw_gb_s) return "has a bus bandwidth that no operation has";
  if (const auto& seen = series.observation; seen && series.launches.empty())
    if (seen->blocks > series.samples || seen->longest_us < 0.99 * series.time_us.max ||
        seen->wall_busbw_gb_s > 2.01 * series.busbw_gb_s * series.time_us.p50 / series.time_us.min)
      return "was observed otherwise than its samples say";
  return {};
}

struct Sentence {
  std::string text;
  About about = {};
};

struct Reasons {
  std::vector<Sentence> failed, undecided;

  void doubt(std::string text, About about = {}) { undecided.push_back({std::move(text), about}); }
  void fail(std::string text, About about = {}) { failed.push_back({std::move(text), about}); }
};

// What was found of the node may be why it is slow, and comes first; that a stage failed says less than what
// failed in it, and comes last, or not at all where that is told.
void causes_first(const Report& report, std::vector<Sentence>& failed) {
  const auto finding_of = [&](const Sentence& one) -> const Finding* {
    return one.about.list == About::List::findings ? &report.findings[one.about.index] : nullptr;
  };
  std::set<std::string> told;
  for (const auto& one : failed)
    if (one.about.list == About::List::series) told.insert(report.series[one.about.index].stage);
  std::erase_if(failed, [&](const Sentence& one) {
    const Finding* finding = finding_of(one);
    return finding != nullptr && told.contains(stage_of(*finding)) && !stage_of(*finding).empty();
  });
  std::ranges::stable_sort(failed, std::less(), [&](const Sentence& one) {
    const Finding* finding = finding_of(one);
    return finding == nullptr ? 1 : stage_of(*finding).empty() ? 0 : 2;
  });
}

std::string wrong_text(const Series& series) {
  std::string text = std::to_string(*series.wrong) + " wrong elements";
  if (series.mismatch)
    text += ", first on rank " + std::to_string(series.mismatch->rank) + " (" + series.mismatch->node +
            ") at index " + std::to_string(series.mismatch->index) + ": " + series.mismatch->kind;
  return text;
}

// Of a stage that the plan has and does not require: what it could not tell keeps nobody out; what it found
// does.
bool is_optional(const std::string& stage, const Wanted& wanted) {
  return wanted.plan && !stage.empty() &&
         std::ranges::any_of(wanted.plan->stages,
                             [&](const BurninStage& one) { return one.name == stage && !one.required; });
}

void decide_series(const Report& report, const Policy& policy, const Wanted& wanted, Reasons& reasons) {
  const bool admission = wanted.plan && admits(wanted.kind);
  for (std::size_t i = 0; i < report.series.size(); ++i) {
    const Series& series = report.series[i];
    const About about{About::List::series, i};
    const auto doubt = [&](const std::string& why) {
      if (!why.empty()) reasons.doubt(name_of(series) + ": " + why, about);
    };
    if (series.wrong.value_or(0) > 0) reasons.fail(name_of(series) + ": " + wrong_text(series), about);
    if (!series.wrong) doubt("its data was not verified");
    doubt(inconsistent(series));
    const Status said = series.threshold ? series.threshold->status : Status::pass;
    if (said == Status::fail)
      reasons.fail(name_of(series) + ": " + series.threshold->why, about);
    else if (is_optional(series.stage, wanted))
      continue;
    else if (said != Status::pass)
      doubt(series.threshold->why);
    else if (const RunShape shape = shape_of(series, report);
             const Threshold* asked = strictest_threshold(as_measured(series), policy, shape))
      doubt(not_shown_to_meet(series, shape.nodes, *asked, policy.confidence, admission));
  }
}

void decide_findings(const Report& report, const Policy& policy, const Wanted& wanted, Reasons& reasons) {
  for (const auto& [i, waiting] : causes(report.findings)) {
    const Finding& finding = report.findings[i];
    const About about{About::List::findings, i};
    const std::string more = waiting_text(report.findings, waiting);
    const std::string text = name_of(finding) + (more.empty() ? "" : " (" + more + ")");
    if (finding.status == Status::fail) reasons.fail(text, about);
    // A stage's own finding is of no stage.
    const std::string stage = finding.stage.empty() && finding.check.starts_with("burnin.")
                                  ? finding.check.substr(std::string_view("burnin.").size())
                                  : finding.stage;
    if (finding.status == Status::unknown && policy.unknown_blocks && !is_optional(stage, wanted))
      reasons.doubt(text, about);
  }
}

// A node that a campaign could not clear is not cleared, whatever the policy lets pass; and one that it found
// at fault has a finding that says so. The report of a fabric run is of one node, and answers for that alone.
void decide_fleet(const FleetFigures& fleet, const Report& report, Reasons& reasons) {
  const bool of_one = report.run.plan == to_string(RunKind::fabric);
  for (const auto& node : fleet.nodes) {
    if (of_one && (report.environment.nodes.empty() || report.environment.nodes.front().name != node.name))
      continue;
    if (node.standing == "CLEAN" || node.standing == "WATCH") continue;
    const bool faulty = node.standing == "FAULTY";
    const bool found = std::ranges::any_of(report.findings, [&](const Finding& finding) {
      return finding.check == "fleet.location" && finding.status == Status::fail;
    });
    if (!faulty || !found)
      reasons.doubt("node " + printable(node.name, 64) + " is " + printable(node.standing, 20) +
                    (faulty ? ", and no finding says of what" : ""));
  }
  if (!fleet.alarm.empty()) reasons.doubt("of the fleet as a whole: " + fleet.alarm);
  if (fleet.nodes.size() < 2) reasons.doubt("a campaign of fewer than two nodes");
}

std::vector<MeasuredRun> runs_of(const Report& report) {
  std::vector<MeasuredRun> runs;
  for (const auto& series : report.series) {
    const RunShape shape = shape_of(series, report);
    auto run = std::ranges::find_if(runs, [&](const MeasuredRun& one) {
      return one.collective == series.collective && one.shape == shape;
    });
    if (run == runs.end()) run = runs.insert(runs.end(), {series.collective, shape, {}});
    run->all.push_back(as_measured(series));
  }
  return runs;
}

// What the policy asks of the collective that was run, as it was run, and no series answers. The stages of a
// plan need not each measure all: of a node that is to be admitted, the whole is asked for all that concerns
// one node, or a pair of them where there is no fabric stage to come, which measures that.
std::vector<std::string> unmeasured(const Report& report, const Policy& policy, const Wanted& wanted) {
  const auto runs = runs_of(report);
  if (wanted.stage) return {};
  if (wanted.plan) {
    if (!admits(wanted.kind)) return {};
    return never_measured(runs, policy, wanted.kind == RunKind::burnin && policy.fabric ? 1 : 2);
  }
  std::vector<std::string> missing;
  for (const auto& run : runs)
    std::ranges::move(unmeasured(run.all, policy, run.collective, run.shape), std::back_inserter(missing));
  return missing;
}

// Findings that were all skipped or unknown have tested nothing, whatever the policy lets pass beside others.
void decide_whether_anything(const Report& report, const Policy& policy, const Wanted& wanted,
                             Reasons& reasons) {
  const bool of_a_node = wanted.plan.has_value() || wanted.node.has_value();
  const bool checks_alone = report.series.empty() && report.figures.rails.empty() &&
                            report.figures.gpu_results.empty() && !report.figures.fleet &&
                            !report.findings.empty();
  if ((of_a_node || checks_alone) && !asks_of_a_node(policy, wanted.plan ? &*wanted.plan : nullptr))
    reasons.doubt("nothing was asked: policy " + policy.name +
                  " says nothing of what a node must be (no 'node' or 'gpu'" +
                  (wanted.plan ? " section, no 'thresholds')" : " section)"));
  if (of_a_node && !wanted.plan)
    reasons.doubt("nothing was asked: policy " + policy.name + " does not say what is run on a node");
  // Checks are asked of the `node` section; those of GPUs read the `gpu` section too.
  const bool of_gpus = std::ranges::any_of(report.findings, [](const Finding& finding) {
    return tested(finding.status) &&
           (finding.check.starts_with("gpu.") || finding.check.starts_with("burnin."));
  });
  if (!of_a_node && checks_alone && !asks(policy.node) && policy.gpu && !of_gpus)
    reasons.doubt("nothing was asked: policy " + policy.name + " asks of GPUs alone, and none was tested");
  const bool anything_tested =
      std::ranges::any_of(report.findings, [](const Finding& finding) { return tested(finding.status); });
  if (reasons.failed.empty() && reasons.undecided.empty() && report.series.empty() && !anything_tested)
    reasons.doubt(report.findings.empty() ? "nothing was measured" : "no check could test anything here");
}

}  // namespace

Verdict decide(const Report& report, const Policy& policy, const Wanted& wanted) {
  Reasons reasons;
  decide_series(report, policy, wanted, reasons);
  decide_findings(report, policy, wanted, reasons);
  if (report.figures.fleet) decide_fleet(*report.figures.fleet, report, reasons);
  const auto figures = judge_figures(report, policy, wanted);
  for (const auto& text : figures.failed)
    reasons.fail(text);
  for (const auto& text : figures.undecided)
    reasons.doubt(text);
  if (wanted.plan && reasons.failed.empty())
    for (const auto& stage : failed_stages(report, *wanted.plan))
      reasons.fail(stage);
  Verdict verdict{.unmeasured = unmeasured(report, policy, wanted)};
  for (const auto& threshold : verdict.unmeasured)
    reasons.doubt("not measured: " + threshold);
  for (std::size_t i = 0; i < report.errors.size(); ++i) {
    const ErrorEntry& error = report.errors[i];
    reasons.doubt(error.what + (error.phase.empty() ? "" : " (" + error.phase + ")"),
                  {About::List::errors, i});
  }
  if (!report.run.fault.empty())
    reasons.doubt("a fault was planted (--inject " + printable(report.run.fault, 100) + ")");
  // What comes after a failed stage may not have been run, and would change nothing.
  if (reasons.failed.empty())
    for (const auto& stage : missing_stages(report, policy, wanted))
      reasons.doubt(stage);
  if (reasons.failed.empty() && wanted.plan && admits(wanted.kind))
    for (const auto& what : never_tested(report, policy, wanted))
      reasons.doubt(what);
  decide_whether_anything(report, policy, wanted, reasons);

  causes_first(report, reasons.failed);
  const auto unproven = missing_provenance(report, policy, wanted);
  verdict.decision = !unproven.empty()            ? Decision::inconclusive
                     : !reasons.failed.empty()    ? Decision::fail
                     : !reasons.undecided.empty() ? Decision::inconclusive
                                                  : Decision::pass;
  const auto tell = [&](const std::string& text, const About& about) {
    verdict.because.push_back(text), verdict.about.push_back(about);
  };
  for (const auto& text : unproven)
    tell(text, {});
  for (const auto* list : {&reasons.failed, &reasons.undecided})
    for (const auto& [text, about] : *list)
      tell(text, about);
  return verdict;
}

}  // namespace mlc
