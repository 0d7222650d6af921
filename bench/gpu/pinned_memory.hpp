// Host memory that copy engines reach at full speed: pinned, on the NUMA node of the GPU's PCIe link.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

namespace mlc {

// `numa_node` -1: wherever the kernel puts it. The pages are touched before they are pinned, which is when
// they get their place. Throws GpuError.
std::shared_ptr<std::byte> pinned_memory(std::uint64_t bytes, int numa_node);

}  // namespace mlc
