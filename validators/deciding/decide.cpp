#include "validators/deciding/decide.hpp"

#include <algorithm>

#include "reports/record/text.hpp"

namespace mlc {

namespace {

std::string name_of(const Series& series) {
  return series.collective + " " + bytes_text(series.bytes) +
         (series.placement == "in_place" ? " in-place" : "");
}

std::string name_of(const Finding& finding) {
  std::string text = finding.check + ": " + finding.subject + " " + finding.observed;
  return finding.expected.empty() ? text : text + ", expected " + finding.expected;
}

}  // namespace

Verdict decide(const Report& report, const Policy& policy, const std::vector<std::string>& unmeasured) {
  std::vector<std::string> failed, undecided;
  for (const auto& series : report.series) {
    if (series.wrong.value_or(0) > 0) {
      std::string text = name_of(series) + ": " + std::to_string(*series.wrong) + " wrong elements";
      if (series.mismatch)
        text += ", first on rank " + std::to_string(series.mismatch->rank) + " (" + series.mismatch->node +
                ") at index " + std::to_string(series.mismatch->index) + ": " + series.mismatch->kind;
      failed.push_back(text);
    }
    if (!series.threshold) continue;
    if (series.threshold->status == Status::fail)
      failed.push_back(name_of(series) + ": " + series.threshold->why);
    if (series.threshold->status == Status::unknown)
      undecided.push_back(name_of(series) + ": " + series.threshold->why);
  }
  for (const auto& finding : report.findings) {
    if (finding.status == Status::fail) failed.push_back(name_of(finding));
    if (finding.status == Status::unknown && policy.unknown_blocks) undecided.push_back(name_of(finding));
  }
  for (const auto& threshold : unmeasured)
    undecided.push_back("not measured: " + threshold);
  for (const auto& error : report.errors)
    undecided.push_back(error.what + (error.phase.empty() ? "" : " (" + error.phase + ")"));
  // Findings that were all skipped or unknown have tested nothing, whatever the policy lets pass beside
  // others.
  const bool tested = std::ranges::any_of(report.findings, [](const Finding& finding) {
    return finding.status != Status::skip && finding.status != Status::unknown;
  });
  if (failed.empty() && undecided.empty() && report.series.empty() && !tested)
    undecided.push_back(report.findings.empty() ? "nothing was measured"
                                                : "no check could test anything here");

  Verdict verdict;
  verdict.decision = !failed.empty()      ? Decision::fail
                     : !undecided.empty() ? Decision::inconclusive
                                          : Decision::pass;
  verdict.because = failed;
  verdict.because.insert(verdict.because.end(), undecided.begin(), undecided.end());
  return verdict;
}

}  // namespace mlc
