#include <algorithm>
#include <set>

#include "reports/record/text.hpp"
#include "validators/checks/gpu_reading.hpp"

namespace mlc::checks {

extern const Check gpu_count{
    .name = "gpu.count",
    .summary = "all GPUs are there, of one product, on the bus, in NVML and for the device plugin",
    .why = "A node with seven GPUs takes the job and hangs it at the first collective.",
    .reads = "NVML, /sys/bus/pci/devices, NVIDIA_VISIBLE_DEVICES",
    .fix = "nvidia-smi -L against lspci -d 10de:; a GPU off the bus needs a power cycle (AC), then an RMA.",
    .keys = "gpus.count gpus.product",
    .run =
        [](const Host& host, const Policy& policy) {
          CheckFindings findings("gpu.count");
          const auto gpus = gpus_or_say(host, policy, findings);
          if (!gpus) return findings.done();
          const auto* node = expectation(policy);
          const auto wanted = node ? node->gpus : std::nullopt;
          const std::string source = "NVML, /sys/bus/pci/devices";
          const std::size_t count = gpus->nvml.gpus.size();
          const std::string expected = wanted ? std::to_string(*wanted) + " GPUs" : "as many as on the bus";
          std::set<std::string> products;
          for (const auto& gpu : gpus->nvml.gpus) {
            products.insert(gpu.name);
            if (gpu.name.empty())
              findings.unknown(gpu_name(gpu), "NVML does not answer for it", "", source,
                               "the GPU may be lost: dmesg | grep -i xid, then reset or reboot");
            else if (node && !node->gpu_product.empty() &&
                     gpu.name.find(node->gpu_product) == std::string::npos)
              findings.fail(gpu_name(gpu), gpu.name, node->gpu_product, source,
                            "another model sits in this node: check the build sheet");
          }
          if (wanted && count != static_cast<std::size_t>(*wanted))
            findings.fail("node", std::to_string(count) + " GPUs", expected, source,
                          "nvidia-smi -L against lspci -d 10de:; a GPU off the bus needs a power cycle (AC), "
                          "then an RMA");
          else if (!wanted && !host.in_pod() && !gpus->on_bus.empty() && count != gpus->on_bus.size())
            findings.fail("node",
                          std::to_string(count) + " GPUs in NVML, " + std::to_string(gpus->on_bus.size()) +
                              " on the bus",
                          expected, source,
                          "a GPU on the bus does not initialise: dmesg | grep NVRM, then reset or reboot");
          if (products.size() > 1)
            findings.fail("node", std::to_string(products.size()) + " kinds of GPU", "one", source,
                          "replace the odd one: nvidia-smi -L");
          // What the device plugin gave this container: a list of UUIDs or indexes. "all" and "void" say
          // nothing.
          const auto visible = host.environment().find("NVIDIA_VISIBLE_DEVICES");
          if (visible != host.environment().end() && visible->second != "all" && visible->second != "void" &&
              visible->second != "none" && !visible->second.empty()) {
            const auto given = 1 + std::ranges::count(visible->second, ',');
            if (static_cast<std::size_t>(given) != count)
              findings.fail(
                  "container",
                  "the device plugin gave " + std::to_string(given) + " GPUs, NVML shows " +
                      std::to_string(count),
                  "the same", "NVIDIA_VISIBLE_DEVICES, NVML",
                  "a GPU died after the Pod started: dmesg | grep -i xid on the host; then delete the Pod");
          }
          if (findings.empty())
            findings.pass("node", std::to_string(count) + " x " + *products.begin(), expected, source);
          return findings.done();
        },
};

}  // namespace mlc::checks
