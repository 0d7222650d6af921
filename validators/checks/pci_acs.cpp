#include <set>

#include "validators/checks/check.hpp"
#include "validators/checks/rails.hpp"

namespace mlc::checks {

namespace {

// PCI Express base specification, ACS control: P2P request redirect, P2P completion redirect.
constexpr unsigned request_redirect = 1u << 2, completion_redirect = 1u << 3;

struct Bridge {
  std::string address;
  Read<PciRegisters> registers;
};

std::vector<Finding> judge(const std::vector<Bridge>& bridges, const Read<std::string>& command_line) {
  CheckFindings findings("pci.acs");
  for (const auto& [address, registers] : bridges) {
    const std::string source = "/sys/bus/pci/devices/" + address + "/config (ACS capability)",
                      expected = "no redirection";
    if (!registers || !registers->extended) {
      findings.unknown("bridge " + address,
                       registers ? "only 256 bytes of the configuration space may be read" : registers.why,
                       expected, source, "run as root on the bare-metal node");
    } else if (registers->acs_control &&
               (*registers->acs_control & (request_redirect | completion_redirect)) != 0) {
      findings.fail("bridge " + address, "peer-to-peer traffic is redirected to the root", expected, source,
                    "disable ACS in firmware setup, or at boot: setpci -s " + address + " ECAP_ACS+6.w=0");
    }
  }
  if (!findings.empty()) return findings.done();
  if (bridges.empty()) return findings.done();
  // With the IOMMU translating, peer-to-peer goes through it whatever ACS says; passthrough keeps it off the
  // path.
  const bool iommu_on = command_line && (command_line->find("intel_iommu=on") != std::string::npos ||
                                         command_line->find("amd_iommu=on") != std::string::npos);
  const bool passthrough = command_line && command_line->find("iommu=pt") != std::string::npos;
  if (!command_line)
    findings.unknown("IOMMU", command_line.why, "off or iommu=pt", "/proc/cmdline", "run on the node itself");
  else if (iommu_on && !passthrough)
    findings.warn("IOMMU", "translating for every device", "off or iommu=pt", "/proc/cmdline",
                  "add iommu=pt to the kernel command line and reboot");
  else
    findings.pass("node", std::to_string(bridges.size()) + " bridges without redirection", "no redirection",
                  "/sys/bus/pci/devices/*/config, /proc/cmdline");
  return findings.done();
}

}  // namespace

extern const Check pci_acs{
    .name = "pci.acs",
    .summary =
        "no bridge between NICs and GPUs redirects their traffic to the root, and the IOMMU passes through",
    .why =
        "With ACS redirection GPUDirect RDMA crosses the root complex instead of the switch: half the "
        "bandwidth, twice the latency, and all rails contend.",
    .reads = "/sys/bus/pci/devices/*/config of every bridge above a NIC or GPU, /proc/cmdline",
    .fix = "Disable ACS in firmware setup or with setpci at boot; iommu=pt on the kernel command line.",
    .run =
        [](const Host& host, const Policy& policy) {
          CheckFindings findings("pci.acs");
          const auto rails = rails_or_say(host, policy, findings);
          if (!rails) return findings.done();
          std::set<std::string> devices;
          for (const auto& nic : rail_nics(host, *rails))
            devices.insert(nic.pci);
          if (const auto& pci = host.pci_devices())
            for (const auto& device : *pci)
              if (device.gpu()) devices.insert(device.address);
          std::set<std::string> bridges;
          for (const auto& device : devices)
            if (const auto path = read_pci_path(host.files(), device))
              bridges.insert(path->begin(), path->end() - 1);
          std::vector<Bridge> read;
          for (const auto& bridge : bridges)
            read.push_back({bridge, read_pci_registers(host.files(), bridge)});
          return judge(read, host.files().text("/proc/cmdline"));
        },
};

}  // namespace mlc::checks
