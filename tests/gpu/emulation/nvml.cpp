// libnvidia-ml of the emulation: as many healthy GPUs as are emulated, cool and unthrottled. What is not
// here, this "driver" does not have.
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <cstring>

#include "tests/gpu/emulation/device.hpp"
#include "tests/gpu/emulation/settings.hpp"

namespace {

constexpr int ok = 0, not_found = 6;

// A handle is the number of the GPU and one, so that none is null.
void* handle_of(int gpu) { return reinterpret_cast<void*>(static_cast<std::uintptr_t>(gpu) + 1); }
int gpu_of(const void* handle) { return static_cast<int>(reinterpret_cast<std::uintptr_t>(handle)) - 1; }

int spell(char* to, unsigned room, const std::string& text) {
  std::snprintf(to, room, "%s", text.c_str());
  return ok;
}
template <class T, class Value>
int give(T* to, Value value) {
  *to = static_cast<T>(value);
  return ok;
}

}  // namespace

extern "C" {
int nvmlInit_v2() { return ok; }
int nvmlShutdown() { return ok; }
const char* nvmlErrorString(int) { return "an emulated error"; }
int nvmlSystemGetDriverVersion(char* to, unsigned room) { return spell(to, room, "580.0 (emulated)"); }
int nvmlDeviceGetCount_v2(unsigned* count) { return give(count, emulation::settings().gpus); }
int nvmlDeviceGetHandleByIndex_v2(unsigned index, void** device) {
  *device = handle_of(static_cast<int>(index));
  return static_cast<int>(index) < emulation::settings().gpus ? ok : not_found;
}
int nvmlDeviceGetHandleByUUID(const char* uuid, void** device) {
  for (int gpu = 0; gpu < emulation::settings().gpus; ++gpu)
    if (emulation::uuid_of(gpu) == uuid) return *device = handle_of(gpu), ok;
  return not_found;
}
int nvmlDeviceGetName(void*, char* to, unsigned room) { return spell(to, room, "NVIDIA H100 (emulated)"); }
int nvmlDeviceGetUUID(void* device, char* to, unsigned room) {
  return spell(to, room, emulation::uuid_of(gpu_of(device)));
}
int nvmlDeviceGetPciInfo_v3(void* device, char* to) {
  return spell(to + 36, 32, "0000" + emulation::pci_of(gpu_of(device)));
}
int nvmlDeviceGetEccMode(void*, unsigned* current, unsigned* pending) {
  return *pending = 1, give(current, 1);
}
int nvmlDeviceGetMigMode(void*, unsigned* current, unsigned* pending) {
  return *pending = 0, give(current, 0);
}
int nvmlDeviceGetTotalEccErrors(void*, int, int, unsigned long long* to) { return give(to, 0); }
int nvmlDeviceGetRemappedRows(void*, unsigned* correctable, unsigned* uncorrectable, unsigned* pending,
                              unsigned* failed) {
  return *correctable = *uncorrectable = *pending = *failed = 0, ok;
}
int nvmlDeviceGetCurrentClocksEventReasons(void*, unsigned long long* to) { return give(to, 0); }
int nvmlDeviceGetCurrPcieLinkGeneration(void*, unsigned* to) { return give(to, 5); }
int nvmlDeviceGetMaxPcieLinkGeneration(void*, unsigned* to) { return give(to, 5); }
int nvmlDeviceGetCurrPcieLinkWidth(void*, unsigned* to) { return give(to, 16); }
int nvmlDeviceGetMaxPcieLinkWidth(void*, unsigned* to) { return give(to, 16); }
int nvmlDeviceGetPcieReplayCounter(void*, unsigned* to) { return give(to, 0); }
int nvmlDeviceGetClockInfo(void*, int domain, unsigned* to) { return give(to, domain == 1 ? 1755 : 2619); }
int nvmlDeviceGetTemperature(void*, int, unsigned* to) { return give(to, 55); }
int nvmlDeviceGetTemperatureThreshold(void*, int, unsigned* to) { return give(to, 89); }
int nvmlDeviceGetComputeRunningProcesses_v3(void*, unsigned* room, void*) { return give(room, 0); }
int nvmlDeviceGetMemoryInfo(void*, unsigned long long* to) {
  return to[0] = to[1] = emulation::settings().memory_bytes, give(to + 2, 0);
}
int nvmlDeviceGetUtilizationRates(void*, unsigned* to) { return to[1] = 0, give(to, 0); }
int nvmlDeviceGetEnforcedPowerLimit(void*, unsigned* to) { return give(to, 700'000); }
int nvmlDeviceGetPowerUsage(void* device, unsigned* to) {
  while (emulation::settings().fault("nvml-hangs", "gpu", gpu_of(device)) != nullptr)
    ::pause();
  return give(to, 350'500);
}
// 350.5 W, as above; in millijoules.
int nvmlDeviceGetTotalEnergyConsumption(void*, unsigned long long* to) {
  const std::chrono::duration<double> now = std::chrono::steady_clock::now().time_since_epoch();
  return give(to, now.count() * 350'500);
}
int nvmlDeviceGetViolationStatus(void*, int, unsigned long long* to) { return to[0] = 0, give(to + 1, 0); }
}
