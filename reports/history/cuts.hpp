// Where the past of a node ends: with other hardware, or with a repair. What was measured before says nothing
// of what is there now, so that no change of level is looked for across it. Pure.
#pragma once

#include <cstdint>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "reports/history/history.hpp"

namespace mlc {

// Not a list of repairs. what() says which line.
struct RepairsError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

// Lines "NODE,TIME[,WHAT]", the time as 2026-01-05T03:00:00Z or as a day; a first line "NODE,TIME,..." in any
// case and lines that are empty or begin with '#' are none. Throws RepairsError.
std::vector<Repair> repairs_from_csv(std::string_view text);

// What `versions` of a run keep of a node's hardware: the ends of its GPUs' UUIDs, in their order.
std::string hardware_key(const std::string& node);
std::string hardware_of(const Node& node);

// Of a track, in time order. A GPU that was never seen on the node before, since the cut before, is other
// hardware; one that is missing or comes back is not.
std::vector<HistoryCut> cuts_of(const History::Track& track, const std::vector<Versions>& versions,
                                std::span<const Repair> repairs);

}  // namespace mlc
