// Whether the figures of GPUs and rails show what the policy's `gpu` and `rdma` sections ask. Pure.
#pragma once

#include <string>
#include <vector>

#include "validators/deciding/decide.hpp"

namespace mlc {

struct FigureReasons {
  std::vector<std::string> failed;
  std::vector<std::string> undecided;  // said to be good, and not shown to be
};

// Of each figure by itself: wrong data, a failure that no finding tells, a value beyond the policy's bound
// that is said to be good. What a rail showed with another node in a fabric stage may be that one's fault,
// and is judged by its findings alone.
FigureReasons judge_figures(const Report& report, const Policy& policy, const Wanted& wanted);

// What the local stages need not measure, since a fabric stage comes that does.
bool fabric_measures_rails(const Policy& policy);

// A sentence for each key of the `gpu` section that no figure of some GPU answers, and for rails whose
// bandwidth was not judged.
std::vector<std::string> figures_never_judged(const Report& report, const Policy& policy,
                                              const Wanted& wanted);

}  // namespace mlc
