#include "reports/history/compare.hpp"

#include <algorithm>
#include <map>
#include <tuple>

#include "reports/history/series_changes.hpp"
#include "reports/record/text.hpp"

namespace mlc {

std::string_view series_word(Change change) {
  switch (change) {
    case Change::same:
      return "SAME";
    case Change::better:
      return "FASTER";
    case Change::worse:
      return "SLOWER";
    case Change::undecided:
      return "UNDECIDED";
  }
  return "UNDECIDED";
}

std::string_view finding_word(Change change) {
  switch (change) {
    case Change::same:
      return "SAME";
    case Change::better:
      return "BETTER";
    case Change::worse:
      return "WORSE";
    case Change::undecided:
      return "UNDECIDED";
  }
  return "UNDECIDED";
}

namespace {

void judge(FindingChange& change) {
  if (!change.base) {
    // A check that is new: a fault it shows is there now, whatever was before.
    change.regression = change.next == Status::fail;
    change.change = change.regression ? Change::worse : Change::undecided;
    return;
  }
  if (!change.next) {
    change.may_regress = tested(*change.base) && *change.base != Status::fail;
    return;
  }
  if (*change.base == *change.next) {
    change.change = Change::same;
    return;
  }
  if (!tested(*change.next)) {
    change.may_regress = tested(*change.base) && *change.base != Status::fail;
    return;
  }
  if (!tested(*change.base)) {
    change.change = *change.next == Status::fail ? Change::worse : Change::undecided;
    change.regression = *change.next == Status::fail;
    return;
  }
  change.change = severity(*change.next) > severity(*change.base) ? Change::worse : Change::better;
  change.regression = *change.next == Status::fail;
}

std::vector<FindingChange> finding_changes(const Report& base, const Report& next) {
  std::vector<FindingChange> list;
  std::map<std::tuple<std::string, std::string, int>, std::size_t> place;
  std::map<std::pair<std::string, std::string>, int> seen;
  for (const auto& finding : base.findings) {
    place[{finding.check, finding.subject, seen[{finding.check, finding.subject}]++}] = list.size();
    list.push_back({.check = finding.check,
                    .subject = finding.subject,
                    .base = finding.status,
                    .next = {},
                    .base_observed = finding.observed,
                    .next_observed = "",
                    .remedy = "",
                    .change = Change::undecided,
                    .regression = false,
                    .may_regress = false});
  }
  seen.clear();
  for (const auto& finding : next.findings) {
    const auto found = place.find({finding.check, finding.subject, seen[{finding.check, finding.subject}]++});
    if (found == place.end()) {
      list.push_back({.check = finding.check,
                      .subject = finding.subject,
                      .base = {},
                      .next = finding.status,
                      .base_observed = "",
                      .next_observed = finding.observed,
                      .remedy = finding.remedy,
                      .change = Change::undecided,
                      .regression = false,
                      .may_regress = false});
      continue;
    }
    FindingChange& change = list[found->second];
    change.next = finding.status;
    change.next_observed = finding.observed;
    change.remedy = finding.remedy;
  }
  for (auto& change : list)
    judge(change);
  return list;
}

// Regressions, then what may hide one, then slower, undecided, faster, same.
template <class T>
int order(const T& change) {
  if (change.regression) return 0;
  if (change.change == Change::worse) return 1;
  if (change.may_regress) return 2;
  if (change.change == Change::undecided) return 3;
  return change.change == Change::better ? 4 : 5;
}

std::string slowdown_text(const SeriesChange& change) {
  if (!change.slowdown) return change.why;
  return percent_text(*change.slowdown - 1) + " slower, interval " + percent_text(change.slowdown_ci[0] - 1) +
         " to " + percent_text(change.slowdown_ci[1] - 1);
}

void decide(Comparison& comparison, const Report& base, const Report& next) {
  std::vector<std::string> failed, undecided;
  std::size_t compared = 0, open_series = 0, single = 0, open_findings = 0;
  for (const auto& change : comparison.findings) {
    compared += change.base && change.next;
    open_findings += change.may_regress;
    if (change.regression)
      failed.push_back(change.check + ": " + change.subject + " " +
                       (change.base ? "was " + std::string(to_string(*change.base)) : std::string("is new")) +
                       ", is fail: " + change.next_observed);
  }
  for (const auto& change : comparison.series) {
    const bool both = change.base && change.next;
    compared += both;
    const bool one_launch = both && std::min(change.base_launches, change.next_launches) < 2;
    (one_launch ? single : open_series) += change.may_regress;
    if (change.regression)
      failed.push_back(change.name + ": " + (change.why.empty() ? slowdown_text(change) : change.why));
  }
  if (single > 0)
    undecided.push_back(std::to_string(single) +
                        " series have one launch on a side, which decides nothing: measure with --launches "
                        "5, or compare folders of several reports");
  if (open_series > 0)
    undecided.push_back(std::to_string(open_series) + " series may be slower by more than " +
                        percent_text(comparison.tolerance) + ": too noisy or not measured");
  if (open_findings > 0)
    undecided.push_back(std::to_string(open_findings) + " findings were good and are now unknown or missing");
  for (const auto& error : next.errors)
    undecided.push_back("the new run: " + error.what);
  const auto count = [&](auto which) { return std::ranges::count_if(next.series, which); };
  if (const auto unverified = count([](const Series& s) { return !s.wrong; }); unverified > 0)
    undecided.push_back(std::to_string(unverified) + " series of the new run were not verified");
  if (const auto wrong = count([](const Series& s) { return s.wrong.value_or(0) > 0; }); wrong > 0)
    undecided.push_back(std::to_string(wrong) + " series of the new run have wrong data");
  for (const Report* run : {&base, &next})
    if (!run->run.fault.empty())
      undecided.push_back("a fault was planted in the " + std::string(run == &base ? "base" : "new") +
                          " run (--inject)");
  if (compared == 0) undecided.push_back("the two reports have nothing in common");
  comparison.decision = !failed.empty()      ? Decision::fail
                        : !undecided.empty() ? Decision::inconclusive
                                             : Decision::pass;
  comparison.because = std::move(failed);
  comparison.because.insert(comparison.because.end(), undecided.begin(), undecided.end());
}

}  // namespace

Comparison compare(const Report& base, const Report& next, const CompareOptions& options) {
  Comparison comparison;
  comparison.base_run = base.run.id;
  comparison.next_run = next.run.id;
  comparison.base_started = base.run.started;
  comparison.next_started = next.run.started;
  comparison.base_decision = base.verdict.decision;
  comparison.next_decision = next.verdict.decision;
  comparison.tolerance = options.tolerance;
  comparison.differences = differences_of(base, next);
  comparison.series = series_changes(base, next, options.tolerance);
  comparison.findings = finding_changes(base, next);
  std::stable_sort(
      comparison.series.begin(), comparison.series.end(), [](const SeriesChange& a, const SeriesChange& b) {
        return std::tuple(order(a), -a.slowdown.value_or(0)) < std::tuple(order(b), -b.slowdown.value_or(0));
      });
  std::stable_sort(comparison.findings.begin(), comparison.findings.end(),
                   [](const FindingChange& a, const FindingChange& b) { return order(a) < order(b); });
  decide(comparison, base, next);
  return comparison;
}

}  // namespace mlc
