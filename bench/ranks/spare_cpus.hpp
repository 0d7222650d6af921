// Where the watch may run without taking a CPU from a rank that measures.
#pragma once

#include <sched.h>

#include <optional>
#include <span>
#include <vector>

namespace mlc {

// CPUs of the cores (each a list of its hardware threads) that this job was allowed and on which none of its
// ranks on this node may run; empty where ranks are not bound, or fill what was allowed: the scheduler then
// knows best. Pure.
std::optional<cpu_set_t> spare_cpus(std::span<const std::vector<int>> cores, const cpu_set_t& allowed,
                                    std::span<const cpu_set_t> ranks);

// What the process that started this rank may use: the rank's own mask may be its binding.
cpu_set_t allowed_to_the_job();

std::vector<std::vector<int>> cores_of_this_machine();  // from sysfs; empty where it does not say

}  // namespace mlc
