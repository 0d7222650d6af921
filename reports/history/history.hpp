// Many runs over time: who is slow beside its peers now, and whose level changed when (statistics.md, section
// 3). Pure: runs go in as values, from files or from the store.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "reports/history/change_point.hpp"
#include "reports/record/report.hpp"

namespace mlc {

// Fewer have no median to be held against: each is compared with its own past alone.
inline constexpr std::size_t least_peers = 12;

inline constexpr std::string_view history_schema = "mlc-bench/history/v1";

using Versions =
    std::map<std::string, std::string>;  // "driver", "firmware", "kernel", "policy", ...: what may drift

// What history keeps of one report.
struct HistoryRun {
  struct Reading {
    std::string node;    // empty: the run's
    int rail = -1;       // -1: the node as a whole
    std::string metric;  // "allreduce float sum 1 GiB, 8 ranks"
    std::string unit;    // "gb_s", "gbit_s" (more is better) or "us" (less is better)
    double value = 0;
    bool operator==(const Reading&) const = default;
  };
  std::string id;
  std::int64_t time_s = 0;  // start, seconds since 1970, UTC
  std::string node;         // or nodes: "gpu-a+gpu-b", "512 nodes from gpu-1000"
  std::string stratum;      // alike are compared with alike: GPUs, backend, nodes of a run
  Versions versions;
  std::vector<Reading> readings;
  bool operator==(const HistoryRun&) const = default;
};

// Empty if the report has no usable start; `why` says so.
std::optional<HistoryRun> history_run(const Report& report, std::string* why = nullptr);

std::optional<std::int64_t> parse_utc(std::string_view rfc3339);
std::string utc_text(std::int64_t time_s);                       // "2026-01-05T03:00:00Z"
std::int64_t slot_of(std::int64_t time_s, std::int64_t slot_s);  // which slot it falls in; rounds down
std::string utc_day(std::int64_t time_s);                        // "2026-01-05"

// All runs, folded into one series per (node, rail, metric, stratum). Text is kept once: a year of a thousand
// nodes fits in memory.
class History {
 public:
  bool add(const HistoryRun& run);  // false: a run with that id is there already

  struct Point {
    std::int64_t time_s;
    std::uint32_t versions;  // index into versions()
    double value;
  };
  struct Track {
    std::string node;
    int rail = -1;
    std::vector<Point> points;  // in time order after sort()
  };
  struct Group {
    std::string metric, unit, stratum;
    std::vector<Track> tracks;
  };

  void sort();
  const std::vector<Group>& groups() const { return groups_; }
  const std::vector<Versions>& versions() const { return versions_; }
  std::size_t runs() const { return ids_.size(); }

 private:
  std::unordered_set<std::string> ids_;
  std::map<Versions, std::uint32_t> version_index_;
  std::vector<Versions> versions_;
  std::unordered_map<std::string, std::size_t> group_index_;
  std::unordered_map<std::string, std::size_t> track_index_;
  std::vector<Group> groups_;
};

// A node was repaired: what was measured before is no measure of it any more.
struct Repair {
  std::string node;
  std::int64_t time_s = 0;
  std::string what;
  bool operator==(const Repair&) const = default;
};

// Where a node's past was cut, and why; the time is that of the first run after it.
struct HistoryCut {
  std::string node;
  std::int64_t time_s = 0;
  std::string what;
  bool operator==(const HistoryCut&) const = default;
};

struct HistoryOptions {
  std::int64_t slot_s = 86400;    // runs within one slot are compared with each other; the CronJob's period
  std::size_t recent_slots = 28;  // what is newer than this many slots before the last counts as open
  ChangeOptions change;
  std::vector<Repair> repairs;  // beside those that other hardware shows (cuts.hpp)
};

struct VersionChange {
  std::string what, before, after;
  std::size_t nodes = 0;  // on how many nodes
  bool operator==(const VersionChange&) const = default;
};

// A level that changed: of one node or rail against its peers, or of the fleet.
struct HistoryEvent {
  std::string metric, unit, stratum;
  std::string node;  // empty: the fleet
  int rail = -1;
  std::vector<std::string> members;  // of a fleet event in which only some moved: who
  std::size_t tracks = 0;            // series of its group
  std::vector<std::string> also;  // other metrics and rails that changed with it, folded into this one event
  std::int64_t time_s = 0;        // first slot after the change
  double change = 0;              // of the value: -0.12 is 12 % less
  double p = 1;
  bool worse = false;
  bool recent = false;
  std::vector<VersionChange> versions;
  bool operator==(const HistoryEvent&) const = default;
};

// Slow beside its peers in the last slot.
struct Outlier {
  std::string metric, unit, stratum, node;
  int rail = -1;
  double ratio = 1;  // to the median of the peers; below 1 is worse
  double z = 0;
  std::size_t peers = 0;
  std::vector<std::string> also;  // other metrics and rails of the node that are slow too
  std::size_t suspect_slots = 0;  // of the recent ones: repeat offenders deserve less trust
  bool operator==(const Outlier&) const = default;
};

// More than a few are slow at once, or the median itself moved: nobody's own fault.
struct FleetAlarm {
  std::string metric, unit, stratum, why;
  std::vector<std::string> also;  // other metrics with the same alarm
  std::int64_t time_s = 0;
  bool operator==(const FleetAlarm&) const = default;
};

// A line to draw: a group's median, or a track against it.
struct Trend {
  std::string metric, unit, stratum, node;  // no node: the median of the group
  int rail = -1;
  std::size_t tracks = 0;
  std::vector<std::int64_t> time_s;
  std::vector<double> value;      // the median, or the track's own value
  std::vector<double> low, high;  // of the group: 5th and 95th percentile of its tracks
  bool operator==(const Trend&) const = default;
};

struct HistoryResult {
  std::size_t runs = 0, tracks = 0;
  std::int64_t first_s = 0, last_s = 0;
  // Kinds of series that are open, and of these such as have too few peers to compare anybody with.
  std::size_t groups = 0, without_peers = 0;
  std::vector<FleetAlarm> alarms;
  std::vector<HistoryEvent> events;   // worse and recent first
  std::vector<Outlier> outliers;      // worst first
  std::vector<HistoryCut> cuts;       // by time; no event is looked for across one
  std::vector<Trend> trends;          // groups, then the tracks that have events or are outliers
  std::vector<std::string> left_out;  // "PATH: why", filled by whoever read the files
  bool operator==(const HistoryResult&) const = default;
};

HistoryResult analyse(const History& history, const HistoryOptions& options = {});

// fail: something is worse now; inconclusive: no run could be read.
Decision decide(const HistoryResult& result);

}  // namespace mlc
