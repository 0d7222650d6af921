#include "validators/checks/gpu_reading.hpp"

namespace mlc::checks {

std::string gpu_name(const GpuFacts& gpu) {
  return "GPU " + std::to_string(gpu.index) + (gpu.pci.empty() ? "" : " (" + gpu.pci + ")");
}

std::optional<NodeGpus> gpus_or_say(const Host& host, const Policy& policy, CheckFindings& findings) {
  const auto* node = expectation(policy);
  const auto wanted = node ? node->gpus : std::nullopt;
  const std::string expected = wanted ? std::to_string(*wanted) + " GPUs" : "";
  const auto& pci = host.pci_devices();
  NodeGpus gpus;
  for (const auto& device : *pci)
    if (device.gpu()) gpus.on_bus.push_back(device.address);
  const auto& nvml = host.gpus();
  if (nvml && !nvml->gpus.empty()) {
    gpus.nvml = *nvml;
    return gpus;
  }
  if (!pci)
    findings.unknown("node", pci.why, expected, "/sys/bus/pci/devices", "run on the node itself");
  else if (gpus.on_bus.empty() && !wanted && node && asks_of(*node, "gpus."))
    findings.unknown("node", "no NVIDIA GPU on the PCI bus", "the GPUs that the policy asks about",
                     "/sys/bus/pci/devices", "say how many there have to be: node.gpus.count");
  else if (gpus.on_bus.empty() && wanted && *wanted == 0 && findings.check() == "gpu.count")
    findings.pass("node", "no NVIDIA GPU on the PCI bus", expected, "/sys/bus/pci/devices");
  else if (gpus.on_bus.empty() && wanted.value_or(0) == 0)
    findings.skip("node", "no NVIDIA GPU on the PCI bus", "/sys/bus/pci/devices");
  else if (gpus.on_bus.empty() && findings.check() != "gpu.count")
    findings.needs("gpu.count", "node", "no GPU to look at", expected, "/sys/bus/pci/devices");
  else if (gpus.on_bus.empty())
    findings.fail("node", "no NVIDIA GPU on the PCI bus", expected, "/sys/bus/pci/devices",
                  "lspci -d 10de:; power-cycle (AC) the node, then open an RMA");
  else
    findings.unknown("node",
                     std::to_string(gpus.on_bus.size()) +
                         " GPUs on the PCI bus; NVML: " + (nvml ? "lists none" : nvml.why),
                     expected, "NVML (libnvidia-ml.so.1)",
                     "load the driver (modprobe nvidia; dmesg | grep NVRM); in a container ask for the GPUs, "
                     "so that the runtime mounts the library");
  return std::nullopt;
}

std::vector<Finding> each_gpu(const Host& host, const Policy& policy, const GpuRule& rule) {
  CheckFindings findings(rule.check);
  const auto gpus = gpus_or_say(host, policy, findings);
  if (!gpus) return findings.done();
  for (const auto& gpu : gpus->nvml.gpus) {
    const auto status = rule.judge(gpu);
    if (!status)
      findings.unknown(gpu_name(gpu), "the driver does not report " + rule.fact, rule.expected, rule.source,
                       "nvidia-smi -q -i " + std::to_string(gpu.index) + "; dmesg | grep NVRM");
    else
      findings.judge(*status, gpu_name(gpu), rule.shown(gpu), rule.expected, rule.source, rule.remedy);
  }
  return findings.done();
}

}  // namespace mlc::checks
