// Memory errors: ECC since the driver was loaded, and rows that were remapped for good.
#include "validators/checks/gpu_reading.hpp"

namespace mlc::checks {

extern const Check gpu_ecc{
    .name = "gpu.ecc",
    .summary = "ECC is on, and no uncorrectable error has occurred",
    .why =
        "An uncorrectable error kills the process that touches the page; without ECC a flipped bit becomes a "
        "wrong gradient.",
    .reads = "NVML: ECC mode, volatile ECC totals",
    .fix = "nvidia-smi -r (or reboot) retires the page; repeated errors are an RMA.",
    .keys = "gpus.ecc",
    .run =
        [](const Host& host, const Policy& policy) {
          const bool asked = expectation(policy) && expectation(policy)->ecc;
          return each_gpu(
              host, policy,
              {"gpu.ecc", "ECC", "NVML ECC mode and volatile totals", "ECC on, 0 uncorrectable",
               "drain the node, reset the GPU (nvidia-smi -r -i INDEX) or reboot so that the row is "
               "remapped; a second time: RMA",
               [asked](const GpuFacts& gpu) -> std::optional<Status> {
                 if (!gpu.ecc_enabled) return std::nullopt;
                 if (*gpu.ecc_enabled == 0) return asked ? Status::fail : Status::warn;
                 if (!gpu.ecc_uncorrected) return std::nullopt;
                 return *gpu.ecc_uncorrected == 0 ? Status::pass : Status::fail;
               },
               [](const GpuFacts& gpu) {
                 if (gpu.ecc_enabled == 0u) return std::string("ECC off");
                 return std::to_string(*gpu.ecc_uncorrected) + " uncorrectable, " +
                        (gpu.ecc_corrected ? std::to_string(*gpu.ecc_corrected) : std::string("?")) +
                        " corrected";
               }});
        },
};

extern const Check gpu_row_remap{
    .name = "gpu.row-remap",
    .summary = "no row remapping is pending or has failed",
    .why =
        "A pending remapping leaves the bad row in use until the GPU is reset; a failed one means that the "
        "spare rows are gone.",
    .reads = "NVML: remapped rows",
    .fix = "Pending: reset the GPU or reboot. Failed: RMA.",
    .run =
        [](const Host& host, const Policy& policy) {
          return each_gpu(
              host, policy,
              {"gpu.row-remap", "remapped rows", "nvmlDeviceGetRemappedRows", "none pending, none failed",
               "pending: nvidia-smi -r -i INDEX or reboot; failed: open an RMA",
               [](const GpuFacts& gpu) -> std::optional<Status> {
                 if (!gpu.remap_failed || !gpu.remap_pending) return std::nullopt;
                 if (*gpu.remap_failed != 0 || *gpu.remap_pending != 0) return Status::fail;
                 if (!gpu.remapped_uncorrectable) return std::nullopt;  // one call tells all of them
                 return *gpu.remapped_uncorrectable > 0 ? Status::warn : Status::pass;
               },
               [](const GpuFacts& gpu) {
                 if (*gpu.remap_failed != 0) return std::string("a remapping failed");
                 if (*gpu.remap_pending != 0) return std::string("a remapping is pending");
                 return std::to_string(*gpu.remapped_uncorrectable) +
                        " rows remapped after uncorrectable errors";
               }});
        },
};

}  // namespace mlc::checks
