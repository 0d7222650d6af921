#include "bench/gpu/pinned_memory.hpp"

#include <new>
#include <string>

#include "bench/gpu/check_gpu.hpp"
#include "validators/host/numa.hpp"

namespace mlc {

std::shared_ptr<std::byte> pinned_memory(std::uint64_t bytes, int numa_node) try {
  auto memory = memory_on_node(bytes, numa_node);
  check_gpu(cudaHostRegister(memory.get(), bytes, cudaHostRegisterPortable));
  return {memory.get(), [memory](std::byte* p) {
            // A GPU that hangs may still write here: then it stays until the process ends.
            if (one_gpu_hangs())
              (void)new std::shared_ptr<std::byte>(memory);
            else
              (void)cudaHostUnregister(p);
          }};
} catch (const std::bad_alloc&) {
  throw GpuError(GpuTrouble::memory, "no host memory for a copy of " + std::to_string(bytes) + " bytes");
}

}  // namespace mlc
