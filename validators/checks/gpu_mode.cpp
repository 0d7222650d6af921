// How the GPUs are set up: MIG off, the driver that the fleet runs.
#include "validators/checks/gpu_reading.hpp"

namespace mlc::checks {

extern const Check gpu_mig{
    .name = "gpu.mig",
    .summary = "MIG is off on every GPU",
    .why =
        "A GPU in MIG mode has no peer-to-peer and no NVLink for its slices; NCCL falls back to host memory.",
    .reads = "NVML: MIG mode",
    .fix = "nvidia-smi -mig 0, then reset the GPU.",
    .run =
        [](const Host& host, const Policy& policy) {
          return each_gpu(host, policy,
                          {"gpu.mig", "MIG mode", "nvmlDeviceGetMigMode", "off",
                           "drain the node, nvidia-smi -i INDEX -mig 0, then nvidia-smi -r -i INDEX",
                           [](const GpuFacts& gpu) -> std::optional<Status> {
                             return gpu.mig ? std::optional(*gpu.mig == 0 ? Status::pass : Status::fail)
                                            : std::nullopt;
                           },
                           [](const GpuFacts& gpu) { return std::string(*gpu.mig == 0 ? "off" : "on"); }});
        },
};

extern const Check gpu_driver{
    .name = "gpu.driver",
    .summary = "the loaded driver is the policy's, and the library's version equals the kernel module's",
    .why =
        "A playbook run again updates the library and not the loaded module: everything works until the next "
        "process starts.",
    .reads = "NVML, /proc/driver/nvidia/version",
    .fix = "Reboot after a driver update; pin the version in the playbook (see image.drift).",
    .keys = "gpus.driver",
    .run =
        [](const Host& host, const Policy& policy) {
          CheckFindings findings("gpu.driver");
          const auto* node = expectation(policy);
          const auto module = host.files().text("/proc/driver/nvidia/version");
          const auto& nvml = host.gpus();
          // This mismatch is why NVML would not start at all; say so instead of "no NVML".
          if (module && nvml.other_version()) {
            findings.fail("node", nvml.why, "library and module of one version",
                          "NVML, /proc/driver/nvidia/version",
                          "drain and reboot the node; pin the driver version in the playbook");
            return findings.done();
          }
          const auto gpus = gpus_or_say(host, policy, findings);
          if (!gpus) return findings.done();
          const std::string wanted = node ? node->driver : "", source = "NVML, /proc/driver/nvidia/version";
          const std::string& version = gpus->nvml.driver;
          if (!module)
            findings.unknown("node", "/proc/driver/nvidia/version: " + module.why, wanted, source,
                             "run on the node itself");
          else if (module->find(version) == std::string::npos)
            findings.fail("node", "library " + version + ", module another",
                          "library and module of one version", source,
                          "drain and reboot the node; pin the driver version in the playbook");
          else if (!wanted.empty() && version != wanted)
            findings.fail("node", version, wanted, source,
                          "install the fleet's driver and reboot: a playbook run again may have changed it "
                          "(pin the version)");
          else
            findings.pass("node", version, wanted, source);
          return findings.done();
        },
};

}  // namespace mlc::checks
