// What NCCL writes of itself with NCCL_DEBUG, as values. Its lines are not an interface: what does not match
// is not there.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "reports/record/series.hpp"

namespace mlc {

// "... NCCL INFO AllReduce: 1048576 Bytes -> Algo RING proto LL128 channel{Lo..Hi}={0..15}" (subsystem
// TUNING; NCCL 2.27 to 2.30). Algorithms by their usual names: "Ring", "Tree", "NVLS", "NVLSTree",
// "CollnetDirect", "CollnetChain", "PAT".
std::optional<Tuning> tuning_of_line(std::string_view line);

// The text behind "NCCL WARN ", without host, process and place in NCCL's source.
std::optional<std::string> warning_of_line(std::string_view line);

// Of a whole log: the tuning of the last operation in it.
std::optional<Tuning> last_tuning(std::string_view log);

// Each warning once, in order.
std::vector<std::string> all_warnings(std::string_view log);

}  // namespace mlc
