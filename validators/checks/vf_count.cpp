#include <algorithm>
#include <set>

#include "validators/checks/check.hpp"
#include "validators/checks/rails.hpp"

namespace mlc::checks {

namespace {

struct Pf {
  std::string subject, netdev, pci;
  Read<std::uint64_t> configured, possible;
};

// PFs that are not in the list, of a model that is.
std::vector<std::string> like_these(const Host& host, const std::vector<Pf>& pfs) {
  std::vector<std::string> found;
  const auto& devices = host.pci_devices();
  for (const auto& other : *devices) {
    const bool listed = std::ranges::find(pfs, other.address, &Pf::pci) != pfs.end();
    const bool alike = std::ranges::any_of(*devices, [&](const PciDevice& device) {
      return device.vendor == other.vendor && device.device == other.device &&
             std::ranges::find(pfs, device.address, &Pf::pci) != pfs.end();
    });
    if (!listed && alike && host.files().number("/sys/bus/pci/devices/" + other.address + "/sriov_totalvfs"))
      found.push_back(other.address);
  }
  return found;
}

std::vector<Finding> judge(const std::vector<Pf>& pfs, std::optional<int> wanted) {
  CheckFindings findings("vf.count");
  std::set<std::uint64_t> counts;
  for (const auto& pf : pfs) {
    const std::string source = "/sys/bus/pci/devices/" + pf.pci + "/{sriov_numvfs,sriov_totalvfs}";
    const std::string expected = wanted ? std::to_string(*wanted) + " VFs" : "the same on every rail";
    if (pf.configured.missing() && wanted == 0) {
      findings.pass(pf.subject, "SR-IOV is off", expected, source);
      continue;
    }
    if (!pf.configured) {
      findings.unknown(pf.subject, pf.configured.why, expected, source,
                       "enable SR-IOV in the firmware: mlxconfig -d " + pf.pci +
                           " set SRIOV_EN=1 NUM_OF_VFS=" + std::to_string(wanted.value_or(8)) +
                           ", then power-cycle");
      continue;
    }
    counts.insert(*pf.configured);
    const std::string observed = std::to_string(*pf.configured) + " VFs" +
                                 (pf.possible ? " of " + std::to_string(*pf.possible) + " possible" : "");
    if (wanted && *pf.configured < static_cast<std::uint64_t>(*wanted))
      findings.fail(pf.subject, observed, expected, source,
                    pf.possible && *pf.possible < static_cast<std::uint64_t>(*wanted)
                        ? "the firmware allows no more: mlxconfig -d " + pf.pci +
                              " set NUM_OF_VFS=" + std::to_string(*wanted) + ", then power-cycle"
                        : "the operator did not make them: kubectl get sriovnetworknodestates -A -o yaml "
                          "(lastSyncError), then restart the device plugin");
    else if (wanted && *pf.configured > static_cast<std::uint64_t>(*wanted))
      findings.warn(
          pf.subject, observed, expected, source,
          "set numVfs in the SriovNetworkNodePolicy, or the policy of mlc-bench, to the real figure");
    else
      findings.pass(pf.subject, observed, expected, source);
  }
  if (!wanted && counts.size() > 1)
    findings.fail(
        "node", "the rails have different numbers of VFs", "the same on every rail",
        "/sys/bus/pci/devices/*/sriov_numvfs",
        "kubectl get sriovnetworknodestates -A -o yaml; apply one SriovNetworkNodePolicy to all rails");
  return findings.done();
}

}  // namespace

extern const Check vf_count{
    .name = "vf.count",
    .summary = "every rail's PF has the VFs the policy asks for",
    .why = "One VF short on one rail, and the Pod that needs four stays Pending while the node looks free.",
    .reads = "/sys/bus/pci/devices/PF/{sriov_numvfs,sriov_totalvfs}",
    .fix =
        "SriovNetworkNodePolicy numVfs; NUM_OF_VFS in the NIC firmware; restart the device plugin, which "
        "counts once at start.",
    .keys = "vfs.per_pf",
    .run =
        [](const Host& host, const Policy& policy) {
          CheckFindings findings("vf.count");
          const auto* node = expectation(policy);
          const auto rails = rails_or_say(host, policy, findings);
          if (!rails) return findings.done();
          std::vector<Pf> pfs;
          for (const auto& nic : rail_nics(host, *rails)) {
            if (nic.hidden) {
              if (node && node->vfs_per_pf)
                findings.unknown(nic.subject, "a VF whose PF is out of sight", "",
                                 "/sys/bus/pci/devices/" + nic.pci,
                                 "run this check on the machine that has the PF");
              continue;
            }
            const std::string base = "/sys/bus/pci/devices/" + nic.pci + "/";
            pfs.push_back({nic.subject, "", nic.pci, host.files().number(base + "sriov_numvfs"),
                           host.files().number(base + "sriov_totalvfs")});
          }
          const auto wanted = node ? node->vfs_per_pf : std::nullopt;
          // A rail whose only VF is gone is no rail any more: its PF is found among the NICs of the same
          // model.
          if (static_cast<int>(rails->size()) < expected_rails(policy).value_or(0)) {
            const auto here = read_rails_here(host, policy);
            for (const auto& pci : like_these(host, pfs)) {
              if (std::ranges::find(here->others, pci, &NotARail::pci) != here->others.end()) continue;
              const std::string base = "/sys/bus/pci/devices/" + pci + "/";
              const auto netdevs = host.files().list(base + "net");
              pfs.push_back({"PF " + (netdevs && !netdevs->empty() ? netdevs->front() + ", " : "") + pci, "",
                             pci, host.files().number(base + "sriov_numvfs"),
                             host.files().number(base + "sriov_totalvfs")});
            }
          }
          if (pfs.empty() && !findings.empty()) return findings.done();
          bool any = wanted.has_value() && !pfs.empty();
          for (const auto& pf : pfs)
            any = any || !pf.configured.missing();
          if (!any) {
            findings.skip("rails", "the NICs have no SR-IOV, and the policy does not ask",
                          "/sys/bus/pci/devices/*/sriov_numvfs");
            return findings.done();
          }
          return judge(pfs, wanted);
        },
};

}  // namespace mlc::checks
