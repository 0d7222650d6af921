// What NVML says of the GPUs, as values. The library is loaded at run time; where it is absent the reading
// says why.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace mlc {

// A field is empty where this GPU or driver does not answer it; that is unknown to a check, never a zero.
struct GpuFacts {
  int index = 0;
  std::string name, uuid, pci;  // pci as in sysfs: "0000:1b:00.0"
  std::optional<std::uint64_t> ecc_enabled, ecc_uncorrected,
      ecc_corrected;  // volatile: since the driver was loaded
  std::optional<std::uint64_t> remapped_correctable, remapped_uncorrectable, remap_pending, remap_failed;
  std::optional<std::uint64_t> throttle_reasons;  // nvmlClocksEventReasons*
  std::optional<std::uint64_t> pcie_generation, pcie_generation_max, pcie_width, pcie_width_max, pcie_replays;
  std::optional<std::uint64_t> sm_clock_max, memory_clock_max;  // MHz
  std::optional<std::uint64_t> sm_clock_application,
      sm_clock_application_default;  // MHz
  std::optional<std::uint64_t> persistence, mig, temperature;
  std::optional<std::uint64_t> nvlinks_active, nvlinks_total, nvlink_errors;
  std::optional<std::uint64_t> fabric_state, fabric_status;  // state 3: completed
};

struct GpuReading {
  std::string driver;
  std::vector<GpuFacts> gpus;
};

}  // namespace mlc
