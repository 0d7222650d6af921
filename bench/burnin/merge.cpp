#include "bench/burnin/merge.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "reports/history/launches.hpp"
#include "reports/record/figures_json.hpp"
#include "reports/record/text.hpp"

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

}  // namespace

void merge_into(Report& merged, const StageOutcome& outcome) {
  std::vector<std::vector<Series>> launches;
  for (const Report& report : outcome.reports) {
    launches.push_back(report.series);
    for (Series& series : launches.back()) {
      series.backend = report.run.backend, series.nodes = report.run.nodes;
      series.stage = outcome.stage.name;
    }
    merge_nodes(merged.environment.nodes, report.environment.nodes);
    merged.environment.variables.insert(report.environment.variables.begin(),
                                        report.environment.variables.end());
    merged.tool.built.insert(report.tool.built.begin(), report.tool.built.end());
    merged.run.ranks = std::max(merged.run.ranks, report.run.ranks);
    merged.run.nodes = std::max(merged.run.nodes, report.run.nodes);
    for (Finding finding : report.findings) {
      finding.stage = outcome.stage.name, finding.launch = static_cast<int>(launches.size());
      merged.findings.push_back(std::move(finding));
    }
    if (merged.run.fault.empty()) merged.run.fault = report.run.fault;
    merge_figures(merged.figures, report.figures);
    for (ErrorEntry error : report.errors) {
      error.where = "stage " + outcome.stage.name + (error.where.empty() ? "" : ", " + error.where);
      merged.errors.push_back(std::move(error));
    }
  }
  std::ranges::move(joined(launches, Renewed::processes), std::back_inserter(merged.series));
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
