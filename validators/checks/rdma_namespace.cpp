#include <algorithm>

#include "reports/record/text.hpp"
#include "validators/checks/check.hpp"
#include "validators/checks/rails.hpp"

namespace mlc::checks {

namespace {

struct Facts {
  Read<bool> exclusive;
  bool pod = false;
  std::vector<std::string> devices;       // all that this namespace shows
  std::vector<std::string> rails;         // those with an interface here
  Read<std::vector<std::string>> opened;  // RDMA devices whose uverbs file is mounted
};

std::vector<Finding> judge(const Facts& facts, std::optional<bool> exclusive_wanted) {
  CheckFindings findings("rdma.namespace");
  const std::string source = "RDMA_NLDEV_CMD_SYS_GET, /dev/infiniband, /sys/class/infiniband";
  const std::string expected = exclusive_wanted ? (*exclusive_wanted ? "exclusive" : "shared") : "";
  if (!facts.exclusive) {
    findings.unknown("node", "network namespace mode: " + facts.exclusive.why, expected, source,
                     "load the RDMA core (modprobe ib_core), then: rdma system show");
  } else if (exclusive_wanted && *facts.exclusive != *exclusive_wanted) {
    findings.fail("node", *facts.exclusive ? "exclusive" : "shared", expected, source,
                  "set it at boot, before any namespace exists: options ib_core netns_mode=" +
                      std::string(*exclusive_wanted ? "0" : "1") + " in /etc/modprobe.d, then reboot");
  } else {
    findings.pass("node", *facts.exclusive ? "exclusive" : "shared", expected, source);
  }
  if (!facts.pod) return findings.done();
  if (facts.exclusive && *facts.exclusive && facts.devices.size() != facts.rails.size())
    findings.fail(
        "Pod",
        "sees " + std::to_string(facts.devices.size()) + " RDMA devices, but only " +
            std::to_string(facts.rails.size()) + " have an interface here",
        "one device per rail", source,
        "chain rdma-cni after sriov-cni in the network attachment, so that the device moves with its VF");
  if (!facts.opened) {
    findings.unknown("Pod", "/dev/infiniband: " + facts.opened.why, "one uverbs file per rail", source,
                     "request the rail resources in the Pod (mlc.io/rail0: 1, ...), the device plugin then "
                     "mounts the files");
    return findings.done();
  }
  for (const auto& rail : facts.rails)
    if (std::ranges::find(*facts.opened, rail) == facts.opened->end())
      findings.fail("Pod", rail + " has an interface here but no uverbs file", "a uverbs file for every rail",
                    source,
                    "the device plugin gave another device than the CNI moved: one resource per rail, "
                    "matched in the network attachment's resourceName");
  for (const auto& device : *facts.opened)
    if (std::ranges::find(facts.rails, device) == facts.rails.end())
      findings.fail("Pod", "the uverbs file of " + device + " is mounted, its interface is not here",
                    "only the Pod's own devices", source,
                    "the device plugin gave " + device +
                        ", the CNI moved another VF: one resource per rail, matched in the network "
                        "attachment's resourceName");
  return findings.done();
}

}  // namespace

extern const Check rdma_namespace{
    .name = "rdma.namespace",
    .summary = "RDMA devices are in the namespace of their interfaces, and a Pod holds exactly its own",
    .why =
        "A Pod with the verbs file of one VF and the interface of another opens a device whose GIDs it does "
        "not have: every queue pair fails.",
    .reads = "RDMA netlink (netns mode), /dev/infiniband, /sys/class/infiniband_verbs, /sys/class/infiniband",
    .fix = "rdma-cni after sriov-cni, one device-plugin resource per rail; ib_core netns_mode at boot.",
    .keys = "rails.netns",
    .run =
        [](const Host& host, const Policy& policy) {
          CheckFindings findings("rdma.namespace");
          const auto rails = rails_or_say(host, policy, findings);
          if (!rails) return findings.done();
          Facts facts;
          facts.exclusive = host.rdma_exclusive();
          // On the host's network a Pod has the PFs, and the devices of the VFs are rightly there too.
          facts.pod = host.in_pod() && std::ranges::all_of(*rails, &Rail::vf);
          for (const auto& device : *host.rdma_devices())
            facts.devices.push_back(device.name);
          for (const auto& rail : *rails)
            facts.rails.push_back(rail.rdma);
          const auto nodes = host.files().list("/dev/infiniband");
          facts.opened.absence = nodes.absence;
          facts.opened.why = nodes.why;
          for (const auto& file : *nodes) {
            // uverbs7 need not be mlx5_7.
            if (!file.starts_with("uverbs")) continue;
            if (const auto device = host.files().text("/sys/class/infiniband_verbs/" + file + "/ibdev"))
              facts.opened.value.push_back(*device);
          }
          const auto* node = expectation(policy);
          return judge(facts, node ? node->rdma_exclusive : std::nullopt);
        },
};

}  // namespace mlc::checks
