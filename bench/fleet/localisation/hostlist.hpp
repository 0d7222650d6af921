// Hostlists as Slurm writes them: "n[0-31]", "rack[1-2]n[08-11,14],login". Pure.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace mlc::fleet {

// The names in their order; the width of a number's first form is kept (08, 09, 10). Throws TopologyError: a
// bracket left open, a range that is none, more names than any fleet has.
std::vector<std::string> hostlist(std::string_view text);

}  // namespace mlc::fleet
