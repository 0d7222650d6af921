#include "validators/host/nvml.hpp"

#include <algorithm>
#include <array>
#include <cctype>
#include <cerrno>

#include "validators/host/live_sources.hpp"
#include "validators/host/shared_library.hpp"

namespace mlc {

namespace {

// The part of nvml.h that is used here; NVML keeps these ABIs (a changed struct gets a new _vN symbol).
using Device = void*;
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
using Get = int(Device, unsigned*);
constexpr int ok = 0;

std::string spelled(const char* text, std::size_t most) {
  return std::string(text, static_cast<std::size_t>(std::find(text, text + most, '\0') - text));
}

}  // namespace

Answer ask_nvml() {
  const SharedLibrary nvml("libnvidia-ml.so.1");
  if (!nvml) return {ENOENT, "NVML cannot be loaded: " + nvml.why(), nullptr};
  const auto init = nvml.find<int()>("nvmlInit_v2");
  const auto shutdown = nvml.find<int()>("nvmlShutdown");
  const auto error_text = nvml.find<const char*(int)>("nvmlErrorString");
  const auto driver = nvml.find<int(char*, unsigned)>("nvmlSystemGetDriverVersion");
  const auto count = nvml.find<int(unsigned*)>("nvmlDeviceGetCount_v2");
  const auto by_index = nvml.find<int(unsigned, Device*)>("nvmlDeviceGetHandleByIndex_v2");
  if (!init || !shutdown || !error_text || !driver || !count || !by_index)
    return {ENOSYS, "NVML lacks a basic symbol; the library is too old or not NVML", nullptr};
  if (const int rc = init(); rc != ok) return {EIO, std::string("nvmlInit: ") + error_text(rc), nullptr};
  struct Shutdown {
    int (*call)();
    ~Shutdown() { call(); }
  } at_end{shutdown};

  std::array<char, 128> text{};
  unsigned devices = 0;
  if (const int rc = driver(text.data(), text.size()); rc != ok)
    return {EIO, std::string("NVML driver version: ") + error_text(rc), nullptr};
  if (const int rc = count(&devices); rc != ok)
    return {EIO, std::string("NVML device count: ") + error_text(rc), nullptr};
  nlohmann::json reading{{"driver", spelled(text.data(), text.size())}, {"gpus", nlohmann::json::array()}};

  for (unsigned i = 0; i < devices; ++i) {
    nlohmann::json gpu{{"index", i}};
    Device device = nullptr;
    if (const int rc = by_index(i, &device); rc != ok) {
      gpu["error"] = error_text(rc);  // "GPU is lost": it is counted, its fields stay unknown
      reading["gpus"].push_back(gpu);
      continue;
    }
    const auto number = [&](const char* field, const char* symbol) {
      unsigned value = 0;
      if (const auto get = nvml.find<Get>(symbol); get && get(device, &value) == ok) gpu[field] = value;
    };
    const auto string = [&](const char* field, const char* symbol) {
      std::array<char, 128> value{};
      if (const auto get = nvml.find<int(Device, char*, unsigned)>(symbol);
          get && get(device, value.data(), value.size()) == ok)
        gpu[field] = spelled(value.data(), value.size());
    };
    string("name", "nvmlDeviceGetName");
    string("uuid", "nvmlDeviceGetUUID");
    PciInfo pci{};
    if (const auto get = nvml.find<int(Device, PciInfo*)>("nvmlDeviceGetPciInfo_v3");
        get && get(device, &pci) == ok) {
      // "00000000:1B:00.0" is sysfs' "0000:1b:00.0".
      std::string address = spelled(pci.bus_id, sizeof pci.bus_id);
      std::ranges::transform(address, address.begin(),
                             [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
      if (address.find(':') == 8 && address.starts_with("0000")) address.erase(0, 4);
      gpu["pci"] = address;
    }
    unsigned current = 0, pending = 0;
    if (const auto get = nvml.find<int(Device, unsigned*, unsigned*)>("nvmlDeviceGetEccMode");
        get && get(device, &current, &pending) == ok)
      gpu["ecc_enabled"] = current;
    if (const auto get = nvml.find<int(Device, unsigned*, unsigned*)>("nvmlDeviceGetMigMode");
        get && get(device, &current, &pending) == ok)
      gpu["mig"] = current;
    const auto ecc = nvml.find<int(Device, int, int, unsigned long long*)>("nvmlDeviceGetTotalEccErrors");
    unsigned long long errors = 0;
    if (ecc && ecc(device, 0, 0, &errors) == ok) gpu["ecc_corrected"] = errors;    // corrected, volatile
    if (ecc && ecc(device, 1, 0, &errors) == ok) gpu["ecc_uncorrected"] = errors;  // uncorrected, volatile
    unsigned correctable = 0, uncorrectable = 0, is_pending = 0, has_failed = 0;
    if (const auto get =
            nvml.find<int(Device, unsigned*, unsigned*, unsigned*, unsigned*)>("nvmlDeviceGetRemappedRows");
        get && get(device, &correctable, &uncorrectable, &is_pending, &has_failed) == ok) {
      gpu["remapped_correctable"] = correctable, gpu["remapped_uncorrectable"] = uncorrectable;
      gpu["remap_pending"] = is_pending, gpu["remap_failed"] = has_failed;
    }
    unsigned long long reasons = 0;
    auto throttle = nvml.find<int(Device, unsigned long long*)>("nvmlDeviceGetCurrentClocksEventReasons");
    if (!throttle)
      throttle = nvml.find<int(Device, unsigned long long*)>("nvmlDeviceGetCurrentClocksThrottleReasons");
    if (throttle && throttle(device, &reasons) == ok) gpu["throttle_reasons"] = reasons;
    number("pcie_generation", "nvmlDeviceGetCurrPcieLinkGeneration");
    number("pcie_generation_max", "nvmlDeviceGetMaxPcieLinkGeneration");
    number("pcie_width", "nvmlDeviceGetCurrPcieLinkWidth");
    number("pcie_width_max", "nvmlDeviceGetMaxPcieLinkWidth");
    number("pcie_replays", "nvmlDeviceGetPcieReplayCounter");
    number("persistence", "nvmlDeviceGetPersistenceMode");
    const auto clock = [&](const char* field, const char* symbol, int domain) {
      unsigned mhz = 0;
      if (const auto get = nvml.find<int(Device, int, unsigned*)>(symbol);
          get && get(device, domain, &mhz) == ok)
        gpu[field] = mhz;
    };
    clock("sm_clock_max", "nvmlDeviceGetMaxClockInfo", 1);  // NVML_CLOCK_SM
    clock("memory_clock_max", "nvmlDeviceGetMaxClockInfo", 2);
    clock("sm_clock_application", "nvmlDeviceGetApplicationsClock", 1);
    clock("temperature", "nvmlDeviceGetTemperature", 0);  // same shape: a sensor and an answer
    const auto link_state = nvml.find<int(Device, unsigned, unsigned*)>("nvmlDeviceGetNvLinkState");
    const auto link_errors =
        nvml.find<int(Device, unsigned, int, unsigned long long*)>("nvmlDeviceGetNvLinkErrorCounter");
    unsigned total = 0, active = 0;
    unsigned long long all_errors = 0;
    bool errors_known = false;
    for (unsigned link = 0; link_state && link < 18; ++link) {  // NVML_NVLINK_MAX_LINKS
      unsigned state = 0;
      if (link_state(device, link, &state) != ok) continue;
      ++total;
      active += state == 1;
      for (const int counter : {0, 1, 2, 3}) {  // replay, recovery, CRC flit, CRC data
        unsigned long long value = 0;
        if (link_errors && link_errors(device, link, counter, &value) == ok)
          all_errors += value, errors_known = true;
      }
    }
    if (total > 0) gpu["nvlinks_total"] = total, gpu["nvlinks_active"] = active;
    if (errors_known) gpu["nvlink_errors"] = all_errors;
    FabricInfo fabric{};
    if (const auto get = nvml.find<int(Device, FabricInfo*)>("nvmlDeviceGetGpuFabricInfo");
        get && get(device, &fabric) == ok)
      gpu["fabric_state"] = fabric.state, gpu["fabric_status"] = fabric.status;
    reading["gpus"].push_back(gpu);
  }
  return {0, {}, reading};
}

}  // namespace mlc
