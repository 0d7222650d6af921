// One identity graph: network-status entry <-> interface <-> VF <-> RDMA device <-> GID. Any broken edge is
// named.
#include <algorithm>
#include <map>

#include "reports/record/text.hpp"
#include "validators/checks/check.hpp"
#include "validators/checks/rails.hpp"

namespace mlc::checks {

namespace {

// What this namespace really has, per interface.
struct Present {
  std::string name, mac, pci;
  std::vector<std::string> ips, rdma;
  std::vector<std::string> gid_ips;  // IPv4 of the RoCE v2 GIDs owned by this interface
};

void judge_edges(CheckFindings& findings, const Attachment& told, const std::vector<Present>& present) {
  const std::string subject = told.interface + " (" + told.network + ")",
                    source = "network-status against RTM_GETLINK, RTM_GETADDR, /sys/class/infiniband";
  const auto found = std::ranges::find(present, told.interface, &Present::name);
  if (found == present.end()) {
    findings.fail(subject, "annotation -> interface: " + told.interface + " is not in this namespace",
                  "the interface", source,
                  "the attachment broke after it was made (the annotation is never refreshed): delete the "
                  "Pod so that Multus attaches again");
    return;
  }
  const Present& real = *found;
  std::vector<std::string> broken;
  const auto edge = [&](const std::string& what, bool holds) {
    if (!holds) broken.push_back(what);
  };
  if (!told.mac.empty())
    edge("annotation -> MAC: told " + told.mac + ", is " + real.mac, told.mac == real.mac);
  for (const auto& ip : told.ips)
    if (parse_ipv4(ip))
      edge("annotation -> address: told " + ip + ", is " + (real.ips.empty() ? "none" : join(real.ips, ", ")),
           std::ranges::find(real.ips, ip) != real.ips.end());
  // One that Whereabouts did not give is one that it may give to another Pod.
  for (const auto& ip : real.ips)
    if (!told.ips.empty() && !ip.starts_with("169.254."))
      edge("address -> annotation: " + ip + " is on the interface and was not given to it",
           std::ranges::find(told.ips, ip) != told.ips.end());
  if (!told.pci.empty())
    edge("annotation -> VF: told " + told.pci + ", the interface is " +
             (real.pci.empty() ? "no PCI device" : real.pci),
         told.pci == real.pci);
  for (const auto& rdma : told.rdma)
    edge("annotation -> RDMA device: told " + rdma + ", the VF has " +
             (real.rdma.empty() ? "none" : join(real.rdma, ", ")),
         std::ranges::find(real.rdma, rdma) != real.rdma.end());
  edge("VF -> RDMA device: " + (real.pci.empty() ? told.interface : real.pci) + " has none",
       !real.rdma.empty());
  for (const auto& ip : real.ips)
    if (!real.rdma.empty())
      edge("address -> GID: no RoCE v2 GID for " + ip,
           std::ranges::find(real.gid_ips, ip) != real.gid_ips.end());
  if (broken.empty())
    findings.pass(subject, real.pci + ", " + join(real.rdma, ", ") + ", " + join(real.ips, ", "),
                  "annotation, interface, VF, RDMA device and GID agree", source);
  else
    findings.fail(
        subject, join(broken, "; "), "annotation, interface, VF, RDMA device and GID agree", source,
        "the device plugin gave one VF and the CNI moved another, or the attachment went stale: one resource "
        "per rail (k8s.v1.cni.cncf.io/resourceName), rdma-cni in the chain, then delete the Pod");
}

std::vector<Finding> judge(const Read<std::vector<Attachment>>& told, const std::vector<Present>& present,
                           std::optional<int> wanted, const std::string& source) {
  CheckFindings findings("pod.attachment");
  const std::string expected = wanted ? std::to_string(*wanted) + " attachments" : "";
  if (!told) {
    findings.unknown("network-status", told.why, expected, source,
                     "mount the annotation with the downward API (not as subPath, not as environment): "
                     "metadata.annotations['k8s.v1.cni.cncf.io/network-status']");
    return findings.done();
  }
  int extra = 0;
  std::map<std::string, std::string> holders;  // of an address: the interface that was told it first
  for (const auto& one : *told) {
    if (one.is_default) continue;
    ++extra;
    judge_edges(findings, one, present);
    for (const auto& ip : one.ips)
      if (const auto [holder, is_new] = holders.try_emplace(ip, one.interface); !is_new)
        findings.fail(
            one.interface, ip + " was given to " + holder->second + " and to " + one.interface,
            "one interface an address", source,
            "two pools hand out one address: give each rail a range of its own, then delete the Pod");
  }
  if (wanted && extra < *wanted)
    findings.fail(
        "network-status", std::to_string(extra) + " attachments", expected, source,
        "check the request annotation k8s.v1.cni.cncf.io/networks and kubectl describe pod (Multus events)");
  for (const auto& one : present) {
    const bool known =
        std::ranges::any_of(*told, [&](const Attachment& entry) { return entry.interface == one.name; });
    if (!known && !one.rdma.empty())
      findings.fail(one.name, "interface -> annotation: a rail that network-status does not list",
                    "listed in network-status", source,
                    "an interface left over from another attachment: delete the Pod");
  }
  return findings.done();
}

}  // namespace

extern const Check pod_attachment{
    .name = "pod.attachment",
    .summary =
        "network-status, interfaces, VFs, RDMA devices and GIDs of this Pod name each other, one to one",
    .why =
        "If one edge is broken, the job binds to the address of one VF and the RDMA device of another: "
        "connections fail with errors that name neither.",
    .reads = "the network-status annotation (downward API), RTM_GETLINK, RTM_GETADDR, /sys/class/infiniband",
    .fix =
        "One device-plugin resource per rail; rdma-cni after sriov-cni; delete the Pod after a broken "
        "attach.",
    .keys = "pod.attachments",
    .run =
        [](const Host& host, const Policy& policy) {
          CheckFindings findings("pod.attachment");
          const auto* node = expectation(policy);
          const std::string podinfo = node ? node->podinfo : NodeExpectation{}.podinfo;
          if (!host.in_pod() && !host.files().exists(podinfo)) {
            findings.skip("Pod", "not in a Pod", "KUBERNETES_SERVICE_HOST, " + podinfo);
            return findings.done();
          }
          const auto wanted = node ? node->attachments : std::nullopt;
          if (!wanted && !host.files().exists(podinfo)) {
            findings.skip("Pod", "the policy does not ask for attachments", podinfo);
            return findings.done();
          }
          auto told = read_network_status(host.files(), podinfo);
          // Multus writes the annotation at the end of its work and the kubelet refreshes the file later: a
          // Pod that has just started waits for it.
          const auto enough = [&] {
            return told && std::ranges::count(*told, false, &Attachment::is_default) >= wanted.value_or(0);
          };
          for (double waited = 0; !enough() && node && waited < node->annotation_wait_s; waited += 1) {
            const auto later = host.files_after(1);
            if (!later) break;
            if (auto again = read_network_status(*later, podinfo)) told = std::move(again);
            if (!host.files().live()) break;  // a captured machine has one second reading
          }
          const auto& links = host.links();
          const auto& addresses = host.addresses();
          const auto& devices = host.rdma_devices();
          if (!links || !addresses || !devices) {
            findings.unknown("Pod",
                             !links       ? links.why
                             : !addresses ? addresses.why
                                          : devices.why,
                             "", "RTM_GETLINK, RTM_GETADDR, /sys/class/infiniband", "run inside the Pod");
            return findings.done();
          }
          std::vector<Present> present;
          for (const auto& link : *links) {
            Present one{link.name, link.mac, link.pci, {}, {}, {}};
            for (const auto& address : *addresses)
              if (address.index == link.index) one.ips.push_back(to_string(address.prefix.address));
            for (const auto& device : *devices) {
              if (std::ranges::find(device.netdevs, link.name) == device.netdevs.end()) continue;
              one.rdma.push_back(device.name);
              if (one.pci.empty()) one.pci = device.pci;
              if (const auto gids = read_gids(host.files(), device.name))
                for (const auto& gid : *gids)
                  if (const auto ip = mapped_ipv4(gid.gid);
                      ip && gid.type == "RoCE v2" && gid.netdev == link.name)
                    one.gid_ips.push_back(to_string(*ip));
            }
            present.push_back(std::move(one));
          }
          return judge(told, present, wanted, podinfo + "/network-status");
        },
};

}  // namespace mlc::checks
