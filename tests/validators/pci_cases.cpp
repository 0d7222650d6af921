// Cases of the PCI bus.
#include <filesystem>

#include "tests/validators/check_cases.hpp"
#include "tests/validators/odd_nodes.hpp"

namespace mlc::test {

void pci_cases(Cases& add) {
  add("pci.inventory", "nic gone", Status::fail, "rail 2 (10.12.0.0/16) is missing",
      [](BuiltNode& node, Policy&) { node.remove("/sys/class/infiniband/mlx5_2"); });
  add("pci.inventory", "no nic at all", Status::fail, "no rail",
      [](BuiltNode& node, Policy&) { node.remove("/sys/class/infiniband"); });
  add("pci.inventory", "mixed firmware", Status::warn, "2 kinds of firmware", [](BuiltNode& node, Policy&) {
    node.file(node.pci(node.pf(1)) + "/infiniband/mlx5_1/fw_ver", "28.38.1002\n");
  });
  add("pci.inventory", "firmware unreadable", Status::unknown, "does not say its firmware",
      [](BuiltNode& node, Policy&) { node.remove(node.pci(node.pf(1)) + "/infiniband/mlx5_1/fw_ver"); });

  add("pci.link", "nic at half width", Status::fail, "trained at 16 GT/s x8",
      [](BuiltNode& node, Policy&) { node.file(node.pci(node.pf(2)) + "/current_link_width", "8\n"); });
  add("pci.link", "switch uplink slow", Status::fail, "0000:17:01.0 -> 0000:18:00.0 trained at 16 GT/s",
      [](BuiltNode& node, Policy&) {
        node.file(node.pci("0000:18:00.0") + "/current_link_speed", "16.0 GT/s PCIe\n");
      });
  add("pci.link", "gpu narrow", Status::fail, "x8",
      [](BuiltNode& node, Policy&) { node.file(node.pci(node.gpu(5)) + "/current_link_width", "8\n"); });
  add("pci.link", "idle gpu is slow and well", Status::pass, "", [](BuiltNode& node, Policy&) {
    node.file(node.pci(node.gpu(5)) + "/current_link_speed", "2.5 GT/s PCIe\n");
  });
  add("pci.link", "below the policy", Status::fail, "8 GT/s x16", [](BuiltNode& node, Policy&) {
    for (const char* which : {"/current_link_speed", "/max_link_speed"})
      node.file(node.pci(node.pf(0)) + which, "8.0 GT/s PCIe\n");
  });
  add("pci.link", "speed unknown", Status::unknown, "does not say",
      [](BuiltNode& node, Policy&) { node.file(node.pci(node.pf(0)) + "/current_link_speed", "Unknown\n"); });

  add("pci.errors", "new fatal error", Status::fail, "1 uncorrectable", [](BuiltNode& node, Policy&) {
    node.later("/sys/bus/pci/devices/" + node.pf(0) + "/aer_dev_fatal", "TOTAL_ERR_FATAL 1\n");
  });
  add("pci.errors", "old fatal error", Status::warn, "since boot", [](BuiltNode& node, Policy&) {
    node.file(node.pci(node.gpu(0)) + "/aer_dev_fatal", "TOTAL_ERR_FATAL 3\n");
    node.later("/sys/bus/pci/devices/" + node.gpu(0) + "/aer_dev_fatal", "TOTAL_ERR_FATAL 3\n");
  });
  add("pci.errors", "flood of corrected ones", Status::warn, "corrected errors a minute",
      [](BuiltNode& node, Policy&) {
        node.later("/sys/bus/pci/devices/" + node.pf(0) + "/aer_dev_correctable", "TOTAL_ERR_COR 900\n");
      });
  add("pci.errors", "counters went backwards", Status::unknown, "went backwards",
      [](BuiltNode& node, Policy&) {
        node.file(node.pci(node.pf(0)) + "/aer_dev_fatal", "TOTAL_ERR_FATAL 9\n");
      });
  add("pci.errors", "no AER", Status::unknown, "aer_dev",
      [](BuiltNode& node, Policy&) { node.remove(node.pci(node.pf(0)) + "/aer_dev_fatal"); });

  const auto config = [](BuiltNode& node, const std::string& address, std::size_t at, char value) {
    std::string bytes = FileTree(node.root()).bytes(node.pci(address) + "/config", 4096).value;
    bytes[at] = value;
    node.file(node.pci(address) + "/config", bytes);
  };
  const auto cut_config = [](BuiltNode& node, const std::string& address) {
    node.file(node.pci(address) + "/config",
              FileTree(node.root()).bytes(node.pci(address) + "/config", 64).value);
  };
  add("pci.link", "a GPU fell off the bus", Status::fail, "does not answer", [](BuiltNode& node, Policy&) {
    node.file(node.pci(node.gpu(3)) + "/current_link_width", "63\n");
    node.file(node.pci(node.gpu(3)) + "/current_link_speed", "Unknown\n");
  });
  add("pci.max-read-request", "512 bytes", Status::warn, "512 bytes",
      [=](BuiltNode& node, Policy&) { config(node, node.pf(1), 0x69, 2 << 4); });
  add("pci.max-read-request", "unprivileged", Status::unknown, "64 bytes",
      [=](BuiltNode& node, Policy&) { cut_config(node, node.pf(1)); });
  add("pci.relaxed-ordering", "off", Status::warn, "off",
      [=](BuiltNode& node, Policy&) { config(node, node.pf(1), 0x68, 0); });
  add("pci.relaxed-ordering", "device answers all ones", Status::unknown, "all ones",
      [](BuiltNode& node, Policy&) {
        node.file(node.pci(node.pf(1)) + "/config", std::string(4096, '\xff'));
      });
  add("pci.acs", "redirection on", Status::fail, "redirected",
      [=](BuiltNode& node, Policy&) { config(node, "0000:19:00.0", 0x106, 0x0c); });
  add("pci.acs", "iommu translates", Status::warn, "translating",
      [](BuiltNode& node, Policy&) { node.file("/proc/cmdline", "intel_iommu=on\n"); });
  add("pci.acs", "unprivileged", Status::unknown, "64 bytes",
      [=](BuiltNode& node, Policy&) { cut_config(node, "0000:19:00.0"); });
  // Rails 0 and 1 and their GPUs below one switch, some of them below switches of their own in it.
  const auto put = [](BuiltNode& node, const std::vector<std::string>& devices, const std::string& below) {
    const std::string upstream = std::filesystem::path(node.pci("0000:19:00.0")).parent_path();
    const std::string folder = upstream + below;
    std::filesystem::create_directories(node.root() + folder);
    for (const auto& address : devices) {
      const std::string moved = folder + "/" + address;
      node.link("/sys/bus/pci/devices/" + address, "../../../" + moved.substr(5));
      std::filesystem::rename(node.root() + node.pci(address), node.root() + moved);
      for (int rail = 0; rail < 4; ++rail)
        if (node.pf(rail) == address)
          node.link("/sys/class/infiniband/mlx5_" + std::to_string(rail),
                    "../.." + moved.substr(4) + "/infiniband/mlx5_" + std::to_string(rail));
    }
  };
  add("pci.affinity", "nic in the wrong group", Status::fail, "which it shares with",
      [=](BuiltNode& node, Policy&) { put(node, {node.pf(1)}, ""); });
  add("pci.affinity", "and its GPUs have none", Status::fail, "shares no PCIe switch with any rail NIC",
      [=](BuiltNode& node, Policy&) { put(node, {node.pf(1)}, ""); });
  add("pci.affinity", "two rails to a switch", Status::pass, "4 GPUs", [=](BuiltNode& node, Policy&) {
    put(node, {node.pf(1), node.gpu(2), node.gpu(3)}, "");
  });
  add("pci.affinity", "two ports of one card", Status::pass, "4 GPUs", [=](BuiltNode& node, Policy&) {
    put(node, {node.gpu(2), node.gpu(3)}, "");
    put(node, {node.pf(0), node.pf(1)}, "/0000:e1:00.0");
  });
  add("pci.affinity", "a switch behind a switch", Status::pass, "2 GPUs", [=](BuiltNode& node, Policy&) {
    put(node, {node.pf(1), node.gpu(2), node.gpu(3)}, "/0000:e1:00.0/0000:e2:00.0");
  });
  add("pci.affinity", "in the switch behind it", Status::fail, "2 GPUs", [=](BuiltNode& node, Policy&) {
    put(node, {node.pf(0), node.pf(1), node.gpu(2), node.gpu(3)}, "/0000:e1:00.0/0000:e2:00.0");
  });
  // The NIC is nearer to the other NIC than to the GPUs that it left.
  add("pci.affinity", "in the wrong slot of a cascade", Status::fail, "is in a switch without a rail NIC",
      [=](BuiltNode& node, Policy&) {
        put(node, {node.gpu(0), node.gpu(1), node.pf(0), node.pf(1)}, "/0000:e1:00.0");
        put(node, {node.gpu(2), node.gpu(3)}, "/0000:e2:00.0");
      });
  add("pci.affinity", "a GPU in another's switch", Status::fail, "1 GPU (",
      [=](BuiltNode& node, Policy&) { put(node, {node.gpu(2)}, ""); });
  add("pci.affinity", "two rails are gone and no number is given", Status::unknown, "that is left",
      [](BuiltNode& node, Policy& policy) {
        policy.node->gpus_per_nic.reset();
        for (int rail : {2, 3})
          node.remove("/sys/class/infiniband/mlx5_" + std::to_string(rail));
      });
  add("pci.affinity", "wrong NUMA node", Status::fail, "NUMA node",
      [](BuiltNode& node, Policy&) { node.file(node.pci(node.pf(0)) + "/numa_node", "1\n"); });
  add("pci.affinity", "a GPU is gone", Status::fail, "7 GPUs are on the bus",
      [](BuiltNode& node, Policy&) { node.remove("/sys/bus/pci/devices/" + node.gpu(3)); });
  add("pci.affinity", "no equal groups", Status::unknown, "divide into no equal groups",
      [](BuiltNode& node, Policy& policy) {
        policy.node->gpus_per_nic.reset(), policy.node->gpus = 7;
        node.remove("/sys/bus/pci/devices/" + node.gpu(3));
      });
  add("pci.affinity", "all GPUs are gone", Status::fail, "0 GPUs are on the bus",
      [](BuiltNode& node, Policy&) {
        for (int i = 0; i < 8; ++i)
          node.remove("/sys/bus/pci/devices/" + node.gpu(i));
      });
}

}  // namespace mlc::test
