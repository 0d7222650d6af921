#include "bench/cli/node_facts.hpp"

#include <sched.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <fstream>
#include <nlohmann/json.hpp>
#include <set>

#include "bench/ranks/launched_as.hpp"
#include "reports/record/json_reader.hpp"
#include "reports/record/text.hpp"

namespace mlc {

namespace {

// The value of the first line that begins with `key`, after the separator.
std::string value_in(const std::string& path, const std::string& key, char separator) {
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) {
    if (!line.starts_with(key)) continue;
    const auto at = line.find(separator);
    std::string value = line.substr(at == std::string::npos ? 0 : at + 1);  // a file of one value has none
    std::erase(value, '"');
    while (value.starts_with(' '))
      value.erase(0, 1);
    return printable(value, 120);
  }
  return {};
}

}  // namespace

std::string node_name() {
  if (const auto name = from_environment("NODE_NAME"); name && !name->empty()) return printable(*name, 253);
  std::array<char, 256> host{};
  return ::gethostname(host.data(), host.size() - 1) == 0 ? printable(host.data(), 253) : "unknown";
}

std::uint64_t usable_memory() {
  std::uint64_t usable = UINT64_MAX;
  const std::string available = value_in("/proc/meminfo", "MemAvailable:", ':');
  if (!available.empty()) usable = std::strtoull(available.c_str(), nullptr, 10) * 1024;  // "123 kB"
  // A Pod's limit (cgroup v2); "max" reads as 0 and is none.
  std::uint64_t limit = 0, used = 0;
  if (std::ifstream("/sys/fs/cgroup/memory.max") >> limit &&
      std::ifstream("/sys/fs/cgroup/memory.current") >> used && limit > 0)
    usable = std::min(usable, limit > used ? limit - used : 0);
  return usable;
}

int usable_cpus() {
  cpu_set_t set;
  return ::sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : 1;
}

Node this_node() {
  Node node;
  utsname names{};
  ::uname(&names);
  node.name = node_name();
  node.kernel = printable(names.release);
  node.os = value_in("/etc/os-release", "PRETTY_NAME", '=');
  node.cpu = value_in("/proc/cpuinfo", "model name", ':');
  node.cpus = usable_cpus();
  node.boot_id = value_in("/proc/sys/kernel/random/boot_id", "", '\n');
  // "uninitialized" while an image boots for the first time: machine-id(5).
  if (const auto id = value_in("/etc/machine-id", "", '\n'); id.size() == 32) node.machine_id = id;
  if (const auto driver = value_in("/proc/driver/nvidia/version", "NVRM version", ':'); !driver.empty())
    node.versions["nvidia"] = driver;
  if (const auto driver = value_in("/sys/module/mlx5_core/version", "", '\n'); !driver.empty())
    node.versions["mlx5_core"] = driver;
  return node;
}

std::vector<Node> gather_nodes(Control& control, const Node& mine) {
  nlohmann::json gpus = nlohmann::json::array();
  for (const auto& gpu : mine.gpus)
    gpus.push_back({gpu.index, gpu.name, gpu.uuid, gpu.pci, gpu.driver});
  const nlohmann::json packed{mine.name,     mine.kernel, mine.os,      mine.cpu,       mine.cpus,
                              mine.versions, gpus,        mine.boot_id, mine.machine_id};
  const auto all =
      gather_text(control, packed.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace));
  std::vector<Node> nodes;
  for (std::size_t rank = 0; rank < all.size(); ++rank) {
    const auto j = read_json(all[rank]);
    const auto name = j[0].get<std::string>();
    auto node = std::ranges::find(nodes, name, &Node::name);
    if (node == nodes.end()) {
      Node added{.name = name,
                 .kernel = j[1],
                 .os = j[2],
                 .cpu = j[3],
                 .cpus = j[4],
                 .versions = j[5].get<std::map<std::string, std::string>>(),
                 .gpus = {},
                 .ranks = {},
                 .boot_id = j[7],
                 .machine_id = j[8]};
      node = nodes.insert(nodes.end(), std::move(added));
    }
    // Under mpirun each rank may be bound to a processor of its own: the node has at least the most that any
    // may use.
    node->cpus = std::max(node->cpus, j[4].get<int>());
    node->ranks.push_back(static_cast<int>(rank));
    for (const auto& g : j[6])
      node->gpus.push_back({.index = g[0], .name = g[1], .uuid = g[2], .pci = g[3], .driver = g[4]});
  }
  return nodes;
}

int machines_of(const std::vector<Node>& nodes) {
  std::set<std::string> machines;
  for (const auto& node : nodes)
    machines.insert(node.boot_id.empty() ? "named " + node.name : node.boot_id);
  return static_cast<int>(machines.size());
}

std::map<std::string, std::string> telling_variables() {
  std::map<std::string, std::string> telling;
  for (char** at = environ; *at != nullptr; ++at) {
    const std::string_view entry(*at);
    const auto name = std::string(entry.substr(0, entry.find('=')));
    const bool ours = name.starts_with("NCCL_") || name.starts_with("OMPI_MCA_") ||
                      name.starts_with("UCX_") || name == "CUDA_VISIBLE_DEVICES" || name == "OMP_NUM_THREADS";
    // Open MPI passes its own state (addresses, keys) in variables of the same prefix.
    const bool internal = name.starts_with("OMPI_MCA_orte") || name.starts_with("OMPI_MCA_ess") ||
                          name.starts_with("OMPI_MCA_pmix") || name.starts_with("OMPI_MCA_initial") ||
                          name == "OMPI_MCA_shmem_RUNTIME_QUERY_hint";
    const bool secret =
        std::ranges::any_of(std::array{"TOKEN", "SECRET", "PASSW", "KEY", "CRED"},
                            [&](const char* word) { return name.find(word) != std::string::npos; });
    if (ours && !internal && !secret)
      telling[name] = printable(entry.substr(std::min(name.size() + 1, entry.size())));
  }
  return telling;
}

}  // namespace mlc
