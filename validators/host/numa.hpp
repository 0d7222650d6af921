// Threads and memory on the NIC's own NUMA node, by plain system calls.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace mlc::rdma {

// "0-3,8,10-11" -> 0 1 2 3 8 10 11. Empty where it does not parse. Pure.
std::vector<int> parse_cpu_list(std::string_view text);

// This thread runs on the CPUs of `node` from now on, as far as the process may use them. Returns why not;
// empty when it does, or when there is nothing to choose (node < 0).
std::string run_on_node(int node);

// Zeroed, page-aligned, on `node` where that is known and has room. Throws std::bad_alloc.
std::shared_ptr<std::byte> memory_on_node(std::uint64_t bytes, int node);

}  // namespace mlc::rdma
