#include <unistd.h>

#include <algorithm>
#include <array>
#include <map>

#include "bench/gpu/telemetry.hpp"
#include "validators/host/host.hpp"
#include "validators/host/nvml_library.hpp"

namespace mlc {

namespace {

using nvml::Device;
using nvml::ok;

class NvmlTelemetry final : public Telemetry {
 public:
  std::string absent() const override { return session_.why(); }

  std::string driver() const override {
    const auto reading = live_host()->gpus();
    return reading ? reading->driver : "";
  }

  GpuState state(const std::string& uuid) override {
    GpuState state;
    const auto facts = facts_of(uuid);
    if (facts.mig) state.mig = *facts.mig != 0;
    if (facts.ecc_enabled) state.ecc = *facts.ecc_enabled != 0;
    const Device device = device_of(uuid);
    if (device == nullptr) return state;
    std::array<nvml::ProcessInfo, 64> processes{};
    auto count = static_cast<unsigned>(processes.size());
    if (nvml_.processes && nvml_.processes(device, &count, processes.data()) == ok)
      for (unsigned i = 0; i < count && i < processes.size(); ++i)
        if (processes[i].pid != static_cast<unsigned>(::getpid()))
          state.processes.push_back(processes[i].pid);
    if (const auto memory = nvml_.memory(device)) state.memory_used = memory->used;
    if (const auto busy = nvml_.utilisation(device)) state.utilisation = static_cast<int>(busy->gpu);
    if (const auto limit_mw = nvml_.power_limit(device)) state.power_limit_w = *limit_mw / 1e3;
    state.slowdown_temperature_c = nvml_.temperature_threshold(device, nvml::threshold_slowdown);
    return state;
  }

  TelemetrySample sample(const std::string& uuid) override {
    TelemetrySample sample;
    const Device device = device_of(uuid);
    if (device == nullptr) return sample;
    nvml::FieldValue instant{};
    instant.field = nvml::field_power_instant;
    if (nvml_.fields && nvml_.fields(device, 1, &instant) == ok && instant.result == ok)
      sample.power_w = instant.value.natural / 1e3;
    else if (const auto power_mw = nvml_.power(device))
      sample.power_w = *power_mw / 1e3;
    if (const auto energy_mj = nvml_.energy(device)) sample.energy_j = static_cast<double>(*energy_mj) / 1e3;
    sample.sm_clock_mhz = nvml_.clock(device, nvml::clock_sm);
    sample.memory_clock_mhz = nvml_.clock(device, nvml::clock_memory);
    sample.temperature_c = nvml_.temperature(device, nvml::sensor_gpu);
    sample.reasons = nvml_.reasons(device);
    sample.pcie_generation = nvml_.pcie_generation(device);
    sample.pcie_width = nvml_.pcie_width(device);
    if (const auto thermal = nvml_.violation(device, nvml::policy_thermal))
      sample.thermal_violation_s = static_cast<double>(thermal->violation_ns) / 1e9;
    return sample;
  }

  TelemetryCounters counters(const std::string& uuid) override {
    const auto facts = facts_of(uuid);
    return {.ecc_corrected = facts.ecc_corrected,
            .ecc_uncorrected = facts.ecc_uncorrected,
            .remapped_correctable = facts.remapped_correctable,
            .remapped_uncorrectable = facts.remapped_uncorrectable,
            .remap_pending = facts.remap_pending,
            .remap_failed = facts.remap_failed,
            .pcie_replays = facts.pcie_replays,
            .nvlink_errors = facts.nvlink_errors};
  }

 private:
  // A host reads once and remembers: a new one for every reading. Nothing is known of a GPU that is not
  // there.
  static GpuFacts facts_of(const std::string& uuid) {
    const auto reading = live_host()->gpus();
    if (!reading) return {};
    const auto found = std::ranges::find(reading->gpus, uuid, &GpuFacts::uuid);
    return found == reading->gpus.end() ? GpuFacts{} : *found;
  }

  Device device_of(const std::string& uuid) {
    if (session_.error() != 0) return nullptr;
    const auto [entry, added] = devices_.try_emplace(uuid, nullptr);
    if (added && nvml_.by_uuid(uuid.c_str(), &entry->second) != ok) entry->second = nullptr;
    return entry->second;
  }

  const nvml::Session session_;
  const nvml::Library& nvml_ = nvml::library();
  std::map<std::string, Device> devices_;
};

}  // namespace

std::unique_ptr<Telemetry> nvml_telemetry() { return std::make_unique<NvmlTelemetry>(); }

}  // namespace mlc
