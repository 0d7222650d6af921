#include "bench/handles/error.hpp"
#include "bench/rdma/rail_memory.hpp"

namespace mlc::rdma {

std::string gpu_memory_absent() { return MLC_WHY_NO_CUDA; }

std::unique_ptr<RailMemory> gpu_rail_memory(Device&, const std::string&, std::uint64_t) {
  throw BackendError(std::string("GPU memory: ") + MLC_WHY_NO_CUDA);
}

}  // namespace mlc::rdma
