#include "reports/record/text.hpp"
#include "validators/checks/check.hpp"
#include "validators/checks/rails.hpp"

namespace mlc::checks {

namespace {

struct HostVf {
  std::string pci;
  Read<std::vector<std::string>> netdevs;
  bool held = false;         // sriov-cni says that a namespace has it
  bool rail = false;         // it is a rail of this namespace
  Read<bool> known_holders;  // /var/lib/cni/sriov/pci could be read
  std::vector<Prefix> addresses;
  std::optional<std::string> driver;
};

void judge(CheckFindings& findings, const std::string& rail, const std::vector<HostVf>& vfs) {
  const std::string source = "/sys/bus/pci/devices/PF/virtfn*/net, /var/lib/cni/sriov/pci",
                    expected = "every VF in the host or in one Pod";
  std::vector<std::string> nowhere, leftover;
  std::string unread;
  for (const auto& vf : vfs) {
    const bool here = vf.netdevs && !vf.netdevs->empty();
    if (!vf.netdevs && !vf.netdevs.missing())
      unread = vf.pci + ": " + vf.netdevs.why;
    else if (vf.driver && *vf.driver == "vfio-pci")
      continue;  // given to a virtual machine: no interface anywhere
    else if (!here && !vf.held && !vf.known_holders)
      unread = vf.pci + " has no interface here, and who holds it is not known: " + vf.known_holders.why;
    else if (!here && !vf.held)
      nowhere.push_back(vf.pci);
    else if (here && !vf.rail && (vf.netdevs->front().starts_with("temp_") || !vf.addresses.empty()))
      leftover.push_back(vf.netdevs->front() + " (" + vf.pci + ")");
  }
  if (!nowhere.empty())
    findings.fail(rail, join(nowhere, ", ") + " in no namespace", expected, source,
                  "rebind it: echo " + nowhere.front() +
                      " > /sys/bus/pci/drivers/mlx5_core/unbind, the same into bind; then delete "
                      "/var/lib/cni/sriov/pci/" +
                      nowhere.front() + " if it is stale");
  if (!leftover.empty())
    findings.fail(
        rail, join(leftover, ", ") + " back in the host with a Pod's name or address", "free VFs clean",
        source,
        "the detach failed half way: rebind the VF (unbind and bind of mlx5_core), which restores its name");
  if (!unread.empty())
    findings.unknown(rail, unread, expected, source, "run on the host as root");
  else if (nowhere.empty() && leftover.empty())
    findings.pass(rail, std::to_string(vfs.size()) + " VFs accounted for", expected, source);
}

}  // namespace

extern const Check vf_orphans{
    .name = "vf.orphans",
    .summary = "no VF is lost between namespaces or comes back with a Pod's name",
    .why =
        "A VF in no namespace still counts as allocatable: the next Pod gets it and hangs in "
        "ContainerCreating.",
    .reads = "/sys/bus/pci/devices/PF/virtfn*/net, /var/lib/cni/sriov/pci, RTM_GETADDR",
    .fix = "Unbind and bind the VF's driver; remove stale files of sriov-cni.",
    .run =
        [](const Host& host, const Policy& policy) {
          CheckFindings findings("vf.orphans");
          const auto rails = roce_rails_or_say(host, policy, findings);
          if (!rails) return findings.done();
          const auto holders = host.files().list("/var/lib/cni/sriov/pci");
          // Without the folder sriov-cni never gave out a VF on this node (or we are in a Pod, which the
          // caller sees).
          const bool known = holders || (holders.missing() && host.files().exists("/var/lib/cni"));
          for (const auto& nic : rail_nics(host, *rails)) {
            if (!nic.link) {
              findings.unknown(nic.subject, "a Pod does not see the VFs of its PF",
                               "every VF in the host or in one Pod", "the PF in the host's namespace",
                               "run this check on the host: mlc-bench validate vf.orphans");
              continue;
            }
            const std::string base = "/sys/bus/pci/devices/" + nic.pci;
            const auto entries = host.files().list(base);
            if (!entries) {
              findings.unknown(nic.subject, entries.why, "", base, "run on the node itself");
              continue;
            }
            std::vector<HostVf> vfs;
            for (const auto& entry : *entries) {
              if (!entry.starts_with("virtfn")) continue;
              HostVf vf;
              vf.pci = entry;
              vf.netdevs = host.files().list(base + "/" + entry + "/net");
              if (const auto target = host.files().resolve(base + "/" + entry))
                vf.pci = target->substr(target->rfind('/') + 1);
              if (const auto driver = host.files().resolve(base + "/" + entry + "/driver"))
                vf.driver = driver->substr(driver->rfind('/') + 1);
              for (const auto& rail : *rails)
                vf.rail = vf.rail || (rail.vf && rail.pci == vf.pci);
              for (const auto& holder : *holders)
                vf.held = vf.held || holder == vf.pci;
              if (!known) vf.known_holders = Read<bool>::unreadable("/var/lib/cni/sriov/pci: " + holders.why);
              if (vf.netdevs && !vf.netdevs->empty())
                for (const auto& link : *host.links())
                  if (link.name == vf.netdevs->front())
                    for (const auto& address : *host.addresses())
                      if (address.index == link.index) vf.addresses.push_back(address.prefix);
              vfs.push_back(std::move(vf));
            }
            if (vfs.empty())
              findings.skip(nic.subject, "the PF has no VF", base);
            else
              judge(findings, nic.subject, vfs);
          }
          return findings.done();
        },
};

}  // namespace mlc::checks
