#include "bench/rdma/rail_memory.hpp"
#include "validators/host/numa.hpp"

namespace mlc::rdma {

std::unique_ptr<RailMemory> host_rail_memory(Device& device, std::uint64_t bytes, int numa_node) {
  auto memory = memory_on_node(2 * bytes, numa_node);
  auto region = device.register_memory(memory.get(), 2 * bytes);
  return std::make_unique<RailMemory>(std::move(memory), bytes, std::move(region), make_host_memory(),
                                      "host");
}

}  // namespace mlc::rdma
