// Threads and memory on the NUMA node of a device, by plain system calls.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace mlc {

// "0-3,8,10-11" -> 0 1 2 3 8 10 11. Empty where it does not parse. Pure.
std::vector<int> parse_cpu_list(std::string_view text);

// This thread runs on the CPUs of `node` from now on, as far as the process may use them. Returns why not;
// empty when it does, or when there is nothing to choose (node < 0).
std::string run_on_node(int node);

// Of a PCI device of sysfs; -1 where it does not say.
int numa_node_of(const std::string& pci);

// Zeroed, page-aligned, on `node` where that is known and has room. Throws std::bad_alloc.
std::shared_ptr<std::byte> memory_on_node(std::uint64_t bytes, int node);

}  // namespace mlc
