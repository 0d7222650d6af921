// NVML as a table of its functions: the only binding of it, loaded once, where it is first needed. The part
// of nvml.h that is used here; NVML keeps these ABIs (a changed struct gets a new _vN symbol).
#pragma once

#include <optional>
#include <string>

#include "validators/host/shared_library.hpp"

namespace mlc::nvml {

using Device = void*;
constexpr int ok = 0;
constexpr int version_mismatch = 18;  // NVML_ERROR_LIB_RM_VERSION_MISMATCH of nvml.h

struct PciInfo {
  char legacy[16];
  unsigned domain, bus, device, id, subsystem;
  char bus_id[32];
};
struct FabricInfo {
  unsigned char cluster[16];
  int status;
  unsigned clique;
  unsigned char state;
};
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
constexpr int clock_sm = 1, clock_memory = 2, sensor_gpu = 0, threshold_slowdown = 1, policy_thermal = 1;
constexpr int corrected = 0, uncorrected = 1, since_driver_load = 0;
constexpr unsigned most_nvlinks = 18, nvlink_counters = 4;  // replay, recovery, CRC flit, CRC data

// A question to a GPU: empty where this version of the library lacks it, or this GPU does not answer.
template <class T, class... Given>
class Question {
 public:
  Question(const SharedLibrary& library, const char* symbol, const char* older = nullptr)
      : call_(library.find<Call>(symbol)) {
    if (!call_ && older) call_ = library.find<Call>(older);
  }
  std::optional<T> operator()(Device device, Given... given) const {
    T answer{};
    if (!call_ || call_(device, given..., &answer) != ok) return std::nullopt;
    return answer;
  }

 private:
  using Call = int(Device, Given..., T*);
  Call* call_;
};

struct Library {
  SharedLibrary so{"libnvidia-ml.so.1"};
  template <class Function>
  Function* find(const char* symbol) const {
    return so.find<Function>(symbol);
  }
  using Text = int(Device, char*, unsigned);
  using TwoModes = int(Device, unsigned* current, unsigned* pending);

  int (*init)() = find<int()>("nvmlInit_v2");
  int (*shutdown)() = find<int()>("nvmlShutdown");
  const char* (*error_text)(int) = find<const char*(int)>("nvmlErrorString");
  int (*driver)(char*, unsigned) = find<int(char*, unsigned)>("nvmlSystemGetDriverVersion");
  int (*count)(unsigned*) = find<int(unsigned*)>("nvmlDeviceGetCount_v2");
  int (*by_index)(unsigned, Device*) = find<int(unsigned, Device*)>("nvmlDeviceGetHandleByIndex_v2");
  int (*by_uuid)(const char*, Device*) = find<int(const char*, Device*)>("nvmlDeviceGetHandleByUUID");
  bool complete() const { return init && shutdown && error_text && driver && count && by_index && by_uuid; }

  // The rest may be absent.
  Text* name = find<Text>("nvmlDeviceGetName");
  Text* uuid = find<Text>("nvmlDeviceGetUUID");
  TwoModes* ecc_mode = find<TwoModes>("nvmlDeviceGetEccMode");
  TwoModes* mig_mode = find<TwoModes>("nvmlDeviceGetMigMode");
  int (*remapped_rows)(Device, unsigned* correctable, unsigned* uncorrectable, unsigned* pending,
                       unsigned* failed) =
      find<int(Device, unsigned*, unsigned*, unsigned*, unsigned*)>("nvmlDeviceGetRemappedRows");
  int (*processes)(Device, unsigned* room, ProcessInfo*) =
      find<int(Device, unsigned*, ProcessInfo*)>("nvmlDeviceGetComputeRunningProcesses_v3");
  int (*fields)(Device, int, FieldValue*) = find<int(Device, int, FieldValue*)>("nvmlDeviceGetFieldValues");
  Question<PciInfo> pci{so, "nvmlDeviceGetPciInfo_v3"};
  Question<unsigned long long, int, int> ecc_errors{so, "nvmlDeviceGetTotalEccErrors"};
  Question<unsigned long long> reasons{so, "nvmlDeviceGetCurrentClocksEventReasons",
                                       "nvmlDeviceGetCurrentClocksThrottleReasons"};
  Question<unsigned> pcie_generation{so, "nvmlDeviceGetCurrPcieLinkGeneration"};
  Question<unsigned> pcie_generation_max{so, "nvmlDeviceGetMaxPcieLinkGeneration"};
  Question<unsigned> pcie_width{so, "nvmlDeviceGetCurrPcieLinkWidth"};
  Question<unsigned> pcie_width_max{so, "nvmlDeviceGetMaxPcieLinkWidth"};
  Question<unsigned> pcie_replays{so, "nvmlDeviceGetPcieReplayCounter"};
  Question<unsigned> persistence{so, "nvmlDeviceGetPersistenceMode"};
  Question<unsigned, int> clock_max{so, "nvmlDeviceGetMaxClockInfo"};
  Question<unsigned, int> clock_application{so, "nvmlDeviceGetApplicationsClock"};
  Question<unsigned, int> clock_application_default{so, "nvmlDeviceGetDefaultApplicationsClock"};
  Question<unsigned, int> clock{so, "nvmlDeviceGetClockInfo"};
  Question<unsigned, int> temperature{so, "nvmlDeviceGetTemperature"};
  Question<unsigned, int> temperature_threshold{so, "nvmlDeviceGetTemperatureThreshold"};
  Question<unsigned, unsigned> link_state{so, "nvmlDeviceGetNvLinkState"};
  Question<unsigned long long, unsigned, int> link_errors{so, "nvmlDeviceGetNvLinkErrorCounter"};
  Question<FabricInfo> fabric{so, "nvmlDeviceGetGpuFabricInfo"};
  Question<MemoryInfo> memory{so, "nvmlDeviceGetMemoryInfo"};
  Question<Utilisation> utilisation{so, "nvmlDeviceGetUtilizationRates"};
  Question<unsigned> power_limit{so, "nvmlDeviceGetEnforcedPowerLimit"};
  Question<unsigned> power{so, "nvmlDeviceGetPowerUsage"};
  Question<unsigned long long> energy{so, "nvmlDeviceGetTotalEnergyConsumption"};
  Question<Violation, int> violation{so, "nvmlDeviceGetViolationStatus"};
};

const Library& library();

// NVML initialised for as long as this lives; it counts, so that several may live at once.
class Session {
 public:
  Session();
  Session(const Session&) = delete;
  ~Session();
  int error() const { return error_; }  // an errno; 0: it is initialised
  const std::string& why() const { return why_; }

 private:
  int error_ = 0;
  std::string why_;
};

}  // namespace mlc::nvml
