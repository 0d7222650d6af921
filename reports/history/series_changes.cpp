#include "reports/history/series_changes.hpp"

#include <cmath>
#include <unordered_map>

#include "reports/history/launches.hpp"
#include "reports/record/reasons.hpp"
#include "reports/record/text.hpp"

namespace mlc {

namespace {

// One measurement over all its launches in a report.
struct Measured {
  std::string key, name, metric;
  std::vector<LaunchMedian> launches;
  std::uint64_t samples = 0;  // in all; 0: not counted
  std::optional<std::uint64_t> wrong;
};

// Fields are kept apart by a byte that no name has, so that two different series never share a key.
class Measurements {
 public:
  Measured& at(std::string kind, const std::vector<std::string>& parts) {
    for (const auto& part : parts)
      (kind += '\0') += part;
    const auto [place, first] = place_.try_emplace(kind, list_.size());
    if (first) list_.push_back({.key = std::move(kind)});
    return list_[place->second];
  }
  std::vector<Measured> take() && { return std::move(list_); }

 private:
  std::vector<Measured> list_;
  std::unordered_map<std::string, std::size_t> place_;
};

void add_wrong(Measured& measured, const std::optional<std::uint64_t>& wrong, bool first) {
  if (first)
    measured.wrong = wrong;
  else if (measured.wrong && wrong)
    *measured.wrong += *wrong;
  else if (measured.wrong.value_or(0) == 0)
    measured.wrong = wrong.value_or(0) > 0 ? wrong : std::nullopt;  // a launch was not verified
}

std::vector<Measured> measured_in(const Report& report) {
  Measurements all;
  for (const auto& series : report.series) {
    Measured& measured =
        all.at("series", {series.collective, series.dtype, series.redop, series.placement, series.timing,
                          std::to_string(series.bytes), std::to_string(series.root.value_or(-1)),
                          std::to_string(series.ranks)});
    add_wrong(measured, series.wrong, measured.launches.empty());
    measured.name =
        series_name(series) + ", " + std::to_string(series.ranks) + (series.ranks == 1 ? " rank" : " ranks");
    measured.metric = "time_us", measured.samples += series.samples;
    for (const auto& launch : launches_of(series))
      measured.launches.push_back({launch.p50_us, launch.ci_us});
  }
  for (const auto& rail : report.figures.rails) {
    Measured& measured = all.at("rail", {rail.node, rail.peer, operation_of(rail), std::to_string(rail.rail),
                                         std::to_string(rail.peer_rail), std::to_string(rail.bytes)});
    measured.name = operation_of(rail) + " " + bytes_text(rail.bytes) + ", " + rail.node + " rail " +
                    std::to_string(rail.rail) + (rail.peer.empty() ? "" : " to " + rail.peer);
    measured.metric = "gbit_s";
    measured.launches.push_back({rail.gbit_s, rail.ci_gbit_s});
  }
  return std::move(all).take();
}

// The median, and its interval, for people; the comparison does not need them.
struct Shown {
  double median = 0;
  std::array<double, 2> ci{};
};

Shown shown(const Measured& it) {
  if (it.launches.size() == 1) return {it.launches.front().value, it.launches.front().ci};
  const LaunchSpread spread = spread_of(it.launches);
  return {middle_of(spread), interval_of(spread)};
}

// Six samples are the fewest whose extremes bound the median with 95 % (2 * 2^-6 = 3.1 %).
constexpr std::uint64_t fewest_samples = 6;

// Why nothing can be said of it; empty if it can.
std::string silent(const Measured& it, std::string_view side) {
  const std::string where = " in the " + std::string(side) + " report";
  for (const auto& launch : it.launches)
    if (!(std::isfinite(launch.value) && launch.value > 0)) return "no median" + where;
  if (it.samples > 0 && it.samples < fewest_samples)
    return "only " + std::to_string(it.samples) + " samples" + where;
  if (it.launches.size() < 2) return "one launch" + where + ": what launches differ by is not known";
  return {};
}

// `tail`: the chance of an error on each side, so that all series together keep 95 %.
void judge(SeriesChange& change, const Measured& base, const Measured& next, double tail, double tolerance) {
  const bool rate = change.metric == "gbit_s";
  change.why = silent(base, "base");
  if (change.why.empty()) change.why = silent(next, "new");
  if (!change.why.empty()) {
    change.may_regress = true;
  } else {
    const LaunchSpread before = spread_of(base.launches), after = spread_of(next.launches);
    const LaunchSpread &over = rate ? before : after, &under = rate ? after : before;
    const auto interval = log_ratio_interval(over, under, tail);
    change.slowdown = std::exp(over.centre - under.centre);
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

SeriesChange change_of(const Measured& it) {
  SeriesChange change;
  change.name = it.name, change.metric = it.metric;
  return change;
}

void set_base(SeriesChange& change, const Measured& it) {
  const Shown is = shown(it);
  change.base = is.median, change.base_ci = is.ci, change.base_launches = it.launches.size();
}

void set_next(SeriesChange& change, const Measured& it) {
  const Shown is = shown(it);
  change.next = is.median, change.next_ci = is.ci, change.next_launches = it.launches.size();
}

}  // namespace

std::vector<SeriesChange> series_changes(const Report& base, const Report& next, double tolerance) {
  const auto before = measured_in(base), after = measured_in(next);
  std::unordered_map<std::string_view, const Measured*> by_key;
  for (const auto& measured : after)
    by_key.emplace(measured.key, &measured);
  std::size_t pairs = 0;
  for (const auto& measured : before)
    pairs += by_key.count(measured.key);
  const double tail = 0.025 / static_cast<double>(std::max<std::size_t>(pairs, 1));  // Bonferroni

  std::vector<SeriesChange> list;
  list.reserve(before.size());
  for (const auto& measured : before) {
    SeriesChange change = change_of(measured);
    set_base(change, measured);
    if (const auto found = by_key.find(measured.key); found != by_key.end()) {
      set_next(change, *found->second);
      judge(change, measured, *found->second, tail, tolerance);
      by_key.erase(found);
    } else {
      change.may_regress = true, change.why = "not measured in the new report";
    }
    list.push_back(std::move(change));
  }
  for (const auto& measured : after)
    if (by_key.contains(measured.key)) {
      SeriesChange change = change_of(measured);
      set_next(change, measured);
      change.why = "new: not in the base report";
      list.push_back(std::move(change));
    }
  return list;
}

}  // namespace mlc
