#include "validators/host/numa.hpp"

#include <linux/mempolicy.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <fstream>
#include <new>

namespace mlc::rdma {

std::vector<int> parse_cpu_list(std::string_view text) {
  std::vector<int> cpus;
  const auto number = [&](int& value) {
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc{} || value < 0 || value > 1 << 16) return false;
    text.remove_prefix(static_cast<std::size_t>(end - text.data()));
    return true;
  };
  while (!text.empty()) {
    int first = 0;
    if (!number(first)) return {};
    int last = first;
    if (text.starts_with('-')) {
      text.remove_prefix(1);
      if (!number(last) || last < first) return {};
    }
    for (int cpu = first; cpu <= last; ++cpu)
      cpus.push_back(cpu);
    if (text.empty()) break;
    if (!text.starts_with(',')) return {};
    text.remove_prefix(1);
    if (text.empty()) return {};
  }
  return cpus;
}

std::string run_on_node(int node) {
  if (node < 0) return {};
  const std::string path = "/sys/devices/system/node/node" + std::to_string(node) + "/cpulist";
  std::ifstream file(path);
  std::string line;
  if (!std::getline(file, line)) return path + " cannot be read";
  cpu_set_t allowed, wanted;
  CPU_ZERO(&wanted);
  if (::sched_getaffinity(0, sizeof allowed, &allowed) != 0) return std::strerror(errno);
  for (int cpu : parse_cpu_list(line))
    if (cpu < CPU_SETSIZE && CPU_ISSET(cpu, &allowed)) CPU_SET(cpu, &wanted);
  if (CPU_COUNT(&wanted) == 0)
    return "this process may not use the CPUs of NUMA node " + std::to_string(node) + " (" + line + ")";
  return ::sched_setaffinity(0, sizeof wanted, &wanted) == 0 ? "" : std::strerror(errno);
}

std::shared_ptr<std::byte> memory_on_node(std::uint64_t bytes, int node) {
  void* at = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (at == MAP_FAILED) throw std::bad_alloc();
  std::shared_ptr<std::byte> memory(static_cast<std::byte*>(at),
                                    [bytes](std::byte* p) { ::munmap(p, bytes); });
  if (node >= 0) {
    // Preferred, not bound: a full node must not end the measurement. Kernels without NUMA answer ENOSYS.
    std::array<unsigned long, 64> mask{};
    constexpr int bits = sizeof(unsigned long) * 8;
    if (static_cast<std::size_t>(node / bits) < mask.size()) {
      mask[static_cast<std::size_t>(node / bits)] |= 1ul << (node % bits);
      (void)::syscall(SYS_mbind, at, bytes, MPOL_PREFERRED, mask.data(), mask.size() * bits, 0);
    }
  }
  ::madvise(at, bytes, MADV_HUGEPAGE);
  std::memset(at, 0, bytes);
  return memory;
}

}  // namespace mlc::rdma
