#include "tests/gpu/emulation/device.hpp"

#include <array>
#include <cstdio>
#include <map>
#include <set>

#include "tests/gpu/emulation/failure.hpp"
#include "tests/gpu/emulation/memory.hpp"
#include "tests/gpu/emulation/settings.hpp"
#include "tests/gpu/emulation/stream.hpp"

namespace emulation {

namespace {

thread_local int current = 0;

struct State {
  std::int64_t operations = 0;
  cudaError_t error = cudaSuccess;
  bool hangs = false, sms_hang = false;
  std::set<int> peers;
};

State& state_of(int device) {
  static auto* const all = new std::map<int, State>;
  return (*all)[device];
}

bool due(const State& state, const char* kind, int device) {
  const Fault* const fault = settings().fault(kind, "gpu", device);
  return fault != nullptr && state.operations >= fault->number("after");
}

// A bit of the memory that is always set.
void hold_stuck_bit(int device) {
  const Fault* const fault = settings().fault("stuck", "gpu", device);
  Allocation* const large = fault == nullptr ? nullptr : memory_map().first_large(device);
  if (large == nullptr) return;
  const auto byte = static_cast<std::size_t>(fault->number("byte"));
  const std::vector<Range> range{{large->at + byte, large->at + byte + 1, true}};
  memory_map().open(range);
  large->at[byte] |= std::byte{static_cast<unsigned char>(1u << fault->number("bit"))};
  memory_map().close(range);
}

}  // namespace

int current_device() { return current; }

cudaError_t device_error(int device) { return state_of(device).error; }
bool driver_blocks(int device) { return due(state_of(device), "blocks", device); }
bool device_hangs(int device) { return state_of(device).hangs; }
bool sms_hang(int device) { return state_of(device).sms_hang; }
bool peer_enabled(int device, int peer) { return state_of(device).peers.contains(peer); }
bool enable_peer(int device, int peer) { return state_of(device).peers.insert(peer).second; }

void after_operation(int device) {
  State& state = state_of(device);
  ++state.operations;
  hold_stuck_bit(device);
  // What the driver says of a GPU that has fallen off the bus.
  if (due(state, "lost", device)) state.error = cudaErrorUnknown;
  if (due(state, "ecc", device)) state.error = cudaErrorECCUncorrectable;
  if (due(state, "hang", device)) state.hangs = true;
  if (due(state, "sms-hang", device)) state.sms_hang = true;
  if (state.error != cudaSuccess) drop_all(device);
}

std::string uuid_of(int device) {
  std::array<char, 48> text{};
  std::snprintf(text.data(), text.size(), "GPU-e%07x-0000-4000-8000-000000000000", device);
  return text.data();
}

std::string pci_of(int device) {
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), "0000:%02X:00.0", 0xc1 + device);
  return text.data();
}

}  // namespace emulation

using emulation::runtime_lock, emulation::settings;

cudaError_t cudaGetDeviceCount(int* count) {
  *count = settings().gpus;
  if (settings().fault("old-driver", "gpu", 0) != nullptr) return cudaErrorInsufficientDriver;
  return settings().gpus > 0 ? cudaSuccess : cudaErrorNoDevice;
}
cudaError_t cudaSetDevice(int device) {
  const std::lock_guard lock(runtime_lock());
  if (device < 0 || device >= settings().gpus) return cudaErrorInvalidDevice;
  emulation::current = device;
  return emulation::device_error(device);
}
cudaError_t cudaGetDevice(int* device) {
  *device = emulation::current;
  return cudaSuccess;
}
cudaError_t cudaGetDeviceProperties(cudaDeviceProp* to, int device) {
  *to = {};
  std::snprintf(to->name, sizeof to->name, "%s", "NVIDIA H100 (emulated)");
  const std::string text = emulation::uuid_of(device);
  for (std::size_t i = 4, byte = 0; i + 1 < text.size() && byte < 16; ++i) {
    if (text[i] == '-') continue;
    unsigned value = 0;
    std::sscanf(text.c_str() + i, "%2x", &value);
    to->uuid.bytes[byte++] = static_cast<char>(value);
    ++i;
  }
  to->totalGlobalMem = settings().memory_bytes;
  to->major = settings().fault("old", "gpu", device) != nullptr ? 8 : 9, to->minor = 0;
  to->multiProcessorCount = settings().sms;
  to->l2CacheSize = 50 << 20, to->memoryBusWidth = 5120;
  return cudaSuccess;
}
cudaError_t cudaDeviceGetAttribute(int* value, cudaDeviceAttr attribute, int) {
  *value = attribute == cudaDevAttrMemoryClockRate ? 2'619'000 : 232'448;  // an H100 SXM's
  return cudaSuccess;
}
cudaError_t cudaDeviceGetPCIBusId(char* to, int room, int device) {
  std::snprintf(to, static_cast<std::size_t>(room), "%s", emulation::pci_of(device).c_str());
  return cudaSuccess;
}
cudaError_t cudaDeviceCanAccessPeer(int* can, int device, int peer) {
  *can = device != peer && settings().fault("no-peers", "gpu", device) == nullptr;
  return cudaSuccess;
}
cudaError_t cudaDeviceEnablePeerAccess(int peer, unsigned) {
  const std::lock_guard lock(runtime_lock());
  if (const auto error = emulation::device_error(emulation::current); error != cudaSuccess) return error;
  return emulation::enable_peer(emulation::current, peer) ? cudaSuccess : cudaErrorPeerAccessAlreadyEnabled;
}
cudaError_t cudaRuntimeGetVersion(int* version) {
  *version = CUDART_VERSION;
  return cudaSuccess;
}
cudaError_t cudaDriverGetVersion(int* version) {
  *version = settings().fault("no-driver", "gpu", 0) != nullptr    ? 0
             : settings().fault("old-driver", "gpu", 0) != nullptr ? 11'080
                                                                   : CUDART_VERSION;
  return cudaSuccess;
}
