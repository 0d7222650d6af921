#include "reports/history/compare.hpp"

#include <algorithm>
#include <cmath>
#include <map>
#include <set>
#include <tuple>
#include <unordered_map>

#include "reports/record/reasons.hpp"
#include "reports/record/text.hpp"

namespace mlc {

namespace {

// The quantile of the standard normal distribution, by bisection: erfc is the library's and good to the last
// bit.
double normal_quantile(double upper_tail) {
  double low = 0, high = 40;
  for (int i = 0; i < 100; ++i) {
    const double middle = (low + high) / 2;
    (0.5 * std::erfc(middle / std::sqrt(2.0)) > upper_tail ? low : high) = middle;
  }
  return low;
}

}  // namespace

double joint_width(std::size_t count) {
  return count < 2 ? 1 : normal_quantile(0.025 / static_cast<double>(count)) / normal_quantile(0.025);
}

std::array<double, 2> log_ratio_interval(const std::array<double, 3>& over,
                                         const std::array<double, 3>& under, double widen) {
  const double ratio = std::log(over[0] / under[0]);
  const double down = std::hypot(std::log(over[0] / over[1]), std::log(under[2] / under[0]));
  const double up = std::hypot(std::log(over[2] / over[0]), std::log(under[0] / under[1]));
  return {ratio - widen * down, ratio + widen * up};
}

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

// ---- what differs about the runs ----

using Counts = std::map<std::string, std::size_t>;

std::string text_of(const Counts& counts) {
  std::vector<std::string> parts;
  for (const auto& [value, count] : counts)
    parts.push_back(count > 1 ? std::to_string(count) + " x " + value : value);
  return parts.empty() ? "none" : join(parts, ", ");
}

// What every node says of one matter, as a multiset: two fleets are alike if these are.
std::map<std::string, Counts> matters(const Report& report, bool hardware) {
  std::map<std::string, Counts> all;
  for (const auto& node : report.environment.nodes) {
    if (hardware) {
      Counts gpus;
      for (const auto& gpu : node.gpus)
        ++gpus[gpu.name];
      for (const auto& [name, count] : gpus)
        ++all["GPUs"][std::to_string(count) + " x " + name];
      ++all["processors"][node.cpu + ", " + std::to_string(node.cpus) + " usable"];
      continue;
    }
    ++all["kernel"][node.kernel];
    ++all["system"][node.os];
    for (const auto& [name, version] : node.versions)
      ++all[name][version];
    std::set<std::string> drivers;
    for (const auto& gpu : node.gpus)
      if (!gpu.driver.empty()) drivers.insert(gpu.driver);
    for (const auto& driver : drivers)
      ++all["GPU driver"][driver];
  }
  return all;
}

// Of fleets of different size only which values there are can be compared.
std::map<std::string, Counts> uncounted(std::map<std::string, Counts> all) {
  for (auto& [what, counts] : all)
    for (auto& [value, count] : counts)
      count = 1;
  return all;
}

void add_matters(std::vector<Difference>& list, const std::string& kind, const Report& base_report,
                 const Report& next_report) {
  auto base = matters(base_report, kind == "hardware"), next = matters(next_report, kind == "hardware");
  if (base_report.environment.nodes.size() != next_report.environment.nodes.size())
    base = uncounted(std::move(base)), next = uncounted(std::move(next));
  auto names = base;
  names.insert(next.begin(), next.end());
  for (const auto& [name, unused] : names) {
    const Counts none;
    const auto in = [&](const auto& all) -> const Counts& {
      return all.contains(name) ? all.at(name) : none;
    };
    if (in(base) != in(next)) list.push_back({kind, name, text_of(in(base)), text_of(in(next))});
  }
}

std::vector<Difference> differences_of(const Report& base, const Report& next) {
  std::vector<Difference> list;
  const auto add = [&](const std::string& kind, const std::string& what, const std::string& a,
                       const std::string& b) {
    if (a != b) list.push_back({kind, what, a.empty() ? "none" : a, b.empty() ? "none" : b});
  };
  add_matters(list, "hardware", base, next);
  add("policy", "name", base.run.policy, next.run.policy);
  if (base.run.policy == next.run.policy && base.figures.policy && next.figures.policy &&
      base.figures.policy->text != next.figures.policy->text)
    list.push_back(
        {"policy", "content of " + base.run.policy, "one text", "another text under the same name"});
  add("tool", "mlc-bench", base.tool.version, next.tool.version);
  auto parts = base.tool.built;
  parts.insert(next.tool.built.begin(), next.tool.built.end());
  for (const auto& [part, unused] : parts) {
    const auto how = [&](const Report& report) {
      const auto found = report.tool.built.find(part);
      return found == report.tool.built.end() ? std::string() : found->second;
    };
    add("tool", "built with " + part, how(base), how(next));
  }
  add_matters(list, "software", base, next);
  add("run", "backend", base.run.backend, next.run.backend);
  add("run", "ranks", std::to_string(base.run.ranks), std::to_string(next.run.ranks));
  add("run", "nodes", std::to_string(base.run.nodes), std::to_string(next.run.nodes));
  Counts base_names, next_names;
  for (const auto& node : base.environment.nodes)
    ++base_names[node.name];
  for (const auto& node : next.environment.nodes)
    ++next_names[node.name];
  if (base_names != next_names) {
    // Fleets are named by what is not in the other, or the line would be longer than the page.
    const auto only = [](const Counts& in, const Counts& out) {
      std::vector<std::string> names;
      for (const auto& [name, count] : in)
        if (!out.contains(name)) names.push_back(name);
      const std::size_t all = names.size();
      if (all > 5) names.resize(5);
      return names.empty() ? std::string("no other")
                           : join(names, ", ") + (all > 5 ? " and " + std::to_string(all - 5) + " more" : "");
    };
    list.push_back({"run", "nodes taking part", only(base_names, next_names), only(next_names, base_names)});
  }
  auto variables = base.environment.variables;
  variables.insert(next.environment.variables.begin(), next.environment.variables.end());
  for (const auto& [name, unused] : variables) {
    const auto value = [&](const Report& report) {
      const auto found = report.environment.variables.find(name);
      return found == report.environment.variables.end() ? std::string() : found->second;
    };
    add("run", name, value(base), value(next));
  }
  return list;
}

// ---- series ----

struct Measured {
  std::string name, metric;
  double median = 0, low = 0, high = 0;
  std::uint64_t samples = 0;
  std::optional<std::uint64_t> wrong;
};

// Fields are kept apart by a byte that no name has, so that two different series never share a key. The n-th
// of the same key is paired with the n-th.
std::vector<std::pair<std::string, Measured>> measured_in(const Report& report) {
  std::vector<std::pair<std::string, Measured>> list;
  list.reserve(report.series.size() + report.figures.rails.size());
  std::unordered_map<std::string, int> seen;
  const auto add = [&](std::string key, Measured measured) {
    const int nth = seen[key]++;
    key += '\0' + std::to_string(nth);
    list.emplace_back(std::move(key), std::move(measured));
  };
  for (const auto& series : report.series) {
    std::string key = "series";
    for (const auto& part : {series.collective, series.dtype, series.redop, series.placement})
      (key += '\0') += part;
    for (const long long part :
         {static_cast<long long>(series.bytes), static_cast<long long>(series.root.value_or(-1)),
          static_cast<long long>(series.ranks)})
      (key += '\0') += std::to_string(part);
    add(std::move(key),
        {series_name(series) + ", " + std::to_string(series.ranks) + (series.ranks == 1 ? " rank" : " ranks"),
         "time_us", series.time_us.p50, series.ci_us[0], series.ci_us[1], series.samples, series.wrong});
  }
  for (const auto& rail : report.figures.rails) {
    std::string key = "rail";
    for (const auto& part : {rail.node, rail.peer, operation_of(rail), std::to_string(rail.rail),
                             std::to_string(rail.peer_rail), std::to_string(rail.bytes)})
      (key += '\0') += part;
    add(std::move(key), {operation_of(rail) + " " + bytes_text(rail.bytes) + ", " + rail.node + " rail " +
                             std::to_string(rail.rail) + (rail.peer.empty() ? "" : " to " + rail.peer),
                         "gbit_s", rail.gbit_s, rail.ci_gbit_s[0], rail.ci_gbit_s[1], 0, std::nullopt});
  }
  return list;
}

// Six samples are the fewest whose extremes bound the median with 95 % (2 * 2^-6 = 3.1 %). Zero: not counted.
constexpr std::uint64_t fewest_samples = 6;

std::string no_interval(const Measured& it, std::string_view side) {
  const std::string where = " in the " + std::string(side) + " report";
  if (!(std::isfinite(it.median) && it.median > 0)) return "no median" + where;
  if (!(std::isfinite(it.high) && it.low > 0 && it.low <= it.median && it.median <= it.high))
    return "no interval" + where;
  if (it.samples > 0 && it.samples < fewest_samples)
    return "only " + std::to_string(it.samples) + " samples" + where;
  return {};
}

void judge(SeriesChange& change, const Measured& base, const Measured& next, double widen, double tolerance) {
  const bool rate = change.metric == "gbit_s";
  change.why = no_interval(base, "base");
  if (change.why.empty()) change.why = no_interval(next, "new");
  if (!change.why.empty()) {
    change.may_regress = true;
  } else {
    const std::array<double, 3> a{base.median, base.low, base.high}, b{next.median, next.low, next.high};
    const auto interval = rate ? log_ratio_interval(a, b, widen) : log_ratio_interval(b, a, widen);
    change.slowdown = rate ? base.median / next.median : next.median / base.median;
    change.slowdown_ci = {std::exp(interval[0]), std::exp(interval[1])};
    const auto [low, high] = change.slowdown_ci;
    if (low >= 1 / (1 + tolerance) && high <= 1 + tolerance)
      change.change = Change::same;
    else if (low > 1)
      change.change = Change::worse;
    else if (high < 1)
      change.change = Change::better;
    else
      change.why = "the interval holds both a difference and none";
    change.regression = low > 1 + tolerance;
    change.may_regress = !change.regression && high > 1 + tolerance;
  }
  // Wrong data is worse at any speed, and a check left out proves nothing.
  if (next.wrong.value_or(0) > 0 && base.wrong.value_or(0) == 0) {
    change.change = Change::worse;
    change.regression = true;
    change.may_regress = false;
    change.why = std::to_string(*next.wrong) + " wrong elements";
  } else if (base.wrong && !next.wrong && !change.regression) {
    change.may_regress = true;
    change.why = "data was verified in the base report only";
  }
}

std::vector<SeriesChange> series_changes(const Report& base, const Report& next, double tolerance) {
  auto before = measured_in(base);
  const auto after = measured_in(next);
  std::unordered_map<std::string_view, const Measured*> by_key;
  for (const auto& [key, measured] : after)
    by_key.emplace(key, &measured);
  std::size_t pairs = 0;
  for (const auto& [key, measured] : before)
    pairs += by_key.count(key);
  const double widen = joint_width(pairs);

  std::vector<SeriesChange> list;
  list.reserve(before.size());
  for (const auto& [key, measured] : before) {
    SeriesChange change{.name = measured.name,
                        .metric = measured.metric,
                        .base = measured.median,
                        .next = {},
                        .base_ci = {measured.low, measured.high},
                        .next_ci = {},
                        .slowdown = {},
                        .slowdown_ci = {},
                        .change = Change::undecided,
                        .regression = false,
                        .may_regress = true,
                        .why = "not measured in the new report"};
    if (const auto found = by_key.find(key); found != by_key.end()) {
      const Measured& other = *found->second;
      change.next = other.median;
      change.next_ci = {other.low, other.high};
      judge(change, measured, other, widen, tolerance);
      by_key.erase(found);
    }
    list.push_back(std::move(change));
  }
  for (const auto& [key, measured] : after)
    if (by_key.contains(key))
      list.push_back({.name = measured.name,
                      .metric = measured.metric,
                      .base = {},
                      .next = measured.median,
                      .base_ci = {},
                      .next_ci = {measured.low, measured.high},
                      .slowdown = {},
                      .slowdown_ci = {},
                      .change = Change::undecided,
                      .regression = false,
                      .may_regress = false,
                      .why = "new: not in the base report"});
  return list;
}

// ---- findings ----

int badness(Status status) {
  switch (status) {
    case Status::pass:
      return 0;
    case Status::warn:
      return 1;
    case Status::fail:
      return 2;
    case Status::skip:
    case Status::unknown:
      return -1;  // says nothing either way
  }
  return -1;
}

void judge(FindingChange& change) {
  if (!change.base) {
    // A check that is new: a fault it shows is there now, whatever was before.
    change.regression = change.next == Status::fail;
    change.change = change.regression ? Change::worse : Change::undecided;
    return;
  }
  if (!change.next) {
    change.may_regress = badness(*change.base) >= 0 && *change.base != Status::fail;
    return;
  }
  if (*change.base == *change.next) {
    change.change = Change::same;
    return;
  }
  const int before = badness(*change.base), after = badness(*change.next);
  if (after < 0) {
    change.may_regress = before == 0 || before == 1;
    return;
  }
  if (before < 0) {
    change.change = *change.next == Status::fail ? Change::worse : Change::undecided;
    change.regression = *change.next == Status::fail;
    return;
  }
  change.change = after > before ? Change::worse : Change::better;
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

void decide(Comparison& comparison, const Report& next) {
  std::vector<std::string> failed, undecided;
  std::size_t compared = 0, open_series = 0, open_findings = 0;
  for (const auto& change : comparison.findings) {
    compared += change.base && change.next;
    open_findings += change.may_regress;
    if (change.regression)
      failed.push_back(change.check + ": " + change.subject + " " +
                       (change.base ? "was " + std::string(to_string(*change.base)) : std::string("is new")) +
                       ", is fail: " + change.next_observed);
  }
  for (const auto& change : comparison.series) {
    compared += change.base && change.next;
    open_series += change.may_regress;
    if (change.regression)
      failed.push_back(change.name + ": " + (change.why.empty() ? slowdown_text(change) : change.why));
  }
  if (open_series > 0)
    undecided.push_back(std::to_string(open_series) + " series may be slower by more than " +
                        percent_text(comparison.tolerance) + ": too noisy or not measured");
  if (open_findings > 0)
    undecided.push_back(std::to_string(open_findings) + " findings were good and are now unknown or missing");
  for (const auto& error : next.errors)
    undecided.push_back("the new run: " + error.what);
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
  decide(comparison, next);
  return comparison;
}

}  // namespace mlc
