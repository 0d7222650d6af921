// libnvidia-ml.so.1 for tests: one GPU that answers (but has no MIG, and throttle reasons under their old
// name only) and one that is lost. Nothing is answered while it is not initialised.
#include <cstdio>
#include <cstring>

namespace {
int users = 0;
constexpr int ok = 0, uninitialised = 1, not_supported = 3, not_found = 6, lost = 15;
template <class T, class Value>
int give(T* to, Value value) {
  *to = static_cast<T>(value);
  return users > 0 ? ok : uninitialised;
}
int spell(char* to, unsigned room, const char* text) {
  std::snprintf(to, room, "%s", text);
  return users > 0 ? ok : uninitialised;
}
struct Device {
} sound;
}  // namespace

extern "C" {
int nvmlInit_v2() { return ++users, ok; }
int nvmlShutdown() { return --users, ok; }
const char* nvmlErrorString(int code) { return code == lost ? "GPU is lost" : "another error"; }
int nvmlSystemGetDriverVersion(char* to, unsigned room) { return spell(to, room, "570.1"); }
int nvmlDeviceGetCount_v2(unsigned* count) { return give(count, 2); }
int nvmlDeviceGetHandleByIndex_v2(unsigned index, void** device) {
  return *device = &sound, index == 0 ? ok : lost;
}
int nvmlDeviceGetHandleByUUID(const char* uuid, void** device) {
  return *device = &sound, std::strcmp(uuid, "GPU-0") == 0 ? ok : not_found;
}
int nvmlDeviceGetName(Device*, char* to, unsigned room) { return spell(to, room, "H100"); }
int nvmlDeviceGetUUID(Device*, char* to, unsigned room) { return spell(to, room, "GPU-0"); }
int nvmlDeviceGetPciInfo_v3(Device*, unsigned* to) {
  return spell(reinterpret_cast<char*>(to) + 36, 32, "00000000:1B:00.0");
}
int nvmlDeviceGetEccMode(Device*, unsigned* current, unsigned*) { return give(current, 1); }
int nvmlDeviceGetMigMode(Device*, unsigned*, unsigned*) { return not_supported; }
int nvmlDeviceGetTotalEccErrors(Device*, int kind, int counter, unsigned long long* to) {
  return counter == 0 ? give(to, kind == 0 ? 7 : 2) : not_supported;
}
int nvmlDeviceGetRemappedRows(Device*, unsigned* correctable, unsigned* uncorrectable, unsigned* pending,
                              unsigned* failed) {
  return *correctable = 3, *uncorrectable = 4, *pending = 1, give(failed, 0);
}
int nvmlDeviceGetCurrentClocksThrottleReasons(Device*, unsigned long long* to) {
  return give(to, 1ull << 40 | 4);
}
int nvmlDeviceGetCurrPcieLinkGeneration(Device*, unsigned* to) { return give(to, 4); }
int nvmlDeviceGetMaxPcieLinkGeneration(Device*, unsigned* to) { return give(to, 5); }
int nvmlDeviceGetCurrPcieLinkWidth(Device*, unsigned* to) { return give(to, 8); }
int nvmlDeviceGetMaxPcieLinkWidth(Device*, unsigned* to) { return give(to, 16); }
int nvmlDeviceGetPcieReplayCounter(Device*, unsigned* to) { return give(to, 9); }
int nvmlDeviceGetPersistenceMode(Device*, unsigned* to) { return give(to, 1); }
int nvmlDeviceGetMaxClockInfo(Device*, int domain, unsigned* to) {
  return give(to, domain == 1 ? 1980 : 2619);
}
int nvmlDeviceGetApplicationsClock(Device*, int domain, unsigned* to) {
  return give(to, domain == 1 ? 1900 : 0);
}
int nvmlDeviceGetClockInfo(Device*, int domain, unsigned* to) { return give(to, domain == 1 ? 1755 : 2600); }
int nvmlDeviceGetTemperature(Device*, int sensor, unsigned* to) { return give(to, sensor == 0 ? 55 : 0); }
int nvmlDeviceGetTemperatureThreshold(Device*, int kind, unsigned* to) {
  return give(to, kind == 1 ? 89 : 0);
}
int nvmlDeviceGetNvLinkState(Device*, unsigned link, unsigned* to) {
  return link < 4 ? give(to, link != 2) : not_supported;
}
int nvmlDeviceGetNvLinkErrorCounter(Device*, unsigned link, int counter, unsigned long long* to) {
  return counter < 4 ? give(to, link == 1 ? 10 : 0) : not_supported;
}
int nvmlDeviceGetGpuFabricInfo(Device*, unsigned char* to) {
  return *reinterpret_cast<int*>(to + 16) = 0, give(to + 24, 3);
}
int nvmlDeviceGetComputeRunningProcesses_v3(Device*, unsigned* room, unsigned* to) {
  return *room = 1, give(to, 4242);
}
int nvmlDeviceGetMemoryInfo(Device*, unsigned long long* to) { return give(to + 2, 1 << 20); }
int nvmlDeviceGetUtilizationRates(Device*, unsigned* to) { return give(to, 12); }
int nvmlDeviceGetEnforcedPowerLimit(Device*, unsigned* to) { return give(to, 700'000); }
int nvmlDeviceGetPowerUsage(Device*, unsigned* to) { return give(to, 350'500); }
int nvmlDeviceGetTotalEnergyConsumption(Device*, unsigned long long* to) { return give(to, 5'000); }
int nvmlDeviceGetViolationStatus(Device*, int policy, unsigned long long* to) {
  return policy == 1 ? give(to + 1, 2'500'000'000) : not_supported;
}
}
