#include <algorithm>

#include "reports/record/text.hpp"
#include "validators/checks/check.hpp"
#include "validators/checks/pci_groups.hpp"
#include "validators/checks/rails.hpp"

namespace mlc::checks {

namespace {

struct Endpoint {
  std::string subject, address;
  PciPlace place;
  std::string unread;  // why its place is not known
};

// What is missing already: then a group that lacks one is no fault of its own.
struct Missing {
  int rails = 0, gpus = 0;
};

constexpr const char* source = "/sys/bus/pci/devices/* (path to the root, numa_node)";
constexpr const char* remedy =
    "compare the slots with the build sheet (nvidia-smi topo -m shows the same picture); move the card, "
    "then set NCCL_NET_GDR_LEVEL only as a stopgap";

std::string counted(int count, const char* what) {
  return std::to_string(count) + " " + what + (count == 1 ? "" : "s");
}

class Judge {
 public:
  Judge(const std::vector<Endpoint>& nics, const std::vector<Endpoint>& gpus, int per_nic,
        const Missing& missing)
      : nics_(nics), gpus_(gpus), per_nic_(per_nic), missing_(missing) {
    std::vector<PciPlace> nic_places, gpu_places;
    for (const auto& nic : nics)
      nic_places.push_back(nic.place);
    for (const auto& gpu : gpus)
      gpu_places.push_back(gpu.place);
    all_ = pci_groups(nic_places, gpu_places);
    for (const auto& group : all_.groups)
      lacking_ += std::max(0, -over(group));
    lacking_ += static_cast<int>(all_.apart_nics.size()) * per_nic;
  }

  std::vector<Finding> findings() {
    for (const auto& group : all_.groups)
      judge(group);
    for (const auto i : all_.apart_nics)
      judge_apart(nics_[i]);
    for (const auto i : all_.apart_gpus)
      stray(gpus_[i], std::string("shares no PCIe switch with any rail NIC") +
                          (missing_.rails > 0 ? " that is left" : ""));
    judge_numa();
    return findings_.done();
  }

 private:
  // GPUs beyond what its NICs serve; below 0: too few.
  int over(const PciGroup& group) const {
    return static_cast<int>(group.gpus.size()) - per_nic_ * static_cast<int>(group.nics.size());
  }

  void judge(const PciGroup& group) {
    if (group.nics.empty()) {
      for (const auto i : group.gpus)
        stray(gpus_[i],
              group.by_numa ? "is on a NUMA node without a rail NIC" : "is in a switch without a rail NIC");
      return;
    }
    std::vector<std::string> gpus;
    for (const auto i : group.gpus)
      gpus.push_back(gpus_[i].address);
    const std::string place = group.by_numa ? " on its NUMA node" : " behind its switch";
    for (const auto i : group.nics) {
      std::vector<std::string> others;
      for (const auto other : group.nics)
        if (other != i) others.push_back(nics_[other].subject);
      const auto [status, what_to_do] = told(over(group));
      findings_.judge(
          status, nics_[i].subject,
          counted(static_cast<int>(gpus.size()), "GPU") +
              (gpus.empty() ? "" : " (" + join(gpus, ", ") + ")") + place +
              (others.empty() ? "" : ", which it shares with " + join(others, ", ")),
          counted(per_nic_ * static_cast<int>(group.nics.size()), "GPU") +
              (others.empty() ? "" : " for " + counted(static_cast<int>(group.nics.size()), "NIC")),
          source, what_to_do);
    }
  }

  std::pair<Status, std::string> told(int over) const {
    if (over == 0) return {Status::pass, {}};
    // NUMA nodes may be finer than sockets, or known of half of the devices.
    if (all_.groups.front().by_numa)
      return {Status::unknown,
              "by NUMA nodes alone it cannot be told: read the topology on the bare-metal node"};
    if (over < 0 && lacking_ <= missing_.gpus)
      return {Status::unknown, "a GPU is missing: the finding of this node, and gpu.count"};
    if (over > 0 && missing_.rails > 0)
      return {Status::unknown, "a rail is missing, which these GPUs may be of: see pci.inventory first"};
    // Who has too many lost a neighbour: what is in the wrong place is where there are too few.
    if (over > 0 && lacking_ > missing_.gpus)
      return {Status::unknown,
              "see the rails that have too few GPUs: one of these cards has left this place"};
    return {Status::fail, remedy};
  }

  void judge_apart(const Endpoint& nic) {
    const std::string wanted = counted(per_nic_, "GPU");
    if (all_.groups.empty() || all_.groups.front().by_numa)
      findings_.unknown(nic.subject, "neither a shared switch nor a NUMA node is known", wanted, source,
                        "read the topology on the bare-metal node: a virtual machine may hide it");
    else
      findings_.judge(lacking_ <= missing_.gpus ? Status::unknown : Status::fail, nic.subject,
                      "0 GPUs behind its switch", wanted, source, told(-per_nic_).second);
  }

  void stray(const Endpoint& gpu, const std::string& said) {
    // By NUMA nodes alone nothing is certain of a node without a NIC: they may be finer than sockets, and a
    // NIC whose node is not known may be of it.
    const bool known = !all_.groups.empty() && !all_.groups.front().by_numa;
    if (missing_.rails > 0)
      findings_.needs("pci.inventory", gpu.subject, said, "a switch shared with one NIC", source);
    else if (!known)
      findings_.unknown(gpu.subject, said, "a switch shared with one NIC", source,
                        "read the topology on the bare-metal node: a virtual machine may hide it");
    else
      findings_.fail(gpu.subject, said, "a switch shared with one NIC", source, remedy);
  }

  void judge_numa() {
    for (const auto& group : all_.groups)
      for (const auto n : group.nics)
        for (const auto g : group.gpus) {
          const auto &nic = nics_[n].place.numa, &gpu = gpus_[g].place.numa;
          if (nic && gpu && nic != gpu)
            findings_.fail(nics_[n].subject,
                           "NUMA node " + std::to_string(*nic) + ", its GPU " + gpus_[g].address + " on " +
                               std::to_string(*gpu),
                           "one NUMA node", source, remedy);
        }
  }

  const std::vector<Endpoint>&nics_, &gpus_;
  int per_nic_;
  Missing missing_;
  PciGroups all_;
  int lacking_ = 0;  // GPUs, over all NICs that have too few
  CheckFindings findings_{"pci.affinity"};
};

Endpoint endpoint(const Host& host, std::string subject, const std::string& address) {
  Endpoint end{std::move(subject), address, {}, {}};
  if (auto path = read_pci_path(host.files(), address)) {
    end.place.bridges = std::move(path.value);
    end.place.bridges.pop_back();  // the device itself is nobody's bridge
  } else {
    end.unread = path.why;
  }
  if (const auto numa = host.files().number("/sys/bus/pci/devices/" + address + "/numa_node"))
    end.place.numa = static_cast<int>(*numa);
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
          if (gpus_missing) {
            findings.fail(
                "node", std::to_string(gpus.size()) + " GPUs are on the bus",
                std::to_string(wanted) + " GPUs", "/sys/bus/pci/devices",
                "lspci -d 10de: and dmesg | grep -i xid; power-cycle (AC), reseat, then open an RMA");
            findings.follows("gpu.count");
          } else if (gpus.empty())
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
          const int missing_rails = static_cast<int>(read_rails_here(host, policy)->missing.size());
          int per_nic = node && node->gpus_per_nic ? *node->gpus_per_nic : 0;
          // Of what should be here: what is missing is no reason to ask more of the others.
          const int all_gpus = std::max(wanted, static_cast<int>(gpus.size()));
          const int all_nics = static_cast<int>(nics.size()) + missing_rails;
          if (per_nic == 0 && all_gpus % all_nics == 0) per_nic = all_gpus / all_nics;
          if (per_nic == 0) {
            findings.unknown("node",
                             std::to_string(all_gpus) + " GPUs and " + std::to_string(all_nics) +
                                 " NICs divide into no equal groups",
                             "equal groups", "/sys/bus/pci/devices",
                             "say in the policy how many GPUs a NIC serves: node.rails.gpus_per_nic");
            return findings.done();
          }
          return joined(findings, Judge(nics, gpus, per_nic,
                                        {missing_rails, std::max(0, wanted - static_cast<int>(gpus.size()))})
                                      .findings());
        },
};

}  // namespace mlc::checks
