// What an operation sends over the interconnect, where busbw says something else. Pure.
#pragma once

#include <optional>
#include <string>

#include "bench/collectives/collective.hpp"

namespace mlc {

// Bytes that leave each node one way, over the bytes of the message, for an operation that NCCL carries with
// `algorithm` over `nodes` of equal size. Empty where nothing crosses, or where it is not known.
std::optional<double> wire_factor(const Collective& collective, const std::string& algorithm, int nodes,
                                  int ranks);

}  // namespace mlc
