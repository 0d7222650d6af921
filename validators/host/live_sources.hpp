// What a live machine can be asked besides netlink; each is one source, in its own file.
#pragma once

#include "validators/host/machine.hpp"

namespace mlc {

namespace rdma {
class Verbs;
}

Answer ask_nvml();   // GpuReading as JSON
Answer ask_verbs();  // [{"device", "port", "active_mtu", "max_mtu", "dmabuf"}]
Answer ask_verbs(rdma::Verbs& verbs);
Answer register_memory(std::uint64_t bytes);  // {"bytes", "how"}: ibv_reg_mr, or mlock without a device
Answer register_memory(rdma::Verbs* verbs, std::uint64_t bytes);
Answer probe_icmp(const std::string& key);  // "DEVICE SOURCE DESTINATION BYTES" -> {"replied", "local_error"}
Answer probe_arp(const std::string& key);   // "DEVICE TARGET" -> {"macs": [...]}, sent from 0.0.0.0
Answer ask_kernel_log();                    // lines of the NVIDIA and mlx5 drivers

}  // namespace mlc
