// Two settings of one register, Device Control of the PCI Express capability.
#include "validators/checks/check.hpp"
#include "validators/checks/rails.hpp"

namespace mlc::checks {

namespace {

struct Registers {
  std::string subject, address;
  Read<PciRegisters> registers;
};

std::string path(const std::string& address) { return "/sys/bus/pci/devices/" + address + "/config"; }

// Calls `judge` for each NIC whose register can be read; the others are unknown.
template <class Judge>
std::vector<Finding> each_nic(std::string_view check, const Host& host, const Policy& policy,
                              const std::string& expected, Judge judge) {
  CheckFindings findings(check);
  const auto rails = rails_or_say(host, policy, findings);
  if (!rails) return findings.done();
  for (const auto& nic : rail_nics(host, *rails)) {
    if (nic.hidden) {
      findings.unknown(nic.subject, "a VF whose PF is out of sight", expected, path(nic.pci),
                       "run this check on the machine that has the PF");
      continue;
    }
    const auto registers = read_pci_registers(host.files(), nic.pci);
    if (!registers || !registers->device_control)
      findings.unknown(nic.subject, registers ? "no PCI Express capability" : registers.why, expected,
                       path(nic.pci),
                       "run as root on the node, where the whole configuration space can be read");
    else
      judge(findings, nic, *registers);
  }
  return findings.done();
}

}  // namespace

extern const Check pci_max_read_request{
    .name = "pci.max-read-request",
    .summary = "NICs may ask for 4096 bytes of PCIe read at a time",
    .why =
        "With 512 bytes a 200 Gbit/s NIC cannot keep enough reads in flight and stops short of line rate on "
        "sends, for no reason a network test would show.",
    .reads = "/sys/bus/pci/devices/*/config: Device Control bits 14:12",
    .fix =
        "setpci -s BDF CAP_EXP+8.w shows it; set bits 14:12 to 5 (4096) at boot, for example by the NIC "
        "configuration operator.",
    .keys = "rails.max_read_request",
    .run =
        [](const Host& host, const Policy& policy) {
          const auto* node = expectation(policy);
          const int least = node && node->max_read_request ? *node->max_read_request : 4096;
          return each_nic("pci.max-read-request", host, policy, std::to_string(least),
                          [&](CheckFindings& findings, const RailNic& nic, const PciRegisters& registers) {
                            const int bytes = registers.max_read_request();
                            findings.judge(
                                bytes >= least ? Status::pass : Status::warn, nic.subject,
                                std::to_string(bytes) + " bytes", std::to_string(least) + " bytes",
                                path(nic.pci),
                                "setpci -s " + nic.pci +
                                    " CAP_EXP+8.w shows it; set bits 14:12 to 5 (4096 bytes) at boot");
                          });
        },
};

extern const Check pci_relaxed_ordering{
    .name = "pci.relaxed-ordering",
    .summary = "NICs may use relaxed ordering",
    .why =
        "Without it, writes into GPU or host memory wait for each other on many platforms, and a rail "
        "receives at half its rate.",
    .reads = "/sys/bus/pci/devices/*/config: Device Control bit 4",
    .fix = "Enable relaxed ordering for the slot in firmware setup; mlxconfig -d BDF query PCI_WR_ORDERING.",
    .keys = "rails.relaxed_ordering",
    .run =
        [](const Host& host, const Policy& policy) {
          const auto* node = expectation(policy);
          const bool wanted = !node || node->relaxed_ordering.value_or(true);
          return each_nic(
              "pci.relaxed-ordering", host, policy, wanted ? "on" : "off",
              [&](CheckFindings& findings, const RailNic& nic, const PciRegisters& registers) {
                const bool on = registers.relaxed_ordering();
                findings.judge(
                    on == wanted ? Status::pass : Status::warn, nic.subject, on ? "on" : "off",
                    wanted ? "on" : "off", path(nic.pci),
                    "mlxconfig -d " + nic.pci +
                        " query PCI_WR_ORDERING, and check relaxed ordering in the firmware setup");
              });
        },
};

}  // namespace mlc::checks
