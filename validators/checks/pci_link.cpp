#include <algorithm>

#include "reports/record/text.hpp"
#include "validators/checks/check.hpp"
#include "validators/checks/rails.hpp"

namespace mlc::checks {

namespace {

struct Device {
  std::string subject, address;
  bool gpu = false;
  Read<std::vector<PciLink>> hops;  // from the root port to the device
};

std::string text(std::optional<double> speed, std::optional<int> width) {
  return (speed ? shortest(*speed) + " GT/s" : std::string("? GT/s")) + " x" +
         (width ? std::to_string(*width) : "?");
}

template <class T>
std::optional<T> least(std::optional<T> a, std::optional<T> b) {
  return a && b ? std::min(*a, *b) : a ? a : b;
}

void judge_hop(CheckFindings& findings, const Device& device, const PciLink* above, const PciLink& below,
               bool last) {
  // A link can do what its weaker end can do.
  const auto speed = least(below.max_speed, above ? above->max_speed : std::nullopt);
  const auto width = least(below.max_width, above ? above->max_width : std::nullopt);
  const std::string hop = (above ? above->address : std::string("root")) + " -> " + below.address;
  const std::string source = "/sys/bus/pci/devices/" + below.address + "/{current,max}_link_{speed,width}";
  if (below.silent) {
    findings.fail(device.subject, "link " + hop + " does not answer: the device has fallen off the bus",
                  text(speed, width), source,
                  "dmesg | grep -i -e xid -e pcieport -e AER; power-cycle (AC), reseat, then open an RMA");
    return;
  }
  if (!below.width || !below.speed || !width || !speed) {
    findings.unknown(device.subject, "link " + hop + " does not say its speed or width", "", source,
                     "read it as root: lspci -vv -s " + below.address + " | grep LnkSta");
    return;
  }
  // GPUs lower the speed of their own link while idle; its width they keep.
  const bool slow = *below.speed < *speed && !(device.gpu && last);
  if (slow || *below.width < *width)
    findings.fail(device.subject, "link " + hop + " trained at " + text(below.speed, below.width),
                  text(speed, width), source,
                  "reboot first; if it comes back, reseat the card or riser at " +
                      (above ? above->address : below.address) + ", then replace it");
}

void judge(CheckFindings& findings, const Device& device, std::optional<double> asked_speed,
           std::optional<int> asked_width) {
  const std::string source = "/sys/bus/pci/devices/" + device.address;
  if (!device.hops) {
    findings.unknown(device.subject, device.hops.why, "", source,
                     "check that the device is on the bus: lspci -s " + device.address);
    return;
  }
  const auto& hops = *device.hops;
  CheckFindings bad("pci.link");
  // Root port, then (switch upstream port, switch downstream port) again and again, then the device: the
  // links are below the even positions, what lies between is the inside of a switch. A device on the root bus
  // has none above.
  if (hops.size() % 2 == 0) {
    for (std::size_t i = 0; i + 1 < hops.size(); i += 2)
      judge_hop(bad, device, &hops[i], hops[i + 1], i + 2 == hops.size());
  } else {
    judge_hop(bad, device, hops.size() > 1 ? &hops[hops.size() - 2] : nullptr, hops.back(), true);
  }
  const PciLink& own = hops.back();
  const bool slow = asked_speed && own.speed && *own.speed < *asked_speed && !device.gpu;
  const bool narrow = asked_width && own.width && *own.width < *asked_width;
  // 16 GT/s x16 and 32 GT/s x8 carry the same.
  const bool enough = own.speed && own.width && asked_speed && asked_width &&
                      *own.speed * *own.width >= *asked_speed * *asked_width;
  if (bad.empty() && (slow || narrow) && !enough)
    bad.fail(device.subject, "link at " + text(own.speed, own.width),
             text(asked_speed, asked_width) + " (policy)", source + "/current_link_{speed,width}",
             "the card or slot can do no better: move it to a slot of that generation, or replace the card");
  if (bad.empty()) {
    findings.pass(device.subject,
                  text(own.speed, own.width) + (device.gpu ? " (speed is judged under load)" : "") + ", " +
                      std::to_string(hops.size()) + " hops",
                  text(own.max_speed, own.max_width), source);
    return;
  }
  for (auto& finding : bad.done())
    findings.judge(finding.status, finding.subject, finding.observed, finding.expected, finding.source,
                   finding.remedy);
}

Device read_device(const Host& host, std::string subject, const std::string& address, bool gpu) {
  Device device{std::move(subject), address, gpu, {}};
  const auto path = read_pci_path(host.files(), address);
  if (!path) {
    device.hops = Read<std::vector<PciLink>>::no(path);
    return device;
  }
  for (const auto& hop : *path)
    device.hops.value.push_back(read_pci_link(host.files(), hop));
  return device;
}

}  // namespace

extern const Check pci_link{
    .name = "pci.link",
    .summary =
        "every PCIe link from the root to each NIC and GPU runs at the width and speed both ends can do",
    .why =
        "A NIC that trained at x8 or one generation down halves its rail; a switch link that did so halves "
        "every GPU behind it. Bandwidth tests show it late and blame the network.",
    .reads = "/sys/bus/pci/devices/*/{current,max}_link_{speed,width} at every hop up to the root port",
    .fix = "Reboot, reseat, replace: in that order. The finding names the two ends of the link.",
    .keys = "rails.link_gt_s rails.link_width gpus.link_gt_s gpus.link_width",
    .run =
        [](const Host& host, const Policy& policy) {
          CheckFindings findings("pci.link");
          const auto* expected = expectation(policy);
          const auto& pci = host.pci_devices();
          if (!pci) {
            findings.unknown("node", pci.why, "", "/sys/bus/pci/devices", "run on the node itself");
            return findings.done();
          }
          for (const auto& device : *pci)
            if (device.gpu())
              judge(findings, read_device(host, "GPU " + device.address, device.address, true),
                    expected ? expected->gpu_link_gt_s : std::nullopt,
                    expected ? expected->gpu_link_width : std::nullopt);
          const auto rails = rails_or_say(host, policy, findings);
          for (const auto& nic : rail_nics(host, rails.value_or(std::vector<Rail>{})))
            if (nic.hidden)
              findings.unknown(nic.subject, "a VF has no link of its own, and its PF is out of sight", "",
                               "/sys/bus/pci/devices/" + nic.pci,
                               "run this check on the machine that has the PF");
            else
              judge(findings, read_device(host, nic.subject, nic.pci, false),
                    expected ? expected->nic_link_gt_s : std::nullopt,
                    expected ? expected->nic_link_width : std::nullopt);
          return findings.done();
        },
};

}  // namespace mlc::checks
