// RDMA devices and GID tables from sysfs, as values.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "validators/host/file_tree.hpp"

namespace mlc {

struct RdmaDevice {
  std::string name;                  // "mlx5_0"
  std::string pci;                   // of soft RoCE: its interface's; empty if that has none
  std::string parent;                // the PF's PCI address; empty for a PF
  std::vector<std::string> netdevs;  // in this network namespace
  std::string node_guid;
  bool soft = false;  // soft RoCE on an ordinary interface: neither board nor firmware
  bool is_vf() const { return !parent.empty(); }
};

struct Gid {
  int index = 0;
  std::string gid, type, netdev;  // type: "RoCE v2", "IB/RoCE v1"
};

// None on a machine without the RDMA core; unreadable where that cannot be told.
Read<std::vector<RdmaDevice>> read_rdma_devices(const FileTree& files);
// Rows in use; those of netdevs in another namespace answer EINVAL and are left out, as NCCL does.
Read<std::vector<Gid>> read_gids(const FileTree& files, const std::string& device);
std::string port_path(const std::string& device);             // "/sys/class/infiniband/mlx5_0/ports/1/"
std::optional<double> leading_number(std::string_view text);  // "200 Gb/sec (4X HDR)" -> 200

}  // namespace mlc
