#include "reports/record/reasons.hpp"

#include "reports/record/text.hpp"

namespace mlc {

namespace {

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

Reason explain(const std::string& sentence, const About& about, const Report& report) {
  const auto i = about.index;
  const auto where = [&](const char* what) { return what + std::to_string(i); };
  if (about.list == About::List::findings && i < report.findings.size())
    return {sentence, report.findings[i].remedy, where("finding-")};
  if (about.list == About::List::series && i < report.series.size())
    return {sentence, remedy_of(report.series[i]), where("series-")};
  if (about.list == About::List::errors && i < report.errors.size())
    return {sentence, report.errors[i].hint, where("error-")};
  return {sentence, "", ""};
}

}  // namespace

std::vector<Reason> reasons(const Report& report) {
  const Verdict& verdict = report.verdict;
  const bool known = verdict.about.size() == verdict.because.size();
  std::vector<Reason> list;
  for (std::size_t i = 0; i < verdict.because.size(); ++i)
    list.push_back(explain(verdict.because[i], known ? verdict.about[i] : About{}, report));
  return list;
}

std::string series_name(const Series& series) {
  std::string name = series.collective;
  for (const auto& part : {series.dtype, series.redop})
    if (!part.empty()) name += " " + part;
  name += " " + bytes_text(series.bytes);
  if (series.placement == "in_place") name += " in-place";
  if (series.root) name += " root " + std::to_string(*series.root);
  if (!series.timing.empty()) name += " timed as " + series.timing;
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
