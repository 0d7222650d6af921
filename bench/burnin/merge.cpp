#include "bench/burnin/merge.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "reports/record/figures_json.hpp"
#include "reports/record/text.hpp"
#include "validators/deciding/decide.hpp"

namespace mlc {

namespace {

constexpr std::string_view not_measured = "not measured: ";  // as decide() words it

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
  for (std::size_t launch = 0; launch < outcome.reports.size(); ++launch) {
    const Report& report = outcome.reports[launch];
    merge_nodes(merged.environment.nodes, report.environment.nodes);
    merged.environment.variables.insert(report.environment.variables.begin(),
                                        report.environment.variables.end());
    merged.tool.built.insert(report.tool.built.begin(), report.tool.built.end());
    merged.run.ranks = std::max(merged.run.ranks, report.run.ranks);
    merged.run.nodes = std::max(merged.run.nodes, report.run.nodes);
    for (Series series : report.series) {
      if (outcome.stage.launches > 1)
        series.warnings.push_back("launch " + std::to_string(launch + 1) + " of " +
                                  std::to_string(outcome.stage.launches));
      merged.series.push_back(std::move(series));
    }
    merged.findings.insert(merged.findings.end(), report.findings.begin(), report.findings.end());
    merge_figures(merged.figures, report.figures);
    for (ErrorEntry error : report.errors) {
      error.where = "stage " + outcome.stage.name + (error.where.empty() ? "" : ", " + error.where);
      merged.errors.push_back(std::move(error));
    }
  }
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

Verdict verdict_of(const Report& merged, const std::vector<StageOutcome>& outcomes, const Policy& policy) {
  std::vector<std::string> unmeasured;
  for (const auto& outcome : outcomes) {
    for (const auto& report : outcome.reports)
      for (const auto& because : report.verdict.because)
        if (because.starts_with(not_measured)) unmeasured.push_back(because.substr(not_measured.size()));
    const bool said = policy.unknown_blocks;  // then the stage's finding is in the verdict already
    if (outcome.stage.required && outcome.status == Status::unknown && !said)
      unmeasured.push_back("stage " + outcome.stage.name + ": " + outcome.why);
  }
  return decide(merged, policy, unmeasured);
}

}  // namespace mlc
