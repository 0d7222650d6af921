// Which GPU is nearest to a NIC, from where both hang on the PCI tree. Pure.
#pragma once

#include <string>
#include <vector>

namespace mlc::rdma {

// Paths as sysfs resolves them ("/sys/devices/pci0000:60/0000:60:01.0/0000:61:00.0/..."). The GPU that shares most of the
// NIC's path; the first of equals. Throws std::invalid_argument without GPUs.
int nearest_gpu(const std::string& nic, const std::vector<std::string>& gpus);

}  // namespace mlc::rdma
