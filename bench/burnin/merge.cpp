#include "bench/burnin/merge.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <tuple>

#include "bench/stats/judging.hpp"
#include "reports/record/figures_json.hpp"
#include "reports/record/text.hpp"
#include "validators/deciding/decide.hpp"

namespace mlc {

namespace {

void merge_nodes(std::vector<Node>& nodes, const std::vector<Node>& more) {
  for (const auto& node : more) {
    const auto known = std::ranges::find(nodes, node.name, &Node::name);
    if (known == nodes.end()) {
      nodes.push_back(node);
      continue;
    }
    known->versions.insert(node.versions.begin(), node.versions.end());
    if (known->gpus.empty()) known->gpus = node.gpus;
    if (known->ranks.empty()) known->ranks = node.ranks;
    if (known->boot_id.empty()) known->boot_id = node.boot_id;
  }
}

// As JSON, so that a kind of figure that is added later is merged too: lists are joined, of all else the
// first counts.
void merge_figures(Figures& figures, const Figures& more) {
  auto one = figures_to_json(figures);
  const auto other = figures_to_json(more);
  for (const auto& [key, value] : other.items()) {
    if (!one.contains(key))
      one[key] = value;
    else if (value.is_array())
      one[key].insert(one[key].end(), value.begin(), value.end());
  }
  figures = figures_from_json(one);
}

// The same measurement in another launch.
bool alike(const Series& a, const Series& b) {
  return std::tie(a.collective, a.dtype, a.redop, a.placement, a.root, a.bytes, a.ranks) ==
         std::tie(b.collective, b.dtype, b.redop, b.placement, b.root, b.bytes, b.ranks);
}

Conclusion conclusion_of(const Judgement& judgement) {
  return judgement.status == Status::pass   ? Conclusion::at_least
         : judgement.status == Status::fail ? Conclusion::below
                                            : Conclusion::undecided;
}

Conclusion over_launches(const Series& series, const std::vector<Report>& launches) {
  std::vector<Conclusion> each;
  for (const auto& report : launches)
    for (const auto& other : report.series)
      if (other.threshold && alike(other, series)) each.push_back(conclusion_of(*other.threshold));
  return mlc::over_launches(each);
}

// An error leaves a run undecided; one of a stage that is not required is a finding, which decides nothing.
void merge_errors(Report& merged, const Report& report, const StageOutcome& outcome, int launch) {
  for (const ErrorEntry& error : report.errors)
    if (outcome.stage.required)
      merged.errors.push_back(
          {.what = error.what,
           .where = "stage " + outcome.stage.name + (error.where.empty() ? "" : ", " + error.where),
           .phase = error.phase,
           .hint = error.hint});
    else
      merged.findings.push_back(
          {.check = "burnin." + outcome.stage.name,
           .subject = error.where.empty() ? "stage" : error.where,
           .status = Status::unknown,
           .observed = error.what + (error.phase.empty() ? "" : " (" + error.phase + ")"),
           .expected = {},
           .source = outcome.stage.name,
           .remedy = error.hint,
           .stage = outcome.stage.name,
           .launch = launch});
}

}  // namespace

void decide_over_launches(std::vector<Report>& launches, const Policy& policy) {
  std::vector<Series*> alone;
  for (auto& report : launches)
    for (auto& series : report.series)
      if (series.threshold && series.threshold->status == Status::fail &&
          over_launches(series, launches) == Conclusion::undecided)
        alone.push_back(&series);
  for (Series* series : alone) {
    series->threshold->status = Status::unknown, series->threshold->doubt = "launch";
    series->threshold->why +=
        ", in one of " + std::to_string(launches.size()) +
        " launches alone: intermittent, or chance; burn in again, look for a bad channel";
  }
  if (!alone.empty())
    for (auto& report : launches)
      report.verdict = decide(report, policy, {.stage = true});
}

void merge_into(Report& merged, const StageOutcome& outcome) {
  int launch = 0;
  for (const Report& report : outcome.reports) {
    ++launch;
    merge_nodes(merged.environment.nodes, report.environment.nodes);
    merged.environment.variables.insert(report.environment.variables.begin(),
                                        report.environment.variables.end());
    merged.tool.built.insert(report.tool.built.begin(), report.tool.built.end());
    merged.run.ranks = std::max(merged.run.ranks, report.run.ranks);
    merged.run.nodes = std::max(merged.run.nodes, report.run.nodes);
    for (Series series : report.series) {
      series.backend = report.run.backend, series.nodes = report.run.nodes;
      series.stage = outcome.stage.name;
      series.launch = launch, series.of_launches = outcome.stage.launches;
      merged.series.push_back(std::move(series));
    }
    for (Finding finding : report.findings) {
      finding.stage = outcome.stage.name, finding.launch = launch;
      merged.findings.push_back(std::move(finding));
    }
    if (merged.run.fault.empty()) merged.run.fault = report.run.fault;
    merge_figures(merged.figures, report.figures);
    merge_errors(merged, report, outcome, launch);
  }
  merged.stages.push_back({.name = outcome.stage.name,
                           .command = outcome.command,
                           .launches = outcome.decided,
                           .status = outcome.status,
                           .why = outcome.why});
  merged.findings.push_back({.check = "burnin." + outcome.stage.name,
                             .subject = "stage",
                             .status = outcome.status,
                             .observed = outcome.why,
                             .expected = outcome.status == Status::skip
                                             ? ""
                                             : "pass within " + time_text(outcome.stage.limit_s * 1e6),
                             .source = "mlc-bench " + join(outcome.command, " "),
                             .remedy = outcome.status == Status::pass ? "" : outcome.remedy});
}

}  // namespace mlc
