// Where the watch may run without taking a CPU from a rank that measures.
#pragma once

#include <sched.h>

#include <optional>
#include <span>
#include <vector>

namespace mlc {

// CPUs of the cores (each a list of its hardware threads) on which none of the ranks of this node may run;
// empty where ranks are not bound, or fill the machine: the scheduler then knows best. Pure.
std::optional<cpu_set_t> spare_cpus(std::span<const std::vector<int>> cores,
                                    std::span<const cpu_set_t> ranks);

std::vector<std::vector<int>> cores_of_this_machine();  // from sysfs; empty where it does not say

}  // namespace mlc
