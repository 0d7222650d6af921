#include <unistd.h>

#include <algorithm>
#include <array>
#include <map>

#include "bench/gpu/telemetry.hpp"
#include "validators/host/host.hpp"
#include "validators/host/shared_library.hpp"

namespace mlc {

namespace {

// The part of nvml.h that is used here; NVML keeps these ABIs (a changed struct gets a new _vN symbol).
using Device = void*;
constexpr int ok = 0;

struct ProcessInfo {  // nvmlProcessInfo_t of the _v3 calls
  unsigned pid;
  unsigned long long memory;
  unsigned instance, compute_instance;
};
struct MemoryInfo {
  unsigned long long total, free, used;
};
struct Utilisation {
  unsigned gpu, memory;
};
struct Violation {
  unsigned long long reference_ns, violation_ns;
};
struct FieldValue {
  unsigned field, scope;
  long long timestamp, latency;
  unsigned value_type;
  int result;
  union {
    double number;
    unsigned int natural;
    unsigned long long wide;
  } value;
};
constexpr unsigned field_power_instant = 186;  // NVML_FI_DEV_POWER_INSTANT, milliwatts
constexpr int clock_sm = 1, clock_memory = 2, threshold_slowdown = 1, policy_thermal = 1;

class Nvml final : public Telemetry {
 public:
  Nvml() : library_("libnvidia-ml.so.1") {
    if (!library_) {
      absent_ = "NVML cannot be loaded: " + library_.why();
      return;
    }
    const auto init = library_.find<int()>("nvmlInit_v2");
    error_text_ = library_.find<const char*(int)>("nvmlErrorString");
    by_uuid_ = library_.find<int(const char*, Device*)>("nvmlDeviceGetHandleByUUID");
    if (!init || !error_text_ || !by_uuid_)
      absent_ = "NVML lacks a basic symbol; the library is too old or not NVML";
    else if (const int rc = init(); rc != ok)
      absent_ = std::string("nvmlInit: ") + error_text_(rc);
    else
      initialised_ = true;
  }
  Nvml(const Nvml&) = delete;
  ~Nvml() override {
    if (!initialised_) return;
    if (const auto shutdown = library_.find<int()>("nvmlShutdown")) shutdown();
  }

  std::string absent() const override { return absent_; }

  std::string driver() const override {
    const auto reading = live_host()->gpus();
    return reading ? reading->driver : "";
  }

  GpuState state(const std::string& uuid) override {
    GpuState state;
    const auto reading = live_host()->gpus();
    if (const auto* facts = facts_of(reading ? &*reading : nullptr, uuid)) {
      if (facts->mig) state.mig = *facts->mig != 0;
      if (facts->ecc_enabled) state.ecc = *facts->ecc_enabled != 0;
    }
    const Device device = device_of(uuid);
    if (device == nullptr) return state;
    std::array<ProcessInfo, 64> processes{};
    auto count = static_cast<unsigned>(processes.size());
    const auto running =
        library_.find<int(Device, unsigned*, ProcessInfo*)>("nvmlDeviceGetComputeRunningProcesses_v3");
    if (running && running(device, &count, processes.data()) == ok)
      for (unsigned i = 0; i < count && i < processes.size(); ++i)
        if (processes[i].pid != static_cast<unsigned>(::getpid()))
          state.processes.push_back(processes[i].pid);
    MemoryInfo memory{};
    if (const auto get = library_.find<int(Device, MemoryInfo*)>("nvmlDeviceGetMemoryInfo");
        get && get(device, &memory) == ok)
      state.memory_used = memory.used;
    Utilisation utilisation{};
    if (const auto get = library_.find<int(Device, Utilisation*)>("nvmlDeviceGetUtilizationRates");
        get && get(device, &utilisation) == ok)
      state.utilisation = static_cast<int>(utilisation.gpu);
    unsigned value = 0;
    if (const auto get = library_.find<int(Device, unsigned*)>("nvmlDeviceGetEnforcedPowerLimit");
        get && get(device, &value) == ok)
      state.power_limit_w = value / 1e3;
    if (const auto get = library_.find<int(Device, int, unsigned*)>("nvmlDeviceGetTemperatureThreshold");
        get && get(device, threshold_slowdown, &value) == ok)
      state.slowdown_temperature_c = value;
    return state;
  }

  TelemetrySample sample(const std::string& uuid) override {
    TelemetrySample sample;
    const Device device = device_of(uuid);
    if (device == nullptr) return sample;
    FieldValue instant{};
    instant.field = field_power_instant;
    unsigned value = 0;
    if (const auto get = library_.find<int(Device, int, FieldValue*)>("nvmlDeviceGetFieldValues");
        get && get(device, 1, &instant) == ok && instant.result == ok)
      sample.power_w = instant.value.natural / 1e3;
    else if (const auto usage = library_.find<int(Device, unsigned*)>("nvmlDeviceGetPowerUsage");
             usage && usage(device, &value) == ok)
      sample.power_w = value / 1e3;
    unsigned long long wide = 0;
    if (const auto get =
            library_.find<int(Device, unsigned long long*)>("nvmlDeviceGetTotalEnergyConsumption");
        get && get(device, &wide) == ok)
      sample.energy_j = static_cast<double>(wide) / 1e3;
    if (const auto get = library_.find<int(Device, int, unsigned*)>("nvmlDeviceGetClockInfo")) {
      if (get(device, clock_sm, &value) == ok) sample.sm_clock_mhz = value;
      if (get(device, clock_memory, &value) == ok) sample.memory_clock_mhz = value;
    }
    if (const auto get = library_.find<int(Device, int, unsigned*)>("nvmlDeviceGetTemperature");
        get && get(device, 0, &value) == ok)
      sample.temperature_c = value;
    auto reasons = library_.find<int(Device, unsigned long long*)>("nvmlDeviceGetCurrentClocksEventReasons");
    if (!reasons)
      reasons = library_.find<int(Device, unsigned long long*)>("nvmlDeviceGetCurrentClocksThrottleReasons");
    if (reasons && reasons(device, &wide) == ok) sample.reasons = wide;
    if (const auto get = library_.find<int(Device, unsigned*)>("nvmlDeviceGetCurrPcieLinkGeneration");
        get && get(device, &value) == ok)
      sample.pcie_generation = static_cast<int>(value);
    if (const auto get = library_.find<int(Device, unsigned*)>("nvmlDeviceGetCurrPcieLinkWidth");
        get && get(device, &value) == ok)
      sample.pcie_width = static_cast<int>(value);
    Violation violation{};
    if (const auto get = library_.find<int(Device, int, Violation*)>("nvmlDeviceGetViolationStatus");
        get && get(device, policy_thermal, &violation) == ok)
      sample.thermal_violation_s = static_cast<double>(violation.violation_ns) / 1e9;
    return sample;
  }

  TelemetryCounters counters(const std::string& uuid) override {
    // A host reads once and remembers: a new one for every reading.
    const auto reading = live_host()->gpus();
    const auto* facts = facts_of(reading ? &*reading : nullptr, uuid);
    if (facts == nullptr) return {};
    return {.ecc_corrected = facts->ecc_corrected,
            .ecc_uncorrected = facts->ecc_uncorrected,
            .remapped_correctable = facts->remapped_correctable,
            .remapped_uncorrectable = facts->remapped_uncorrectable,
            .remap_pending = facts->remap_pending,
            .remap_failed = facts->remap_failed,
            .pcie_replays = facts->pcie_replays,
            .nvlink_errors = facts->nvlink_errors};
  }

 private:
  static const GpuFacts* facts_of(const GpuReading* reading, const std::string& uuid) {
    if (reading == nullptr) return nullptr;
    const auto found = std::ranges::find(reading->gpus, uuid, &GpuFacts::uuid);
    return found == reading->gpus.end() ? nullptr : &*found;
  }

  Device device_of(const std::string& uuid) {
    if (!initialised_) return nullptr;
    const auto [entry, added] = devices_.try_emplace(uuid, nullptr);
    if (added && by_uuid_(uuid.c_str(), &entry->second) != ok) entry->second = nullptr;
    return entry->second;
  }

  SharedLibrary library_;
  std::string absent_;
  bool initialised_ = false;
  const char* (*error_text_)(int) = nullptr;
  int (*by_uuid_)(const char*, Device*) = nullptr;
  std::map<std::string, Device> devices_;
};

}  // namespace

std::unique_ptr<Telemetry> nvml_telemetry() { return std::make_unique<Nvml>(); }

}  // namespace mlc
