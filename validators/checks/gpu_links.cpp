// What connects a GPU: its PCIe link, NVLink and the fabric behind it.
#include <algorithm>

#include "validators/checks/gpu_reading.hpp"

namespace mlc::checks {

namespace {

constexpr std::uint64_t fabric_completed = 3;  // NVML_GPU_FABRIC_STATE_COMPLETED
constexpr std::uint64_t fabric_unsupported = 0;

std::uint64_t most_links(const std::vector<GpuFacts>& gpus) {
  std::uint64_t most = 0;
  for (const auto& gpu : gpus)
    most = std::max(most, gpu.nvlinks_total.value_or(0));
  return most;
}

}  // namespace

extern const Check gpu_pcie_link{
    .name = "gpu.pcie-link",
    .summary = "every GPU's PCIe link has its full width, and has replayed nothing",
    .why = "A GPU at x8 copies and sends over GPUDirect at half speed; replays announce a failing riser.",
    .reads = "NVML: PCIe link width and generation, replay counter",
    .fix = "Reboot, reseat, replace.",
    .keys = "gpus.link_width",
    .run =
        [](const Host& host, const Policy& policy) {
          const auto* node = expectation(policy);
          const auto asked = node ? node->gpu_link_width : std::nullopt;
          return each_gpu(host, policy,
                          {"gpu.pcie-link", "its PCIe link",
                           "nvmlDeviceGetCurrPcieLinkWidth, nvmlDeviceGetPcieReplayCounter",
                           asked ? "x" + std::to_string(*asked) : "its own maximum",
                           "reboot first; then reseat the GPU's board or riser; pci.link names the hop",
                           [asked](const GpuFacts& gpu) -> std::optional<Status> {
                             if (!gpu.pcie_width || !gpu.pcie_width_max) return std::nullopt;
                             const std::uint64_t wanted =
                                 asked ? static_cast<std::uint64_t>(*asked) : *gpu.pcie_width_max;
                             if (*gpu.pcie_width < wanted) return Status::fail;
                             return gpu.pcie_replays.value_or(0) > 0 ? Status::warn : Status::pass;
                           },
                           [](const GpuFacts& gpu) {
                             return "x" + std::to_string(*gpu.pcie_width) +
                                    (gpu.pcie_generation
                                         ? ", generation " + std::to_string(*gpu.pcie_generation) + " now"
                                         : "") +
                                    (gpu.pcie_replays.value_or(0) > 0
                                         ? ", " + std::to_string(*gpu.pcie_replays) + " replays"
                                         : "");
                           }});
        },
};

extern const Check gpu_nvlink{
    .name = "gpu.nvlink",
    .summary = "all NVLinks of every GPU are active and without errors",
    .why =
        "One inactive link takes 1/18 of a GPU's NVLink, and all eight GPUs slow down to it in every "
        "all-reduce.",
    .reads = "NVML: NVLink state and error counters",
    .fix = "nvidia-smi nvlink -s; restart nvidia-fabricmanager; reboot; then the baseboard.",
    .keys = "gpus.nvlinks",
    .run =
        [](const Host& host, const Policy& policy) {
          const auto* node = expectation(policy);
          const auto asked = node ? node->nvlinks : std::nullopt;
          const std::uint64_t wanted =
              asked ? static_cast<std::uint64_t>(*asked) : most_links(host.gpus()->gpus);
          if (wanted == 0 && host.gpus()) {
            CheckFindings findings("gpu.nvlink");
            const auto gpus = gpus_or_say(host, policy, findings);
            if (gpus) findings.skip("node", "these GPUs have no NVLink", "nvmlDeviceGetNvLinkState");
            return findings.done();
          }
          return each_gpu(
              host, policy,
              {"gpu.nvlink", "NVLink", "nvmlDeviceGetNvLinkState, nvmlDeviceGetNvLinkErrorCounter",
               std::to_string(wanted) + " links active, no error",
               "nvidia-smi nvlink -s and -e; systemctl restart nvidia-fabricmanager; reboot; if it returns, "
               "open an RMA for the baseboard",
               [wanted](const GpuFacts& gpu) -> std::optional<Status> {
                 if (!gpu.nvlinks_active) return std::nullopt;
                 if (*gpu.nvlinks_active < wanted) return Status::fail;
                 return gpu.nvlink_errors.value_or(0) > 0 ? Status::warn : Status::pass;
               },
               [](const GpuFacts& gpu) {
                 return std::to_string(*gpu.nvlinks_active) + " links active" +
                        (gpu.nvlink_errors.value_or(0) > 0
                             ? ", " + std::to_string(*gpu.nvlink_errors) + " errors"
                             : "");
               }});
        },
};

extern const Check gpu_fabric{
    .name = "gpu.fabric",
    .summary = "the NVSwitch fabric has taken in every GPU",
    .why =
        "Until the fabric manager has finished, CUDA does not start at all (system not yet initialized), or "
        "NVLink SHARP is off.",
    .reads = "NVML: GPU fabric info",
    .fix = "systemctl status nvidia-fabricmanager; its version must equal the driver's.",
    .keys = "gpus.fabric",
    .run =
        [](const Host& host, const Policy& policy) {
          const auto* node = expectation(policy);
          const bool asked = node && node->fabric.value_or(false);
          if (!asked && host.gpus() && std::ranges::all_of(host.gpus()->gpus, [](const GpuFacts& gpu) {
                return gpu.fabric_state.value_or(fabric_unsupported) == fabric_unsupported;
              })) {
            CheckFindings findings("gpu.fabric");
            if (gpus_or_say(host, policy, findings))
              findings.skip("node", "these GPUs are on no fabric, and the policy does not ask",
                            "nvmlDeviceGetGpuFabricInfo");
            return findings.done();
          }
          return each_gpu(host, policy,
                          {"gpu.fabric", "its fabric state", "nvmlDeviceGetGpuFabricInfo", "completed",
                           "systemctl status nvidia-fabricmanager; its version must equal the driver's; then "
                           "restart it and the GPUs' users",
                           [](const GpuFacts& gpu) -> std::optional<Status> {
                             if (!gpu.fabric_state) return std::nullopt;
                             return *gpu.fabric_state == fabric_completed &&
                                            gpu.fabric_status.value_or(0) == 0
                                        ? Status::pass
                                        : Status::fail;
                           },
                           [](const GpuFacts& gpu) {
                             return *gpu.fabric_state == fabric_completed
                                        ? "completed, status " + std::to_string(gpu.fabric_status.value_or(0))
                                    : *gpu.fabric_state == 2 ? std::string("in progress")
                                    : *gpu.fabric_state == 1 ? std::string("not started")
                                                             : "state " + std::to_string(*gpu.fabric_state);
                           }});
        },
};

}  // namespace mlc::checks
