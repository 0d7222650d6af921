#include <algorithm>

#include "reports/record/text.hpp"
#include "validators/checks/check.hpp"
#include "validators/checks/rails.hpp"

namespace mlc::checks {

namespace {

std::vector<Finding> judge(const std::map<std::string, std::vector<std::string>>& given,
                           const std::vector<std::string>& required, const Read<std::vector<Rail>>& rails) {
  CheckFindings findings("pod.devices");
  const std::string source = "environment PCIDEVICE_*, /sys/class/net/*/device";
  for (const auto& name : required)
    if (!given.contains(name))
      findings.fail(name, "not set", "one PCI address", "environment",
                    "request the resource in the Pod's limits, and check that the node has it: kubectl get "
                    "node -o jsonpath='{.status.allocatable}'");
  for (const auto& [name, addresses] : given) {
    if (addresses.empty()) {
      findings.fail(name, "empty", "one PCI address", source,
                    "the device plugin gave nothing: restart it, it counts VFs once at start");
      continue;
    }
    for (const auto& address : addresses) {
      if (!is_pci_address(address)) {
        findings.unknown(name, "'" + printable(address, 40) + "' is no PCI address", "one PCI address",
                         source,
                         "check the device plugin's configuration (kubectl get configmap sriovdp-config)");
        continue;
      }
      if (!rails) {
        findings.unknown(name, address + "; this Pod's interfaces cannot be told: " + rails.why,
                         "an interface on it", source, "see pod.attachment");
        continue;
      }
      const auto rail = std::ranges::find(*rails, address, &Rail::pci);
      if (rail == rails->end())
        findings.fail(name, address + " was given, no interface here is on it", "an interface on it", source,
                      "the CNI moved another VF than the device plugin gave: use one resource per rail, "
                      "named in the network attachment's resourceName annotation");
      else
        findings.pass(name, address + " is " + rail->netdev + ", " + rail->rdma, "an interface on it",
                      source);
    }
  }
  if (rails)
    for (const auto& rail : *rails) {
      const bool listed = std::ranges::any_of(given, [&](const auto& entry) {
        return std::ranges::find(entry.second, rail.pci) != entry.second.end();
      });
      if (rail.vf && !given.empty() && !listed)
        findings.fail(rail.name(), rail.pci + " is here, the device plugin gave others",
                      "every VF given by the device plugin", source,
                      "use one resource per rail, named in the network attachment's resourceName annotation");
    }
  return findings.done();
}

}  // namespace

extern const Check pod_devices{
    .name = "pod.devices",
    .summary = "the VFs that the device plugin gave are the VFs that the CNI moved here",
    .why =
        "Device plugin and CNI choose independently; with one resource for all rails they may disagree, and "
        "the mounted verbs file belongs to another rail.",
    .reads = "PCIDEVICE_* in the environment, the PCI devices behind the interfaces",
    .fix = "One resource per rail (mlc.io/rail0 ...), each named by its network attachment.",
    .keys = "pod.resources",
    .run =
        [](const Host& host, const Policy& policy) {
          CheckFindings findings("pod.devices");
          const auto* node = expectation(policy);
          const auto given = device_plugin_devices(host.environment());
          if (!host.in_pod() && given.empty()) {
            findings.skip("Pod", "not in a Pod", "environment");
            return findings.done();
          }
          const auto required = node ? node->resources : std::vector<std::string>();
          const bool asked = !required.empty() || (node && node->attachments.value_or(0) > 0);
          if (given.empty() && !asked) {
            findings.skip("Pod", "no device-plugin variable, and the policy does not ask", "environment");
            return findings.done();
          }
          if (given.empty() && required.empty()) {
            findings.fail("Pod", "no PCIDEVICE_ variable",
                          std::to_string(*node->attachments) + " VFs from the device plugin", "environment",
                          "request the rail resources in the Pod's limits (mlc.io/rail0: 1, ...)");
            return findings.done();
          }
          return judge(given, required, read_rails(host, policy));
        },
};

}  // namespace mlc::checks
