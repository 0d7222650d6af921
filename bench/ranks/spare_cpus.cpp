#include "bench/ranks/spare_cpus.hpp"

#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <set>
#include <string>

#include "validators/host/numa.hpp"

namespace mlc {

std::optional<cpu_set_t> spare_cpus(std::span<const std::vector<int>> cores, const cpu_set_t& allowed,
                                    std::span<const cpu_set_t> ranks) {
  cpu_set_t spare;
  CPU_ZERO(&spare);
  for (const auto& core : cores) {
    const bool free = std::ranges::all_of(core, [&](int cpu) {
      return cpu < CPU_SETSIZE && CPU_ISSET(cpu, &allowed) &&
             std::ranges::none_of(ranks, [&](const cpu_set_t& rank) { return CPU_ISSET(cpu, &rank); });
    });
    if (free)
      for (int cpu : core)
        CPU_SET(cpu, &spare);
  }
  if (CPU_COUNT(&spare) == 0) return std::nullopt;
  return spare;
}

cpu_set_t allowed_to_the_job() {
  cpu_set_t allowed;
  CPU_ZERO(&allowed);
  (void)::sched_getaffinity(::getppid(), sizeof allowed, &allowed);
  return allowed;
}

std::vector<std::vector<int>> cores_of_this_machine() {
  const auto list = [](const std::string& path) {
    std::ifstream file("/sys/devices/system/cpu/" + path);
    std::string line;
    std::getline(file, line);
    return parse_cpu_list(line);
  };
  std::set<std::vector<int>> cores;
  for (int cpu : list("online")) {
    auto siblings = list("cpu" + std::to_string(cpu) + "/topology/thread_siblings_list");
    cores.insert(siblings.empty() ? std::vector{cpu} : std::move(siblings));
  }
  return {cores.begin(), cores.end()};
}

}  // namespace mlc
