#include <algorithm>
#include <cmath>
#include <set>

#include "reports/history/cuts.hpp"
#include "reports/history/history.hpp"
#include "reports/record/text.hpp"

namespace mlc {

namespace {

// Numbers of statistics.md, section 3.
constexpr double suspect_z = -5;
constexpr double suspect_ratio = 0.98;
constexpr double least_spread = 0.003;   // of the ratios: below this all peers are alike
constexpr double mass = 0.1;             // more than this share at once is the fleet's doing
constexpr double median_jump = 0.03;     // of the fleet's median from one slot to the next
constexpr double mad_to_sigma = 1.4826;  // of a normal distribution
constexpr std::size_t least_fleet = 3;   // tracks whose median can stand for a fleet

// A group's readings as a table: goodness (more is better) by track and slot, NaN where there is none.
struct Table {
  std::vector<std::int64_t> slots;            // in order; slot * slot_s is its time
  std::vector<std::vector<double>> goodness;  // [track][slot]
  std::vector<double> median;                 // over tracks
  std::vector<std::size_t> peers;
};

Table table_of(const History::Group& group, std::int64_t slot_s) {
  Table table;
  for (const auto& track : group.tracks)
    for (const auto& point : track.points)
      table.slots.push_back(slot_of(point.time_s, slot_s));
  std::sort(table.slots.begin(), table.slots.end());
  table.slots.erase(std::unique(table.slots.begin(), table.slots.end()), table.slots.end());
  const bool less_is_better = group.unit == "us";
  for (const auto& track : group.tracks) {
    auto& row = table.goodness.emplace_back(table.slots.size(), std::nan(""));
    std::size_t column = 0;
    for (std::size_t i = 0; i < track.points.size();) {
      const std::int64_t slot = slot_of(track.points[i].time_s, slot_s);
      std::vector<double> values;
      for (; i < track.points.size() && slot_of(track.points[i].time_s, slot_s) == slot; ++i)
        values.push_back(less_is_better ? 1 / track.points[i].value : track.points[i].value);
      while (table.slots[column] != slot)
        ++column;
      row[column] = values.size() == 1 ? values.front() : median_of(std::move(values));
    }
  }
  std::vector<double> column;
  for (std::size_t s = 0; s < table.slots.size(); ++s) {
    column.clear();
    for (const auto& row : table.goodness)
      if (!std::isnan(row[s])) column.push_back(row[s]);
    table.peers.push_back(column.size());
    table.median.push_back(median_of(column));
  }
  return table;
}

// What is different about a track's machine or policy around a change. The index of a change can be off by
// one.
std::vector<VersionChange> versions_changed(const std::vector<const History::Track*>& tracks,
                                            const std::vector<Versions>& versions, std::int64_t before_s,
                                            std::int64_t after_s) {
  std::map<std::pair<std::uint32_t, std::uint32_t>, std::set<std::string_view>> steps;
  for (const History::Track* track : tracks) {
    const auto later = [](std::int64_t time, const History::Point& point) { return time < point.time_s; };
    const auto first_after = std::upper_bound(track->points.begin(), track->points.end(), after_s - 1, later);
    auto last_before = std::upper_bound(track->points.begin(), track->points.end(), before_s, later);
    if (first_after == track->points.end() || last_before == track->points.begin()) continue;
    --last_before;
    if (last_before->versions != first_after->versions)
      steps[{last_before->versions, first_after->versions}].insert(track->node);
  }
  std::map<std::tuple<std::string, std::string, std::string>, std::size_t> counts;
  for (const auto& [step, nodes] : steps) {
    const Versions &before = versions[step.first], &after = versions[step.second];
    auto names = before;
    names.insert(after.begin(), after.end());
    for (const auto& [what, unused] : names) {
      const auto value = [&](const Versions& in) {
        const auto found = in.find(what);
        return found == in.end() ? std::string("absent") : found->second;
      };
      if (value(before) != value(after)) counts[{what, value(before), value(after)}] += nodes.size();
    }
  }
  std::vector<VersionChange> list;
  for (const auto& [key, nodes] : counts)
    list.push_back({std::get<0>(key), std::get<1>(key), std::get<2>(key), nodes});
  std::stable_sort(list.begin(), list.end(),
                   [](const VersionChange& a, const VersionChange& b) { return a.nodes > b.nodes; });
  return list;
}

std::string subject_text(const std::string& node, int rail) {
  return rail < 0 ? node : node + " rail " + std::to_string(rail);
}

class GroupAnalysis {
 public:
  GroupAnalysis(const History& history, const History::Group& group, const HistoryOptions& options,
                HistoryResult& result)
      : history_(history),
        group_(group),
        options_(options),
        result_(result),
        table_(table_of(group, options.slot_s)),
        fleet_(group.tracks.size() >= least_fleet) {
    for (const auto& track : group.tracks)
      cuts_.push_back(cuts_of(track, history.versions(), options.repairs));
  }

  void run() {
    if (table_.slots.empty()) return;
    if (fleet_) fleet_changes();
    track_changes();
    last_slot();
    trends();
    for (auto& of_track : cuts_)
      for (auto& cut : of_track)
        if (std::ranges::find(result_.cuts, cut) == result_.cuts.end())
          result_.cuts.push_back(std::move(cut));
  }

 private:
  std::int64_t time_of(std::size_t slot) const { return table_.slots[slot] * options_.slot_s; }
  std::int64_t slot_at(std::int64_t time_s) const { return slot_of(time_s, options_.slot_s); }
  bool recent(std::size_t slot) const {
    return table_.slots[slot] + static_cast<std::int64_t>(options_.recent_slots) >
           slot_of(result_.last_s, options_.slot_s);
  }
  // Change of the value itself from a change of ln(goodness).
  double value_change(double log_step) const {
    return group_.unit == "us" ? std::exp(-log_step) - 1 : std::exp(log_step) - 1;
  }

  HistoryEvent event_at(const ChangePoint& change, const std::vector<std::size_t>& slots,
                        const std::vector<const History::Track*>& tracks) const {
    HistoryEvent event;
    event.metric = group_.metric;
    event.unit = group_.unit;
    event.stratum = group_.stratum;
    event.tracks = group_.tracks.size();
    event.time_s = time_of(slots[change.index]);
    event.change = value_change(change.after - change.before);
    event.p = change.p;
    event.worse = change.after < change.before;
    event.recent = recent(slots[change.index]);
    const std::size_t before = slots[change.index < 2 ? 0 : change.index - 2];
    const std::size_t after = slots[std::min(slots.size() - 1, change.index + 1)];
    event.versions =
        versions_changed(tracks, history_.versions(), time_of(before) + options_.slot_s - 1, time_of(after));
    return event;
  }

  void fleet_changes() {
    std::vector<double> series;
    std::vector<std::size_t> slots;
    for (std::size_t s = 0; s < table_.slots.size(); ++s)
      if (table_.peers[s] >= least_fleet) series.push_back(std::log(table_.median[s])), slots.push_back(s);
    std::vector<const History::Track*> all;
    for (const auto& track : group_.tracks)
      all.push_back(&track);
    for (const auto& change : find_changes(series, options_.change))
      result_.events.push_back(event_at(change, slots, all));
  }

  void track_changes() {
    struct Found {
      std::size_t track;
      std::size_t slot;
      HistoryEvent event;
    };
    std::vector<Found> found;
    for (std::size_t t = 0; t < group_.tracks.size(); ++t) {
      std::vector<double> series;
      std::vector<std::size_t> slots;
      const auto look = [&] {
        for (const auto& change : find_changes(series, options_.change)) {
          HistoryEvent event = event_at(change, slots, {&group_.tracks[t]});
          event.node = group_.tracks[t].node;
          event.rail = group_.tracks[t].rail;
          found.push_back({t, slots[change.index], std::move(event)});
        }
        series.clear(), slots.clear();
      };
      auto cut = cuts_[t].begin();
      for (std::size_t s = 0; s < table_.slots.size(); ++s) {
        if (std::isnan(table_.goodness[t][s]) || (fleet_ && table_.peers[s] < least_fleet)) continue;
        for (; cut != cuts_[t].end() && slot_at(cut->time_s) <= table_.slots[s]; ++cut)
          if (!series.empty()) look();
        series.push_back(std::log(table_.goodness[t][s] / (fleet_ ? table_.median[s] : 1)));
        slots.push_back(s);
      }
      look();
    }
    // The same slot, give or take one, on more than a tenth of the tracks is one event of the fleet.
    const double many = std::max<double>(least_fleet - 1, mass * static_cast<double>(group_.tracks.size()));
    while (fleet_ && !found.empty()) {
      std::size_t most = 0;
      const Found* centre = nullptr;
      std::map<std::pair<bool, std::size_t>, std::size_t> counts;
      for (const auto& it : found)
        ++counts[{it.event.worse, it.slot}];
      for (const auto& it : found) {
        std::size_t near = 0;
        for (std::size_t s = it.slot == 0 ? 0 : it.slot - 1; s <= it.slot + 1; ++s)
          if (const auto at = counts.find({it.event.worse, s}); at != counts.end()) near += at->second;
        if (near > most) most = near, centre = &it;
      }
      if (static_cast<double>(most) <= many) break;
      HistoryEvent event = centre->event;
      const std::size_t slot = centre->slot;
      const bool worse = centre->event.worse;
      event.node.clear();
      event.rail = -1;
      std::vector<double> steps;
      std::vector<const History::Track*> members;
      std::erase_if(found, [&](const Found& it) {
        if (it.event.worse != worse || it.slot + 1 < slot || it.slot > slot + 1) return false;
        event.members.push_back(subject_text(it.event.node, it.event.rail));
        steps.push_back(it.event.change);
        members.push_back(&group_.tracks[it.track]);
        return true;
      });
      event.change = median_of(steps);
      event.versions = versions_changed(members, history_.versions(),
                                        time_of(slot < 2 ? 0 : slot - 2) + options_.slot_s - 1,
                                        time_of(std::min(table_.slots.size() - 1, slot + 1)));
      result_.events.push_back(std::move(event));
    }
    for (auto& it : found) {
      shown_.insert(it.track);
      result_.events.push_back(std::move(it.event));
    }
  }

  struct Suspects {
    std::vector<std::size_t> tracks;
    double spread = 0;
    bool massive = false;  // too many at once to be their own fault
  };

  Suspects suspects_in(std::size_t slot) const {
    Suspects found;
    if (table_.peers[slot] < least_peers) return found;
    std::vector<double> away;
    for (const auto& row : table_.goodness)
      if (!std::isnan(row[slot])) away.push_back(std::abs(row[slot] / table_.median[slot] - 1));
    // MAD about the median of the ratios, which is 1.
    found.spread = std::max(mad_to_sigma * median_of(std::move(away)), least_spread);
    for (std::size_t t = 0; t < table_.goodness.size(); ++t) {
      const double ratio = table_.goodness[t][slot] / table_.median[slot];
      if ((ratio - 1) / found.spread < suspect_z && ratio < suspect_ratio) found.tracks.push_back(t);
    }
    found.massive = static_cast<double>(found.tracks.size()) > mass * static_cast<double>(table_.peers[slot]);
    return found;
  }

  void last_slot() {
    const std::size_t last = table_.slots.size() - 1;
    if (!recent(last)) return;
    ++result_.groups;
    if (table_.peers[last] < least_peers) ++result_.without_peers;
    if (!fleet_) return;
    const auto alarm = [&](const std::string& why) {
      result_.alarms.push_back({group_.metric, group_.unit, group_.stratum, why, {}, time_of(last)});
    };
    const Suspects now = suspects_in(last);
    bool quiet = true;
    if (now.massive) {
      alarm(std::to_string(now.tracks.size()) + " of " + std::to_string(table_.peers[last]) +
            " are slow at once");
      quiet = false;
    }
    if (last > 0 && table_.peers[last] >= least_peers && table_.peers[last - 1] >= least_peers) {
      const double jump = table_.median[last] / table_.median[last - 1] - 1;
      if (std::abs(jump) > median_jump) {
        alarm("the median moved by " + percent_text(value_change(std::log1p(jump))) +
              " since the run before");
        quiet = false;
      }
    }
    if (!quiet) return;
    std::vector<std::size_t> slots_suspect(group_.tracks.size());
    if (!now.tracks.empty())
      for (std::size_t s = last + 1; s-- > 0 && recent(s);)
        if (const Suspects then = suspects_in(s); !then.massive)
          for (const std::size_t t : then.tracks)
            if (cuts_[t].empty() || table_.slots[s] >= slot_at(cuts_[t].back().time_s)) ++slots_suspect[t];
    for (const std::size_t t : now.tracks) {
      const double ratio = table_.goodness[t][last] / table_.median[last];
      result_.outliers.push_back({group_.metric,
                                  group_.unit,
                                  group_.stratum,
                                  group_.tracks[t].node,
                                  group_.tracks[t].rail,
                                  ratio,
                                  (ratio - 1) / now.spread,
                                  table_.peers[last],
                                  {},
                                  slots_suspect[t]});
      shown_.insert(t);
    }
  }

  void trends() {
    const bool less_is_better = group_.unit == "us";
    const auto value = [&](double goodness) { return less_is_better ? 1 / goodness : goodness; };
    Trend fleet{group_.metric, group_.unit, group_.stratum, "", -1, group_.tracks.size(), {}, {}, {}, {}};
    std::vector<double> column;
    for (std::size_t s = 0; s < table_.slots.size(); ++s) {
      column.clear();
      for (const auto& row : table_.goodness)
        if (!std::isnan(row[s])) column.push_back(value(row[s]));
      std::sort(column.begin(), column.end());
      fleet.time_s.push_back(time_of(s));
      fleet.value.push_back(value(table_.median[s]));
      fleet.low.push_back(column[(column.size() - 1) * 5 / 100]);
      fleet.high.push_back(column[(column.size() - 1) * 95 / 100]);
    }
    result_.trends.push_back(std::move(fleet));
    for (const std::size_t t : shown_) {
      Trend trend{group_.metric,
                  group_.unit,
                  group_.stratum,
                  group_.tracks[t].node,
                  group_.tracks[t].rail,
                  1,
                  {},
                  {},
                  {},
                  {}};
      for (std::size_t s = 0; s < table_.slots.size(); ++s) {
        if (std::isnan(table_.goodness[t][s])) continue;
        trend.time_s.push_back(time_of(s));
        trend.value.push_back(value(table_.goodness[t][s]));
      }
      result_.trends.push_back(std::move(trend));
    }
  }

  const History& history_;
  const History::Group& group_;
  const HistoryOptions& options_;
  HistoryResult& result_;
  Table table_;
  bool fleet_;                                 // enough tracks to speak of peers
  std::vector<std::vector<HistoryCut>> cuts_;  // [track]
  std::set<std::size_t> shown_;
};

// One cause moves many metrics at once: events of the same node (or of the fleet) in the same slot, give or
// take one, and the same direction become the strongest of them.
void fold_events(std::vector<HistoryEvent>& events, std::int64_t slot_s) {
  std::stable_sort(events.begin(), events.end(),
                   [](const HistoryEvent& a, const HistoryEvent& b) { return a.p < b.p; });
  std::vector<HistoryEvent> kept;
  std::map<std::tuple<std::string, bool, std::int64_t>, std::size_t> place;  // every slot an event covers
  for (auto& event : events) {
    const std::int64_t slot = slot_of(event.time_s, slot_s);
    const auto key = [&](std::int64_t at) { return std::tuple(event.node, event.worse, at); };
    if (const auto found = place.find(key(slot)); found != place.end()) {
      HistoryEvent& main = kept[found->second];
      main.also.push_back(event.metric + (event.rail < 0 ? "" : " rail " + std::to_string(event.rail)));
      if (main.rail != event.rail) main.rail = -1;
      for (auto& change : event.versions)
        if (std::none_of(main.versions.begin(), main.versions.end(), [&](const VersionChange& it) {
              return it.what == change.what && it.before == change.before && it.after == change.after;
            }))
          main.versions.push_back(change);
      continue;
    }
    for (std::int64_t at = slot - 1; at <= slot + 1; ++at)
      place.try_emplace(key(at), kept.size());
    kept.push_back(std::move(event));
  }
  std::stable_sort(kept.begin(), kept.end(), [](const HistoryEvent& a, const HistoryEvent& b) {
    return std::tuple(!(a.worse && a.recent), !a.node.empty(), -a.time_s) <
           std::tuple(!(b.worse && b.recent), !b.node.empty(), -b.time_s);
  });
  events = std::move(kept);
}

void fold_outliers(std::vector<Outlier>& outliers) {
  std::stable_sort(outliers.begin(), outliers.end(),
                   [](const Outlier& a, const Outlier& b) { return a.ratio < b.ratio; });
  std::vector<Outlier> kept;
  std::map<std::string, std::size_t> place;
  for (auto& outlier : outliers) {
    const auto [found, fresh] = place.try_emplace(outlier.node, kept.size());
    if (fresh) {
      kept.push_back(std::move(outlier));
      continue;
    }
    Outlier& main = kept[found->second];
    main.also.push_back(outlier.metric + (outlier.rail < 0 ? "" : " rail " + std::to_string(outlier.rail)));
    if (main.rail != outlier.rail) main.rail = -1;
    main.suspect_slots = std::max(main.suspect_slots, outlier.suspect_slots);
  }
  outliers = std::move(kept);
}

void fold_alarms(std::vector<FleetAlarm>& alarms) {
  std::vector<FleetAlarm> kept;
  std::map<std::int64_t, std::size_t> place;
  for (auto& alarm : alarms) {
    const auto [found, fresh] = place.try_emplace(alarm.time_s, kept.size());
    if (fresh)
      kept.push_back(std::move(alarm));
    else
      kept[found->second].also.push_back(alarm.metric + ": " + alarm.why);
  }
  alarms = std::move(kept);
}

}  // namespace

HistoryResult analyse(const History& history, const HistoryOptions& options) {
  HistoryResult result;
  result.runs = history.runs();
  bool first = true;
  for (const auto& group : history.groups()) {
    result.tracks += group.tracks.size();
    for (const auto& track : group.tracks)
      for (const auto& point : track.points) {
        result.first_s = first ? point.time_s : std::min(result.first_s, point.time_s);
        result.last_s = first ? point.time_s : std::max(result.last_s, point.time_s);
        first = false;
      }
  }
  for (const auto& group : history.groups())
    GroupAnalysis(history, group, options, result).run();
  fold_events(result.events, options.slot_s);
  fold_outliers(result.outliers);
  fold_alarms(result.alarms);
  std::ranges::sort(result.cuts, {}, [](const HistoryCut& cut) { return std::tie(cut.time_s, cut.node); });
  return result;
}

Decision decide(const HistoryResult& result) {
  if (result.tracks == 0 || result.runs < 2) return Decision::inconclusive;
  const bool worse = std::any_of(result.events.begin(), result.events.end(),
                                 [](const HistoryEvent& event) { return event.worse && event.recent; });
  return worse || !result.alarms.empty() || !result.outliers.empty() ? Decision::fail : Decision::pass;
}

}  // namespace mlc
