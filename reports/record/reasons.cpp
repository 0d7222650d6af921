#include "reports/record/reasons.hpp"

#include "reports/record/text.hpp"

namespace mlc {

namespace {

bool judged_badly(const Series& series) {
  return series.wrong.value_or(0) > 0 || (series.threshold && (series.threshold->status == Status::fail ||
                                                               series.threshold->status == Status::unknown));
}

std::string remedy_of(const Series& series) {
  if (series.slowest)
    return "look at " + slowest_text(*series.slowest) + ": run mlc-bench validate on that node";
  if (series.mismatch)
    return "rank " + std::to_string(series.mismatch->rank) + " on " + series.mismatch->node +
           " received wrong data: take that node out of use and run mlc-bench burnin on it";
  if (series.threshold && series.threshold->status == Status::unknown)
    return "run it again on a quiet node, with more time";
  return "no single rank stands out: run mlc-bench validate on every node of the run";
}

// `sentence` is about a thing if it begins with the thing's name, and the name ends there.
bool begins(std::string_view sentence, const std::string& name) {
  if (name.empty() || !sentence.starts_with(name)) return false;
  const auto rest = sentence.substr(name.size());
  return rest.empty() || rest.front() == ':' || rest.front() == ' ' || rest.front() == ',';
}

Reason explain(const std::string& sentence, const Report& report) {
  Reason reason{sentence, "", ""};
  for (std::size_t i = 0; i < report.findings.size(); ++i) {
    const Finding& finding = report.findings[i];
    if (finding.check.empty() || finding.status == Status::pass) continue;
    if (!begins(sentence, finding.check + ": " + finding.subject)) continue;
    return {sentence, finding.remedy, "finding-" + std::to_string(i)};
  }
  for (std::size_t i = 0; i < report.series.size(); ++i) {
    const Series& series = report.series[i];
    if (series.collective.empty() || !judged_badly(series)) continue;
    const std::string name = series.collective + " " + bytes_text(series.bytes);
    const bool in_place = sentence.starts_with(name + " in-place");
    if (!begins(sentence, name) || in_place != (series.placement == "in_place")) continue;
    return {sentence, remedy_of(series), "series-" + std::to_string(i)};
  }
  for (std::size_t i = 0; i < report.errors.size(); ++i)
    if (begins(sentence, report.errors[i].what))
      return {sentence, report.errors[i].hint, "error-" + std::to_string(i)};
  return reason;
}

}  // namespace

std::vector<Reason> reasons(const Report& report) {
  std::vector<Reason> list;
  for (const auto& sentence : report.verdict.because)
    list.push_back(explain(sentence, report));
  return list;
}

std::string series_name(const Series& series) {
  std::string name = series.collective;
  for (const auto& part : {series.dtype, series.redop})
    if (!part.empty()) name += " " + part;
  name += " " + bytes_text(series.bytes);
  if (series.placement == "in_place") name += " in-place";
  if (series.root) name += " root " + std::to_string(*series.root);
  return name;
}

std::string room_of(std::string_view check) { return std::string(check.substr(0, check.find('.'))); }

std::string slowest_text(const Slowest& slowest) {
  return "rank " + std::to_string(slowest.rank) + " (" + slowest.node + "), " + percent_text(slowest.excess) +
         " over the others";
}

std::string operation_of(const RailResult& rail) {
  return rail.operation + (rail.phase == "together" ? ", together" : "") +
         (rail.both_directions ? ", both ways" : "");
}

}  // namespace mlc
