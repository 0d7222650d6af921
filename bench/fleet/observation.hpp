// What meetings of nodes show: one observation for each rail and way, and one for the meeting as a whole. The
// nodes of a group are known by their position in it. Pure.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "reports/record/report.hpp"

namespace mlc::fleet {

enum class Seen { good, bad, unknown };

inline constexpr int whole_node = -1;

struct Observation {
  int from = 0, to = 0;        // nodes: `from` sends
  int rail = whole_node;       // at `from`
  int peer_rail = whole_node;  // at `to`
  Seen seen = Seen::unknown;
  std::optional<double> share;  // of the target
  std::string what;             // "87.30 of 200 Gbit/s", "no answer"
  bool operator==(const Observation&) const = default;
};

// A rate that is no rate shows nothing, whatever was made of it.
Observation sound(Observation observation);

struct Member {
  std::string node, boot_id;
  bool operator==(const Member&) const = default;
};

// Of one meeting's report, made by `mlc-bench rdma` or a collective. Where the report is not of these two
// machines, each in its boot, nothing was seen.
std::vector<Observation> observations_of(const Report& report, const std::vector<Member>& group, int first,
                                         int second);

// A meeting that came to no report.
Observation not_measured(int first, int second, const std::string& why);

nlohmann::json to_json(const std::vector<Observation>& observations);
// Throws std::runtime_error: a key missing or of the wrong type, more than the bounds.
std::vector<Observation> observations_from_json(const nlohmann::json& json);

}  // namespace mlc::fleet
