#include <algorithm>

#include "validators/checks/check.hpp"
#include "validators/checks/rails.hpp"

namespace mlc::checks {

namespace {

std::string why_no_dmabuf(const VerbsPort& port) {
  if (port.dmabuf == Dmabuf::not_asked) return "device could not be opened";
  return (port.dmabuf == Dmabuf::unsupported ? "unsupported: " : "unknown: ") + port.dmabuf_why;
}

struct Facts {
  Read<std::vector<VerbsPort>> verbs;
  std::vector<std::string> rails;
  bool peermem = false;
  Read<std::string> driver;  // /proc/driver/nvidia/version
};

std::vector<Finding> judge(const Facts& facts) {
  CheckFindings findings("rdma.gpudirect");
  const std::string source =
      "ibv_reg_dmabuf_mr, /sys/module/nvidia_peermem/version, /proc/driver/nvidia/version";
  const std::string expected = "dmabuf, or nvidia_peermem loaded",
                    remedy =
                        "use the open kernel modules of the driver (dmabuf), or: modprobe nvidia-peermem";
  if (!facts.driver && facts.driver.missing()) {
    findings.fail("node", "the NVIDIA driver is not loaded", expected, "/proc/driver/nvidia/version",
                  "modprobe nvidia, then check gpu.count");
    return findings.done();
  }
  const bool open_modules = facts.driver && facts.driver->find("Open Kernel") != std::string::npos,
             closed_modules = facts.driver && !open_modules;
  std::string lacking, unknown = facts.verbs ? "" : facts.verbs.why;  // the first rail of each, and why
  if (facts.rails.empty() && unknown.empty()) unknown = "no rail is known";
  for (const auto& rail : facts.rails) {
    if (!facts.verbs) break;
    if (std::ranges::find(*facts.verbs, rail, &VerbsPort::device) == facts.verbs->end() && unknown.empty())
      unknown = rail + " could not be asked";
    for (const auto& port : *facts.verbs) {
      if (port.device != rail || port.dmabuf == Dmabuf::supported) continue;
      std::string& first = port.dmabuf == Dmabuf::unsupported ? lacking : unknown;
      if (first.empty()) first = rail + ": " + why_no_dmabuf(port);
    }
  }
  if (!facts.driver && unknown.empty()) unknown = facts.driver.why;
  const bool dmabuf = lacking.empty() && unknown.empty();
  const std::string why = lacking.empty() ? unknown : lacking;
  if (dmabuf && open_modules)
    findings.pass("node", "dmabuf, open kernel modules", expected, source);
  else if (facts.peermem)
    findings.warn("node", "only nvidia_peermem" + (why.empty() ? std::string() : " (dmabuf: " + why + ")"),
                  "dmabuf", source,
                  "nvidia_peermem works but is being retired: move to the open kernel modules and a kernel "
                  "with dmabuf");
  else if (!lacking.empty() || closed_modules)
    findings.fail("node",
                  lacking.empty()
                      ? "the driver's closed modules export no dmabuf, and nvidia_peermem is not loaded"
                      : "no dmabuf (" + why + ") and no nvidia_peermem",
                  expected, source, remedy);
  else
    findings.unknown("node", "dmabuf: " + why + "; nvidia_peermem is not loaded", expected, source,
                     "install libibverbs and give the container /dev/infiniband, then run again; or: "
                     "modprobe nvidia-peermem");
  return findings.done();
}

}  // namespace

extern const Check rdma_gpudirect{
    .name = "rdma.gpudirect",
    .summary = "NICs can read and write GPU memory directly: dmabuf or nvidia_peermem",
    .why =
        "Without it NCCL copies every message through host memory: a fraction of the bandwidth, and the CPUs "
        "are busy.",
    .reads =
        "ibv_reg_dmabuf_mr as NCCL probes it, /sys/module/nvidia_peermem, /sys/kernel/mm/memory_peers, "
        "/proc/driver/nvidia/version",
    .fix = "Open kernel modules of the NVIDIA driver on a kernel with dmabuf, or modprobe nvidia-peermem.",
    .keys = "rails.gpudirect",
    .run =
        [](const Host& host, const Policy& policy) {
          CheckFindings findings("rdma.gpudirect");
          const auto* node = expectation(policy);
          const auto driver = host.files().text("/proc/driver/nvidia/version");
          if (!(node && node->gpudirect) && !driver) {
            findings.skip("node", "no NVIDIA driver, and the policy does not ask",
                          "/proc/driver/nvidia/version");
            return findings.done();
          }
          const auto rails = rails_or_say(host, policy, findings);
          if (!rails) return findings.done();
          Facts facts{host.verbs(), {}, false, driver};
          for (const auto& rail : *rails)
            facts.rails.push_back(rail.rdma);
          for (const char* path :
               {"/sys/module/nvidia_peermem/version", "/sys/kernel/mm/memory_peers/nv_mem/version",
                "/sys/kernel/mm/memory_peers/nv_mem_nc/version"})
            facts.peermem = facts.peermem || host.files().exists(path);
          return judge(facts);
        },
};

}  // namespace mlc::checks
