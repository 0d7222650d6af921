#include <algorithm>
#include <functional>
#include <map>

#include "validators/checks/check.hpp"
#include "validators/checks/rails.hpp"

namespace mlc::checks {

namespace {

struct Endpoint {
  std::string subject, address;
  std::vector<std::string> path;  // from the root port down
  std::optional<int> numa;        // empty where the machine does not say (-1)
  std::string unread;             // why the path is not known
};

std::size_t shared(const std::vector<std::string>& a, const std::vector<std::string>& b) {
  return static_cast<std::size_t>(std::ranges::mismatch(a, b).in1 - a.begin());
}

// What is missing already: then a group that lacks one is no fault of its own.
struct Missing {
  bool rails = false, gpus = false;
};

std::vector<Finding> judge(const std::vector<Endpoint>& nics, const std::vector<Endpoint>& gpus, int per_nic,
                           const Missing& missing) {
  CheckFindings findings("pci.affinity");
  const std::string source = "/sys/bus/pci/devices/* (path to the root, numa_node)";
  const std::string remedy =
      "compare the slots with the build sheet (nvidia-smi topo -m shows the same picture); move the card, "
      "then set NCCL_NET_GDR_LEVEL only as a stopgap";
  // Each GPU belongs to the NIC with which it shares most of its path, those that share most before the
  // others. Of several behind the very same switch it is the first that has not its number yet: a NIC in the
  // wrong slot is nearer to another NIC than to the GPUs that it left. Then to one of its NUMA node.
  std::map<std::string, std::vector<std::string>> groups;
  const auto is_full = [&](const Endpoint& nic) {
    return static_cast<int>(groups[nic.address].size()) >= per_nic;
  };
  const auto nearest = [&](const Endpoint& gpu) {
    std::size_t most = 0;
    for (const auto& nic : nics)
      most = std::max(most, shared(gpu.path, nic.path));
    return most;
  };
  std::vector<const Endpoint*> order, lonely;
  for (const auto& gpu : gpus)
    order.push_back(&gpu);
  std::ranges::stable_sort(order, std::greater{}, [&](const Endpoint* gpu) { return nearest(*gpu); });
  for (const auto* gpu : order) {
    const Endpoint* best = nullptr;
    const std::size_t most = nearest(*gpu);
    for (const auto& nic : nics) {
      if (most == 0 || shared(gpu->path, nic.path) != most) continue;
      if (!best || (is_full(*best) && !is_full(nic) && shared(best->path, nic.path) == most)) best = &nic;
    }
    if (best)
      groups[best->address].push_back(gpu->address);
    else
      lonely.push_back(gpu);
  }
  // No common bridge anywhere: a host whose NICs and GPUs hang off different root ports. NUMA is what is
  // left.
  const bool by_numa = lonely.size() == gpus.size();
  if (by_numa) {
    for (const auto* gpu : lonely) {
      const Endpoint* best = nullptr;
      for (const auto& nic : nics)
        if (nic.numa && gpu->numa == nic.numa &&
            (!best || groups[nic.address].size() < groups[best->address].size()))
          best = &nic;
      if (best) groups[best->address].push_back(gpu->address);
    }
  } else {
    for (const auto* gpu : lonely)
      if (missing.rails)
        findings.unknown(gpu->subject, "shares no PCIe switch with any rail NIC that is left",
                         "a switch shared with one NIC", source, "see pci.inventory first");
      else
        findings.fail(gpu->subject, "shares no PCIe switch with any rail NIC", "a switch shared with one NIC",
                      source, remedy);
  }
  for (const auto& nic : nics) {
    const auto& mine = groups[nic.address];
    std::string list;
    for (const auto& gpu : mine)
      list += (list.empty() ? "" : ", ") + gpu;
    if (by_numa && !nic.numa) {
      findings.unknown(nic.subject, "neither a shared switch nor a NUMA node is known",
                       std::to_string(per_nic) + " GPUs", source,
                       "read the topology on the bare-metal node: a virtual machine may hide it");
      continue;
    }
    const int here = static_cast<int>(mine.size());
    const bool of_missing = missing.gpus && here < per_nic;
    findings.judge(here == per_nic ? Status::pass
                   : of_missing    ? Status::unknown
                                   : Status::fail,
                   nic.subject,
                   std::to_string(here) + " GPUs" + (list.empty() ? "" : " (" + list + ")") +
                       (by_numa ? " on its NUMA node" : " behind its switch"),
                   std::to_string(per_nic) + " GPUs", source,
                   of_missing ? "a GPU is missing: the finding of this node, and gpu.count" : remedy);
  }
  for (const auto& gpu : gpus)
    for (const auto& nic : nics)
      if (shared(gpu.path, nic.path) > 0 && gpu.numa && nic.numa && gpu.numa != nic.numa)
        findings.fail(nic.subject,
                      "NUMA node " + std::to_string(*nic.numa) + ", its GPU " + gpu.address + " on " +
                          std::to_string(*gpu.numa),
                      "one NUMA node", source, remedy);
  return findings.done();
}

Endpoint endpoint(const Host& host, std::string subject, const std::string& address) {
  Endpoint end{std::move(subject), address, {}, {}, {}};
  if (auto path = read_pci_path(host.files(), address)) {
    end.path = std::move(path.value);
    end.path.pop_back();  // the device itself is nobody's bridge
  } else {
    end.unread = path.why;
  }
  if (const auto numa = host.files().number("/sys/bus/pci/devices/" + address + "/numa_node"))
    end.numa = static_cast<int>(*numa);
  return end;
}

// Both; a check that has found nothing yet says nothing.
std::vector<Finding> joined(CheckFindings& first, const std::vector<Finding>& second) {
  if (first.empty()) return second;
  auto all = first.done();
  all.insert(all.end(), second.begin(), second.end());
  return all;
}

}  // namespace

extern const Check pci_affinity{
    .name = "pci.affinity",
    .summary = "each rail NIC shares a PCIe switch with its own GPUs: four groups of one NIC and two GPUs",
    .why =
        "A GPU far from its NIC sends across the CPU interconnect: NCCL then picks slower paths or lets two "
        "GPUs share one rail while another idles.",
    .reads = "/sys/bus/pci/devices/* (resolved path, numa_node)",
    .fix =
        "Put the NIC into the slot of the build sheet; nvidia-smi topo -m must show PIX or PXB between a NIC "
        "and its GPUs.",
    .keys = "rails.gpus_per_nic",
    .run =
        [](const Host& host, const Policy& policy) {
          CheckFindings findings("pci.affinity");
          const auto& pci = host.pci_devices();
          if (!pci) {
            findings.unknown("node", pci.why, "", "/sys/bus/pci/devices", "run on the node itself");
            return findings.done();
          }
          std::vector<Endpoint> nics, gpus;
          for (const auto& device : *pci)
            if (device.gpu()) gpus.push_back(endpoint(host, "GPU " + device.address, device.address));
          const auto* node = expectation(policy);
          const int wanted = node ? node->gpus.value_or(0) : 0;
          const bool gpus_missing = static_cast<int>(gpus.size()) < wanted;
          // Where NVML cannot be asked, as in a look at a node that trains, nothing else says so.
          if (gpus_missing)
            findings.fail(
                "node", std::to_string(gpus.size()) + " GPUs are on the bus",
                std::to_string(wanted) + " GPUs", "/sys/bus/pci/devices",
                "lspci -d 10de: and dmesg | grep -i xid; power-cycle (AC), reseat, then open an RMA");
          else if (gpus.empty())
            findings.skip("node", "no GPU on this machine to be near to", "/sys/bus/pci/devices");
          if (gpus.empty()) return findings.done();
          const auto rails = rails_or_say(host, policy, findings);
          if (!rails) return findings.done();
          for (const auto& nic : rail_nics(host, *rails))
            nics.push_back(endpoint(host, nic.subject, nic.pci));
          CheckFindings unread("pci.affinity");
          for (const auto* ends : {&nics, &gpus})
            for (const auto& end : *ends)
              if (!end.unread.empty())
                unread.unknown(end.subject, "its place on the bus: " + end.unread, "a path to the root",
                               "/sys/bus/pci/devices/" + end.address, "run on the node itself");
          if (!unread.empty()) return joined(findings, unread.done());
          int per_nic = node && node->gpus_per_nic ? *node->gpus_per_nic : 0;
          if (per_nic == 0 && gpus.size() % nics.size() == 0)
            per_nic = static_cast<int>(gpus.size() / nics.size());
          if (per_nic == 0) {
            findings.unknown("node",
                             std::to_string(gpus.size()) + " GPUs and " + std::to_string(nics.size()) +
                                 " NICs divide into no equal groups",
                             "equal groups", "/sys/bus/pci/devices",
                             "say in the policy how many GPUs a NIC serves: node.rails.gpus_per_nic");
            return findings.done();
          }
          return joined(findings, judge(nics, gpus, per_nic,
                                        {!read_rails_here(host, policy)->missing.empty(), gpus_missing}));
        },
};

}  // namespace mlc::checks
