#include "bench/gpu/pinned_memory.hpp"

#include <linux/mempolicy.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstring>
#include <fstream>
#include <string>

#include "bench/gpu/check_gpu.hpp"

namespace mlc {

std::shared_ptr<std::byte> pinned_memory(std::uint64_t bytes, int numa_node) {
  void* at = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (at == MAP_FAILED)
    throw GpuError(GpuTrouble::memory, "no host memory for a copy of " + std::to_string(bytes) + " bytes");
  std::shared_ptr<std::byte> memory(static_cast<std::byte*>(at),
                                    [bytes](std::byte* p) { ::munmap(p, bytes); });
  if (numa_node >= 0 && numa_node < 64) {
    const unsigned long mask = 1ul << numa_node;
    // Best effort: a container may not be allowed to, or may not have that node.
    (void)::syscall(SYS_mbind, at, bytes, MPOL_PREFERRED, &mask, 65ul, 0u);
  }
  std::memset(at, 0, bytes);
  check_gpu(cudaHostRegister(at, bytes, cudaHostRegisterPortable));
  return {memory.get(), [memory](std::byte* p) { (void)cudaHostUnregister(p); }};
}

int numa_node_of(const char* pci) {
  std::ifstream file(std::string("/sys/bus/pci/devices/") + pci + "/numa_node");
  int node = -1;
  return file >> node ? node : -1;
}

}  // namespace mlc
