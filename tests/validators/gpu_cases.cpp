// Cases of GPUs.
#include <cerrno>

#include "tests/validators/check_cases.hpp"

namespace mlc::test {

void gpu_cases(Cases& add) {
  const auto gpu = [](const char* field, nlohmann::json value) {
    return [=](BuiltNode& node, Policy&) { node.gpus()["gpus"][5][field] = value; };
  };
  const auto gpu_silent = [](const char* field) {
    return [=](BuiltNode& node, Policy&) { node.gpus()["gpus"][5].erase(field); };
  };
  const auto no_nvml = [](BuiltNode& node, Policy&) {
    node.error("nvml", "", ENOENT, "NVML cannot be loaded: not found");
  };
  add("gpu.count", "seven", Status::fail, "7 GPUs",
      [](BuiltNode& node, Policy&) { node.gpus()["gpus"].erase(5); });
  add("gpu.count", "none on the bus", Status::fail, "no NVIDIA GPU", [=](BuiltNode& node, Policy& policy) {
    for (int i = 0; i < 8; ++i)
      node.remove("/sys/bus/pci/devices/" + node.gpu(i));
    no_nvml(node, policy);
  });
  add("gpu.count", "another product", Status::fail, "A100", gpu("name", "NVIDIA A100"));
  add("gpu.count", "device plugin gave four", Status::fail, "gave 4", [](BuiltNode& node, Policy&) {
    node.answer("environment", "", {{"NVIDIA_VISIBLE_DEVICES", "0,1,2,3"}});
  });
  add("gpu.count", "library absent", Status::unknown, "NVML cannot be loaded", no_nvml);
  add("gpu.ecc", "uncorrectable", Status::fail, "2 uncorrectable", gpu("ecc_uncorrected", 2));
  add("gpu.ecc", "off", Status::fail, "ECC off", gpu("ecc_enabled", 0));
  add("gpu.ecc", "not reported", Status::unknown, "does not report", gpu_silent("ecc_enabled"));
  add("gpu.row-remap", "failed", Status::fail, "failed", gpu("remap_failed", 1));
  add("gpu.row-remap", "pending", Status::fail, "pending", gpu("remap_pending", 1));
  add("gpu.row-remap", "not reported", Status::unknown, "does not report", gpu_silent("remap_pending"));
  add("gpu.row-remap", "count not reported", Status::unknown, "does not report",
      gpu_silent("remapped_uncorrectable"));
  add("gpu.row-remap", "a misnamed key", Status::unknown, "did you mean 'remapped_uncorrectable'?",
      [](BuiltNode& node, Policy&) {
        auto& sick = node.gpus()["gpus"][5];
        sick.erase("remapped_uncorrectable"), sick["remapped_uncorrected"] = 512;
      });
  add("gpu.xid", "fell off the bus", Status::fail, "XID 79", [](BuiltNode& node, Policy&) {
    node.answer("kernel-log", "",
                {"NVRM: Xid (PCI:0000:1b:00): 79, pid='<unknown>', GPU has fallen off the bus."});
  });
  add("gpu.xid", "application error", Status::warn, "XID 31", [](BuiltNode& node, Policy&) {
    node.answer("kernel-log", "", {"NVRM: Xid (PCI:0000:1b:00): 31, pid=1, MMU Fault"});
  });
  add("gpu.xid", "no permission", Status::unknown, "not permitted", [](BuiltNode& node, Policy&) {
    node.error("kernel-log", "", EPERM, "/dev/kmsg: Operation not permitted");
  });
  add("gpu.throttle", "hot", Status::fail, "thermal", gpu("throttle_reasons", 0x48));
  add("gpu.throttle", "not reported", Status::unknown, "does not report", gpu_silent("throttle_reasons"));
  add("gpu.clocks", "locked", Status::fail, "1200 MHz", gpu("sm_clock_max", 1200));
  add("gpu.clocks", "held by an application clock", Status::fail,
      "application clock 1200 where 1980 is usual", [](BuiltNode& node, Policy&) {
        node.gpus()["gpus"][0]["sm_clock_application"] = 1200;
        node.gpus()["gpus"][0]["sm_clock_application_default"] = 1980;
      });
  add("gpu.clocks", "below the neighbours'", Status::fail, "application clock 1200 where 1980 is usual",
      gpu("sm_clock_application", 1200));
  add("gpu.clocks", "at their default where neighbours were raised", Status::pass, "",
      [](BuiltNode& node, Policy&) {
        for (int i = 0; i < 8; ++i) {
          auto& one = node.gpus()["gpus"][static_cast<std::size_t>(i)];
          one["sm_clock_application"] = i < 5 ? 1980 : 1755;
          one["sm_clock_application_default"] = 1755;
        }
      });
  add("gpu.clocks", "by a default of its own below the neighbours'", Status::unknown, "below its neighbours'",
      [](BuiltNode& node, Policy&) {
        for (auto& one : node.gpus()["gpus"])
          one["sm_clock_application"] = one["sm_clock_application_default"] = 1980;
        node.gpus()["gpus"][7]["sm_clock_application"] =
            node.gpus()["gpus"][7]["sm_clock_application_default"] = 1200;
      });
  add("gpu.clocks", "a neighbour's is higher and no default is known", Status::unknown,
      "application clock 1200 where a neighbour has 1980", [](BuiltNode& node, Policy&) {
        for (int i = 0; i < 8; ++i) {
          auto& one = node.gpus()["gpus"][static_cast<std::size_t>(i)];
          one["sm_clock_application"] = i < 5 ? 1200 : 1980;
          one.erase("sm_clock_application_default");
        }
      });
  add("gpu.clocks", "the factory's is below the maximum", Status::pass, "", [](BuiltNode& node, Policy&) {
    for (auto& one : node.gpus()["gpus"])
      one["sm_clock_application"] = one["sm_clock_application_default"] = 1095;
  });
  add("gpu.clocks", "not reported", Status::unknown, "does not report", gpu_silent("sm_clock_max"));
  add("gpu.persistence", "off", Status::fail, "off", gpu("persistence", 0));
  add("gpu.persistence", "not reported", Status::unknown, "does not report", gpu_silent("persistence"));
  add("gpu.pcie-link", "narrow", Status::fail, "x8", gpu("pcie_width", 8));
  add("gpu.pcie-link", "replays", Status::warn, "3 replays", gpu("pcie_replays", 3));
  add("gpu.pcie-link", "not reported", Status::unknown, "does not report", gpu_silent("pcie_width"));
  add("gpu.nvlink", "one inactive", Status::fail, "17 links", gpu("nvlinks_active", 17));
  add("gpu.nvlink", "not reported", Status::unknown, "does not report", gpu_silent("nvlinks_active"));
  add("gpu.fabric", "in progress", Status::fail, "in progress", gpu("fabric_state", 2));
  add("gpu.fabric", "not reported", Status::unknown, "does not report", gpu_silent("fabric_state"));
  add("gpu.mig", "on", Status::fail, "on", gpu("mig", 1));
  add("gpu.mig", "not reported", Status::unknown, "does not report", gpu_silent("mig"));
  add("gpu.driver", "another version", Status::fail, "550.90.07",
      [](BuiltNode&, Policy& policy) { policy.node->driver = "535.183.01"; });
  add("gpu.driver", "NVML of another version than the loaded module", Status::fail,
      "Driver/library version mismatch", [](BuiltNode& node, Policy&) {
        node.error("nvml", "", ELIBBAD, "nvmlInit: Driver/library version mismatch");
      });
  add("gpu.driver", "NVML that does not start", Status::unknown, "mismatch of something",
      [](BuiltNode& node, Policy&) { node.error("nvml", "", EIO, "nvmlInit: mismatch of something"); });
  add("gpu.driver", "updated under a loaded module", Status::fail, "module another",
      [](BuiltNode& node, Policy&) { node.gpus()["driver"] = "560.1"; });
  add("gpu.driver", "module not readable", Status::unknown, "No such file",
      [](BuiltNode& node, Policy&) { node.remove("/proc/driver/nvidia/version"); });
}

}  // namespace mlc::test
